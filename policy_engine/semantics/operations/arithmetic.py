"""CEL's `+ - * / %` and negation, for both back ends. Promises 64-bit results or an error: nothing wraps around.

The two operands have one type: there is no mixed arithmetic. Division of integers cuts towards zero, the remainder has
the sign of the dividend; doubles follow IEEE 754, where nothing is an error. A duration is at most 2**63 nanoseconds
either way (about 292 years), as in cel-go and the conformance suite.
"""

from __future__ import annotations

import math
from typing import Any

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import (
    MAX_INT,
    MAX_TIMESTAMP_NANOS,
    MAX_UINT,
    MIN_INT,
    MIN_TIMESTAMP_NANOS,
    Duration,
    Timestamp,
    UInt,
)
from policy_engine.semantics.operations.bounds import bound_chars, bound_elements
from policy_engine.semantics.operations.kinds import no_overload


def checked_int(value: int) -> int:
    """The value as CEL `int`; raises `overflow` outside 64 bits."""
    if MIN_INT <= value <= MAX_INT:
        return value
    raise EvaluationError("overflow", "the result does not fit an int of 64 bits")


def checked_uint(value: int) -> UInt:
    """The value as CEL `uint`; raises `overflow` outside 64 bits, so also for anything below zero."""
    if 0 <= value <= MAX_UINT:
        return UInt(value)
    raise EvaluationError("overflow", "the result does not fit a uint of 64 bits")


def checked_timestamp(nanos: int) -> Timestamp:
    """The timestamp at `nanos`; raises `overflow` outside the years 1 to 9999."""
    if MIN_TIMESTAMP_NANOS <= nanos <= MAX_TIMESTAMP_NANOS:
        return Timestamp(nanos)
    raise EvaluationError("overflow", "a timestamp lies between the years 1 and 9999")


def checked_duration(nanos: int) -> Duration:
    """The duration of `nanos`; raises `overflow` beyond about 292 years."""
    if MIN_INT <= nanos <= MAX_INT:
        return Duration(nanos)
    raise EvaluationError("overflow", "a duration is at most about 292 years")


def add(left: Any, right: Any) -> Any:
    """`left + right`: numbers of one type, text, bytes, lists, durations, a timestamp and a duration."""
    kind, other = type(left), type(right)
    if kind is other:
        if kind is int:
            return checked_int(left + right)
        if kind is float:
            return left + right
        if kind is str or kind is bytes:
            bound_chars(len(left) + len(right))
            return left + right
        if kind is UInt:
            return checked_uint(int(left) + int(right))
        if kind is list:
            bound_elements(len(left) + len(right))
            return left + right
        if kind is Duration:
            return checked_duration(left.nanos + right.nanos)
    elif (kind is Timestamp and other is Duration) or (kind is Duration and other is Timestamp):
        return checked_timestamp(left.nanos + right.nanos)
    no_overload("+", left, right)


def subtract(left: Any, right: Any) -> Any:
    """`left - right`: numbers of one type, durations, two timestamps (a duration), a duration from a timestamp."""
    kind, other = type(left), type(right)
    if kind is other:
        if kind is int:
            return checked_int(left - right)
        if kind is float:
            return left - right
        if kind is UInt:
            return checked_uint(int(left) - int(right))
        if kind is Timestamp or kind is Duration:
            return checked_duration(left.nanos - right.nanos)
    elif kind is Timestamp and other is Duration:
        return checked_timestamp(left.nanos - right.nanos)
    no_overload("-", left, right)


def multiply(left: Any, right: Any) -> Any:
    """`left * right` of two numbers of one type."""
    kind = type(left)
    if kind is type(right):
        if kind is int:
            return checked_int(left * right)
        if kind is float:
            return left * right
        if kind is UInt:
            return checked_uint(int(left) * int(right))
    no_overload("*", left, right)


def divide(left: Any, right: Any) -> Any:
    """`left / right` of two numbers of one type; integers raise `divide_by_zero`, doubles give infinity or NaN."""
    kind = type(left)
    if kind is type(right):
        if kind is float:
            return left / right if right != 0.0 else _over_zero(left, right)
        if kind is int or kind is UInt:
            if right == 0:
                raise EvaluationError("divide_by_zero", "a division by zero")
            quotient = abs(int(left)) // abs(int(right))
            if kind is UInt:
                return UInt(quotient)
            return checked_int(-quotient if (left < 0) != (right < 0) else quotient)
    no_overload("/", left, right)


def remainder(left: Any, right: Any) -> Any:
    """`left % right` of two integers of one type."""
    kind = type(left)
    if kind is type(right) and (kind is int or kind is UInt):
        if right == 0:
            raise EvaluationError("divide_by_zero", "a remainder of a division by zero")
        if kind is int and left == MIN_INT and right == -1:
            raise EvaluationError("overflow", "the quotient does not fit an int of 64 bits")
        rest = abs(int(left)) % abs(int(right))
        return UInt(rest) if kind is UInt else (-rest if left < 0 else rest)
    no_overload("%", left, right)


def negate(value: Any) -> Any:
    """`-value` of an int, a double or (as Go's and ours, for `-30m`) a duration."""
    kind = type(value)
    if kind is int:
        return checked_int(-value)
    if kind is float:
        return -value
    if kind is Duration:
        return checked_duration(-value.nanos)
    no_overload("-", value)


def _over_zero(dividend: float, zero: float) -> float:
    if dividend == 0.0 or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1.0, zero)
