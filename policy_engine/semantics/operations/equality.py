"""CEL's `==`, for both back ends. Promises an answer for any two values, except where comparing would take too long.

Numbers of different types are equal when their values are (`numbers.common`); NaN equals nothing, also inside lists and
maps; any other two types are unequal; bool is not a number (cel-spec langdef, *Equality*).
"""

from __future__ import annotations

from typing import Any, Final

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import Optional
from policy_engine.semantics.operations.bounds import MAX_VALUE_ELEMENTS
from policy_engine.semantics.operations.kinds import KEYS, NUMBERS
from policy_engine.semantics.operations.numbers import common

MISSING: Final = object()
"""What `find` returns for a key that is not there."""


def equals(left: Any, right: Any) -> bool:
    """Whether `left == right`. Raises `EvaluationError("too_costly")` only for enormous containers."""
    kind = type(left)
    if kind is type(right):
        if kind is list or kind is dict or kind is Optional:
            return equals_within(left, right, [MAX_VALUE_ELEMENTS])
        return bool(left == right)
    return _same_number(left, right)


def find(mapping: dict[Any, Any], key: Any) -> Any:
    """The value at `key`, or `MISSING`. Whole doubles and both integer types find each other; a bool only a bool."""
    kind = type(key)
    if kind is str:
        return mapping.get(key, MISSING)
    if kind is float or kind in KEYS:
        value = mapping.get(key, MISSING)
        if value is MISSING or key not in (0, 1):
            return value
        # To Python `True` and `1` are one key, to CEL they are two: look at the one that is really stored.
        stored = next(candidate for candidate in mapping if candidate == key)
        return value if (type(stored) is bool) == (kind is bool) else MISSING
    return MISSING


def _same_number(left: Any, right: Any) -> bool:
    if type(left) not in NUMBERS or type(right) not in NUMBERS:
        return False
    first, second = common(left, right)
    return bool(first == second)


def equals_within(left: Any, right: Any, budget: list[int]) -> bool:
    """`equals`, with its work counted down in `budget`, which several comparisons may share.

    Values may share their parts, so even small ones may take long; then it raises `EvaluationError("too_costly")`.
    """
    budget[0] -= 1
    if budget[0] < 0:
        raise EvaluationError("too_costly", "two values are too large to be compared")
    kind = type(left)
    if kind is not type(right):
        return _same_number(left, right)
    if kind is list:
        return len(left) == len(right) and all(equals_within(a, b, budget) for a, b in zip(left, right, strict=True))
    if kind is dict:
        if len(left) != len(right):
            return False
        for key, value in left.items():
            other = find(right, key)
            if other is MISSING or not equals_within(value, other, budget):
                return False
        return True
    if kind is Optional:
        if not (left.present and right.present):
            return bool(left.present == right.present)
        return equals_within(left.value, right.value, budget)
    return bool(left == right)
