"""cel-go's math extensions: greatest and least, rounding, signs, doubles that are no numbers, bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from policy_engine.base.values import MAX_UINT, UInt
from policy_engine.semantics.functions.declaration import Function, Overload
from policy_engine.semantics.functions.signatures import examples, invalid, takes, typed
from policy_engine.semantics.operations import NUMBERS, checked_int, greater, less, no_overload
from policy_engine.semantics.types import BOOL, DOUBLE, DYN, INT, UINT, ListType, Type

_NUMERIC: Final = (INT, UINT, DOUBLE)
_MOST_ARGUMENTS: Final = 8


def _extremes() -> tuple[Overload, ...]:
    """One number, a list of them, or up to eight arguments; the type is known where all arguments share it."""
    shared = [
        takes(*(kind,) * count, to=kind) for count in range(1, _MOST_ARGUMENTS + 1) for kind in _NUMERIC
    ]  # fmt: skip
    mixed = [takes(*(DYN,) * count, to=DYN) for count in range(2, _MOST_ARGUMENTS + 1)]
    return (*shared, *(takes(ListType(kind), to=kind) for kind in _NUMERIC), takes(ListType(DYN), to=DYN), *mixed)


def _extreme(name: str, better: Callable[[Any, Any], bool]) -> Callable[..., Any]:
    """The first of the arguments (or of the one list) that no other is `better` than."""

    def call(*arguments: Any) -> Any:
        values = arguments[0] if len(arguments) == 1 and type(arguments[0]) is list else arguments
        if not values or any(type(value) not in NUMBERS for value in values):
            no_overload(name, *arguments)
        best = values[0]
        for value in values[1:]:
            if better(value, best):
                best = value
        return best

    return call


def _round(value: float) -> float:
    whole = _whole(math.trunc, value)
    return whole + math.copysign(1.0, value) if abs(value - whole) >= 0.5 else whole


def _whole(to: Callable[[float], int], value: float) -> float:
    """Python's rounding functions give ints and refuse NaN and infinity; CEL's pass them through."""
    return math.copysign(float(to(value)), value) if math.isfinite(value) else value


def _absolute(value: Any) -> Any:
    return checked_int(abs(value)) if type(value) is int else abs(value) if type(value) is float else value


def _sign(value: Any) -> Any:
    if type(value) is float:
        return value if value == 0.0 or math.isnan(value) else math.copysign(1.0, value)
    sign = (value > 0) - (value < 0)
    return UInt(sign) if type(value) is UInt else sign


def _square_root(value: Any) -> float:
    number = float(value)
    return math.sqrt(number) if number >= 0.0 else math.nan


def _bits(name: str, operate: Callable[[int, int], int]) -> Callable[..., Any]:
    def call(left: Any, right: Any) -> Any:
        result = operate(int(left), int(right))
        return UInt(result) if type(left) is UInt else result

    return typed(name, call, (int, int), (UInt, UInt))


def _bit_not(value: Any) -> Any:
    return UInt(MAX_UINT - int(value)) if type(value) is UInt else ~value


def _shift(value: Any, places: int, *, left: bool) -> Any:
    """Shifts of 64 bits without a sign, as cel-go has it: a negative int is moved as its bit pattern."""
    if places < 0:
        raise invalid("a shift is by zero bits or more")
    if places >= 64:
        return type(value)(0)
    pattern = int(value) & MAX_UINT
    moved = (pattern << places) & MAX_UINT if left else pattern >> places
    if type(value) is UInt:
        return UInt(moved)
    return moved - (1 << 64) if moved >> 63 else moved


def _double(name: str, meaning: str, example: tuple[str, str], body: Callable[[float], Any], to: Type) -> Function:
    return Function(name, (takes(DOUBLE, to=to),), meaning, examples(example), typed(name, body, (float,)))


def _pair(name: str, meaning: str, example: tuple[str, str], operate: Callable[[int, int], int]) -> Function:
    overloads = (takes(INT, INT, to=INT), takes(UINT, UINT, to=UINT))
    return Function(name, overloads, meaning, examples(example), _bits(name, operate))


def _shifting(name: str, meaning: str, example: tuple[str, str], *, left: bool) -> Function:
    def body(value: Any, places: int) -> Any:
        return _shift(value, places, left=left)

    overloads = (takes(INT, INT, to=INT), takes(UINT, INT, to=UINT))
    return Function(name, overloads, meaning, examples(example), typed(name, body, (int, int), (UInt, int)))


FUNCTIONS: Final = (
    Function(
        "math.greatest",
        _extremes(),
        "The greatest of its arguments, or of a list of numbers.",
        examples(("math.greatest(3, 1, 2)", "3"), ("math.greatest([1.5, 2.5])", "2.5")),
        _extreme("math.greatest", greater),
    ),
    Function(
        "math.least",
        _extremes(),
        "The least of its arguments, or of a list of numbers.",
        examples(("math.least(3, 1, 2)", "1"), ("math.least([1.5, 2.5])", "1.5")),
        _extreme("math.least", less),
    ),
    _double(
        "math.ceil", "Up to the next whole number.", ("math.ceil(1.2)", "2.0"), lambda x: _whole(math.ceil, x), DOUBLE
    ),
    _double(
        "math.floor",
        "Down to the next whole number.",
        ("math.floor(-1.2)", "-2.0"),
        lambda x: _whole(math.floor, x),
        DOUBLE,
    ),
    _double(
        "math.round",
        "To the nearest whole number, halves away from zero.",
        ("math.round(-1.5)", "-2.0"),
        _round,
        DOUBLE,
    ),
    _double(
        "math.trunc", "Without its fraction.", ("math.trunc(-1.7)", "-1.0"), lambda x: _whole(math.trunc, x), DOUBLE
    ),
    _double("math.isNaN", "Whether it is not a number.", ("math.isNaN(0.0 / 0.0)", "true"), math.isnan, BOOL),
    _double("math.isInf", "Whether it is infinite.", ("math.isInf(1.0 / 0.0)", "true"), math.isinf, BOOL),
    _double(
        "math.isFinite", "Whether it is a number and not infinite.", ("math.isFinite(1.5)", "true"), math.isfinite, BOOL
    ),
    Function(
        "math.abs",
        tuple(takes(kind, to=kind) for kind in _NUMERIC),
        "The number without its sign.",
        examples(
            ("math.abs(-11)", "11"),
        ),
        typed("math.abs", _absolute, (int,), (UInt,), (float,)),
    ),
    Function(
        "math.sign",
        tuple(takes(kind, to=kind) for kind in _NUMERIC),
        "-1, 0 or 1, in the type of the number.",
        examples(
            ("math.sign(-32.0)", "-1.0"),
        ),
        typed("math.sign", _sign, (int,), (UInt,), (float,)),
    ),
    Function(
        "math.sqrt",
        tuple(takes(kind, to=DOUBLE) for kind in _NUMERIC),
        "The square root as a double; NaN below zero.",
        examples(
            ("math.sqrt(81)", "9.0"),
        ),
        typed("math.sqrt", _square_root, (int,), (UInt,), (float,)),
    ),
    _pair("math.bitAnd", "The bits that both have.", ("math.bitAnd(6, 3)", "2"), lambda a, b: a & b),
    _pair("math.bitOr", "The bits that either has.", ("math.bitOr(6, 3)", "7"), lambda a, b: a | b),
    _pair("math.bitXor", "The bits that one of them has.", ("math.bitXor(6, 3)", "5"), lambda a, b: a ^ b),
    Function(
        "math.bitNot",
        (takes(INT, to=INT), takes(UINT, to=UINT)),
        "Each bit turned.",
        examples(
            ("math.bitNot(1)", "-2"),
        ),
        typed("math.bitNot", _bit_not, (int,), (UInt,)),
    ),
    _shifting("math.bitShiftLeft", "The bits moved up; zeros follow.", ("math.bitShiftLeft(1, 2)", "4"), left=True),
    _shifting(
        "math.bitShiftRight", "The bits moved down; zeros lead.", ("math.bitShiftRight(1024, 2)", "256"), left=False
    ),
)
