"""CEL's `<`, `<=`, `>`, `>=`, for both back ends. Promises an order or `no_such_overload` for any two values.

Ordered are numbers, strings (by code point), bytes, bools (false first), timestamps and durations, and only numbers
across types (`numbers.common`). NaN is neither less nor greater than anything.
"""

from __future__ import annotations

from typing import Any, Final

from policy_engine.base.values import Duration, Timestamp, UInt
from policy_engine.semantics.operations.kinds import NUMBERS, no_overload
from policy_engine.semantics.operations.numbers import common

_ORDERED: Final = frozenset((int, float, str, UInt, bytes, bool, Timestamp, Duration))


def _comparable(operator: str, left: Any, right: Any) -> tuple[Any, Any]:
    """The two as Python orders them like CEL."""
    kind, other = type(left), type(right)
    if kind is other:
        if kind in _ORDERED:
            return left, right
    elif kind in NUMBERS and other in NUMBERS:
        return common(left, right)
    no_overload(operator, left, right)


def less(left: Any, right: Any) -> bool:
    """`left < right`; raises `no_such_overload` for values without a common order."""
    first, second = _comparable("<", left, right)
    return bool(first < second)


def less_equal(left: Any, right: Any) -> bool:
    """`left <= right`; raises `no_such_overload` for values without a common order."""
    first, second = _comparable("<=", left, right)
    return bool(first <= second)


def greater(left: Any, right: Any) -> bool:
    """`left > right`; raises `no_such_overload` for values without a common order."""
    first, second = _comparable(">", left, right)
    return bool(first > second)


def greater_equal(left: Any, right: Any) -> bool:
    """`left >= right`; raises `no_such_overload` for values without a common order."""
    first, second = _comparable(">=", left, right)
    return bool(first >= second)
