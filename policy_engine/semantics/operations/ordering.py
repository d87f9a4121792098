"""CEL's `<`, `<=`, `>`, `>=`, for both back ends. Promises that only numbers compare across types, exactly.

Ordered are numbers, strings (by code point), bytes, bools (false first), timestamps and durations. NaN is neither
less nor greater than anything.
"""

from __future__ import annotations

from typing import Any, Final

from policy_engine.base.values import Duration, Timestamp, UInt
from policy_engine.semantics.operations.kinds import NUMBERS, no_overload

_ORDERED: Final = frozenset((int, float, str, UInt, bytes, bool, Timestamp, Duration))


def _comparable(operator: str, left: Any, right: Any) -> None:
    kind = type(left)
    if kind is type(right):
        if kind in _ORDERED:
            return
    elif kind in NUMBERS and type(right) in NUMBERS:
        return
    no_overload(operator, left, right)


def less(left: Any, right: Any) -> bool:
    """`left < right`; raises `no_such_overload` for values without a common order."""
    _comparable("<", left, right)
    return bool(left < right)


def less_equal(left: Any, right: Any) -> bool:
    """`left <= right`; raises `no_such_overload` for values without a common order."""
    _comparable("<=", left, right)
    return bool(left <= right)


def greater(left: Any, right: Any) -> bool:
    """`left > right`; raises `no_such_overload` for values without a common order."""
    _comparable(">", left, right)
    return bool(left > right)


def greater_equal(left: Any, right: Any) -> bool:
    """`left >= right`; raises `no_such_overload` for values without a common order."""
    _comparable(">=", left, right)
    return bool(left >= right)
