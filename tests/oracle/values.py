"""Values of CEL for the oracle: kinds, exact equality and order, errors as values. The obvious way, not the fast one.

Written from cel-spec and LANGUAGE.md. Shares the classes of `base/values.py` with the engine, and nothing that computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from policy_engine.base.values import Duration, Optional, Timestamp, TypeValue, UInt

INT_MIN, INT_MAX, UINT_MAX = -(2**63), 2**63 - 1, 2**64 - 1
YEAR_1, YEAR_10000 = -62_135_596_800 * 10**9, 253_402_300_800 * 10**9


@dataclass(frozen=True)
class Err:
    """An error as a value. `why` is for people who read a failing test; two errors are never told apart by it."""

    why: str


def kind(value: Any) -> str:
    """The CEL type of a value, in a word."""
    table: tuple[tuple[type, str], ...] = (
        (bool, "bool"), (UInt, "uint"), (int, "int"), (float, "double"), (str, "string"), (bytes, "bytes"),
        (list, "list"), (dict, "map"), (Timestamp, "timestamp"), (Duration, "duration"), (TypeValue, "type"),
        (Optional, "optional"),
    )  # fmt: skip
    if value is None:
        return "null"
    for python, name in table:
        if isinstance(value, python):
            return name
    raise AssertionError(f"{type(value)} is no CEL value")


NUMBERS = ("int", "uint", "double")


def number_order(left: Any, right: Any) -> int | None:
    """-1, 0 or 1; None if either is NaN. Exact, but an integer meets a double as its nearest double (decision 0006)."""
    if left != left or right != right:
        return None
    if "double" in (kind(left), kind(right)):
        left, right = float(left), float(right)
    a, b = exact(left), exact(right)
    return int(a > b) - int(a < b)


def exact(value: Any) -> Any:
    """A number as a fraction; infinities stay."""
    if isinstance(value, float):
        if value in (float("inf"), float("-inf")):
            return value
        return Fraction(value)
    return Fraction(int(value))


def equal(left: Any, right: Any) -> bool:
    """CEL's `==`: numbers by value, containers by content, values of different types are different. Never an error."""
    a, b = kind(left), kind(right)
    if a in NUMBERS and b in NUMBERS:
        return number_order(left, right) == 0
    if a != b:
        return False
    if a == "list":
        return len(left) == len(right) and all(equal(x, y) for x, y in zip(left, right, strict=True))
    if a == "map":
        return len(left) == len(right) and all(
            (place := find(right, key)) is not None and equal(item, place[0]) for key, item in left.items()
        )
    if a == "optional":
        return left.present == right.present and (not left.present or equal(left.value, right.value))
    return bool(left == right)


def find(mapping: dict[Any, Any], key: Any) -> tuple[Any] | None:
    """The item under a key that is equal in CEL's sense (`1`, `1u` and `1.0` are one key, `true` is another)."""
    for known, item in mapping.items():
        if kind(known) in NUMBERS and kind(key) in NUMBERS:
            if key == key and exact(known) == exact(key):
                return (item,)
        elif equal(known, key):
            return (item,)
    return None


def order(left: Any, right: Any) -> int | None | Err:
    """-1, 0, 1; None where nothing holds (NaN); an error for kinds without an order between them."""
    a, b = kind(left), kind(right)
    if a in NUMBERS and b in NUMBERS:
        return number_order(left, right)
    if a != b or a not in ("bool", "string", "bytes", "timestamp", "duration"):
        return Err(f"no order between {a} and {b}")
    x: Any = left
    y: Any = right
    if a in ("timestamp", "duration"):
        x, y = left.nanos, right.nanos
    elif a == "string":
        x, y = [ord(c) for c in left], [ord(c) for c in right]
    elif a == "bytes":
        x, y = list(left), list(right)
    return int(x > y) - int(x < y)


def integer(value: int) -> Any:
    """An int, or the error of one that does not fit 64 bits."""
    return int(value) if INT_MIN <= value <= INT_MAX else Err("int overflow")


def unsigned(value: int) -> Any:
    """A uint, or the error of one that does not fit 64 bits."""
    return UInt(value) if 0 <= value <= UINT_MAX else Err("uint overflow")


def moment(nanos: int) -> Any:
    """A timestamp within the years 1 to 9999."""
    return Timestamp(nanos) if YEAR_1 <= nanos < YEAR_10000 else Err("timestamp out of range")


def span(nanos: int) -> Any:
    """A duration that fits 64 bits of nanoseconds."""
    return Duration(nanos) if INT_MIN <= nanos <= INT_MAX else Err("duration out of range")


def arithmetic(operator: str, left: Any, right: Any) -> Any:
    """`+ - * / %`; ints and doubles never mix."""
    a, b = kind(left), kind(right)
    if a == b == "int":
        return integer_arithmetic(operator, int(left), int(right), integer)
    if a == b == "uint":
        return integer_arithmetic(operator, int(left), int(right), unsigned)
    if a == b == "double":
        return double_arithmetic(operator, left, right)
    if operator == "+":
        if a == b and a in ("string", "bytes", "list"):
            return left + right
        if (a, b) in (("timestamp", "duration"), ("duration", "timestamp")):
            return moment(left.nanos + right.nanos)
        if a == b == "duration":
            return span(left.nanos + right.nanos)
    if operator == "-":
        if (a, b) == ("timestamp", "duration"):
            return moment(left.nanos - right.nanos)
        if a == b and a in ("timestamp", "duration"):
            return span(left.nanos - right.nanos)
    return Err(f"no {operator} of {a} and {b}")


def integer_arithmetic(operator: str, left: int, right: int, fits: Any) -> Any:
    """Exact; division truncates towards zero, and the remainder takes the sign of the dividend."""
    if operator in "/%" and right == 0:
        return Err("division by zero")
    quotient = 0 if right == 0 else abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    if operator == "%":
        checked = fits(quotient)  # the smallest int by -1: neither quotient nor remainder is there
        return checked if isinstance(checked, Err) else fits(left - quotient * right)
    return fits({"+": left + right, "-": left - right, "*": left * right, "/": quotient}[operator])


def double_arithmetic(operator: str, left: float, right: float) -> Any:
    """IEEE 754; division by zero is infinite or NaN; there is no remainder."""
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if operator == "%":
        return Err("no % of doubles")
    if right != 0:
        try:
            return left / right
        except OverflowError:
            return float("inf")
    if left == 0 or left != left:
        return float("nan")
    negative = (str(left)[0] == "-") != (str(right)[0] == "-")
    return float("-inf") if negative else float("inf")
