"""Lists as a whole: sums and extremes for limits over history, cutting, flattening, sorting, without duplicates."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cmp_to_key
from typing import Any, Final

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import Duration, Timestamp, UInt
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.signatures import examples, invalid, takes, typed
from policy_engine.semantics.operations import NUMBERS, add, equals_within, less, no_overload
from policy_engine.semantics.operations.bounds import MAX_VALUE_ELEMENTS, bound_elements
from policy_engine.semantics.types import DOUBLE, DURATION, DYN, INT, STRING, TIMESTAMP, UINT, ListType, TypeVariable

MAX_RANGE: Final = 10_000
"""Numbers that `lists.range` counts: its argument is small whatever it makes, so only this bounds the work."""
_A: Final = TypeVariable("A")
_SUMMED: Final = (INT, UINT, DOUBLE, DURATION)
_ORDERED: Final = (INT, UINT, DOUBLE, DURATION, TIMESTAMP, STRING, DYN)
_SUMMED_CLASSES: Final = (int, UInt, float, Duration)
_HASHED: Final = frozenset((bool, str, bytes, Timestamp, Duration, type(None)))


def total(values: list[Any], start: Any = None) -> Any:
    """The sum of numbers or durations of one type, from `start`; without a start, of no elements the int 0."""
    if start is None:
        if not values:
            return 0
        start, values = values[0], values[1:]
    if type(start) not in _SUMMED_CLASSES:
        no_overload("sum", start)
    for value in values:
        start = add(start, value)
    return start


def _extreme(name: str, better: Callable[[Any, Any], bool]) -> Callable[..., Any]:
    def call(values: list[Any]) -> Any:
        if not values:
            raise invalid(f"an empty list has no `{name}`")
        best = values[0]
        for value in values:
            _in_order(value)
            if better(value, best):
                best = value
        return best

    return typed(name, call, (list,))


def _in_order(value: Any) -> None:
    if type(value) is float and math.isnan(value):
        raise invalid("NaN is neither less nor greater than other numbers")


def slice_of(values: list[Any], start: int, end: int) -> list[Any]:
    """The elements from `start` up to `end`; positions past the end are cut to it (cel-go refuses them)."""
    if start < 0 or end < start:
        raise invalid("a slice starts at zero or later and ends after its start")
    return values[start:end]


def flatten(values: list[Any], depth: int = 1) -> list[Any]:
    """The list with the elements of lists inside it in their place, `depth` levels deep."""
    if depth < 0:
        raise invalid("a list is flattened by zero levels or more")
    flat = values
    for _ in range(min(depth, 64)):
        bound_elements(sum(len(value) if type(value) is list else 1 for value in flat))
        deeper = [part for value in flat for part in (value if type(value) is list else (value,))]
        if not any(type(value) is list for value in flat):
            break
        flat = deeper
    return flat


def distinct(values: list[Any]) -> list[Any]:
    """The list with only the first of equal elements. Work is bounded where elements are themselves containers."""
    kept: list[Any] = []
    seen: set[Any] = set()
    compared: list[Any] = []
    budget = [MAX_VALUE_ELEMENTS]
    for value in values:
        kind = type(value)
        if kind in NUMBERS or kind in _HASHED:
            key = (kind not in NUMBERS and kind, value)
            if key in seen and value == value:
                continue
            seen.add(key)
        else:
            if any(equals_within(value, other, budget) for other in compared):
                continue
            compared.append(value)
        kept.append(value)
    return kept


def ordered(values: list[Any]) -> list[Any]:
    """The list from least to greatest; equal elements keep their order."""
    for value in values:
        _in_order(value)
        less(value, values[0])
    return sorted(values, key=cmp_to_key(lambda left, right: less(right, left) - less(left, right)))


def count_up(end: int) -> list[int]:
    """The whole numbers from 0 up to `end`, not included; at most `MAX_RANGE` of them."""
    if end > MAX_RANGE:
        raise EvaluationError("too_costly", f"a range holds at most {MAX_RANGE} numbers")
    return list(range(end))


FUNCTIONS: Final = (
    Function(
        "sum",
        (
            *(takes(ListType(kind), to=kind) for kind in _SUMMED),
            *(takes(ListType(kind), kind, to=kind) for kind in _SUMMED),
            takes(ListType(DYN), to=DYN),
            takes(ListType(DYN), DYN, to=DYN),
        ),
        "The sum of the numbers or durations of a list, all of one type. Of an empty list it is the int 0; "
        "`sum(0.0)` starts at a double, so that an empty list gives one too.",
        examples(
            ("[1, 2, 3].sum()", "6"),
            ("[].sum(0.0)", "0.0"),
            ("[duration('1h'), duration('30m')].sum()", "duration('90m')"),
        ),
        typed("sum", total, (list,), *((list, kind) for kind in _SUMMED_CLASSES)),
        method=True,
        source="policy language",
    ),
    Function(
        "max",
        tuple(takes(ListType(kind), to=kind) for kind in _ORDERED),
        "The greatest element of a list; an empty list, or a NaN, is an error.",
        examples(
            ("[3, 1, 2].max()", "3"),
        ),
        _extreme("max", lambda value, best: less(best, value)),
        method=True,
        source="policy language",
    ),
    Function(
        "min",
        tuple(takes(ListType(kind), to=kind) for kind in _ORDERED),
        "The least element of a list; an empty list, or a NaN, is an error.",
        examples(
            ("[3, 1, 2].min()", "1"),
        ),
        _extreme("min", less),
        method=True,
        source="policy language",
    ),
    Function(
        "slice",
        (takes(ListType(_A), INT, INT, to=ListType(_A)),),
        "The elements from one position up to another, which is not included; past the end there are none.",
        examples(("[1, 2, 3].slice(0, 2)", "[1, 2]"), ("[1].slice(0, 100)", "[1]")),
        typed("slice", slice_of, (list, int, int)),
        method=True,
    ),
    Function(
        "flatten",
        (
            takes(ListType(ListType(_A)), to=ListType(_A)),
            takes(ListType(DYN), to=ListType(DYN)),
            takes(ListType(DYN), INT, to=ListType(DYN)),
        ),
        "The list with the elements of lists inside it in their place, one level deep or as many as said.",
        examples(("[[1], [2, [3]]].flatten()", "[1, 2, [3]]"), ("[[1], [2, [3]]].flatten(2)", "[1, 2, 3]")),
        typed("flatten", flatten, (list,), (list, int)),
        method=True,
    ),
    Function(
        "distinct",
        (takes(ListType(_A), to=ListType(_A)),),
        "The list with only the first of equal elements.",
        examples(
            ("[1, 2, 1.0, 2].distinct()", "[1, 2]"),
        ),
        typed("distinct", distinct, (list,)),
        method=True,
    ),
    Function(
        "sort",
        (takes(ListType(_A), to=ListType(_A)),),
        "The list from least to greatest.",
        examples(
            ("['b', 'a'].sort()", "['a', 'b']"),
        ),
        typed("sort", ordered, (list,)),
        method=True,
        cost=5,
    ),
    Function(
        "lists.range",
        (takes(INT, to=ListType(INT)),),
        "The whole numbers from 0 up to one that is not included.",
        examples(
            ("lists.range(3)", "[0, 1, 2]"),
        ),
        typed("lists.range", count_up, (int,)),
    ),
)
