"""Laws of the operators that hold for any values at all."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given, settings, strategies as st

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import (
    MAX_INT,
    MAX_TIMESTAMP_NANOS,
    MAX_UINT,
    MIN_INT,
    MIN_TIMESTAMP_NANOS,
    Duration,
    Optional,
    Timestamp,
    TypeValue,
    UInt,
)
from policy_engine.semantics import operations
from policy_engine.semantics.functions.catalogue import FUNCTIONS
from policy_engine.semantics.functions.network import read_cidr, read_ip

EDGES = [0, 1, -1, 2**53, 2**53 + 1, -(2**53) - 1, MAX_INT, MIN_INT, MAX_INT - 1]
INTS = st.one_of(st.sampled_from(EDGES), st.integers(MIN_INT, MAX_INT), st.integers(-20, 20))
UINTS = st.one_of(st.sampled_from([0, 1, 2**53 + 1, 2**63, MAX_UINT]), st.integers(0, MAX_UINT)).map(UInt)
DOUBLES = st.one_of(st.floats(), st.integers(-20, 20).map(float), st.sampled_from([2.0**53, 2.0**63, 2.0**64, -0.0]))
NUMBERS = st.one_of(INTS, UINTS, DOUBLES)
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["", "%s", "%d %.2f", "UTC", "+02:00", "Europe/Berlin", "10.0.0.0/8", "::1", "1h30m", "2026-01-31T09:30:00Z",
         "(", "a+", "\ud800", "7", "-7", "NaN", "Mon-Fri 09:00-18:00", "aGVsbG8"]
    ),
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), NUMBERS, TEXTS, st.binary(max_size=8),
    st.integers(MIN_TIMESTAMP_NANOS, MAX_TIMESTAMP_NANOS).map(Timestamp), INTS.map(Duration),
    st.sampled_from([TypeValue("int"), TypeValue("string"), Optional(False), read_ip("10.0.0.1"), read_cidr("10.0.0.0/8")]),
)  # fmt: skip
KEYS = st.one_of(st.booleans(), INTS, UINTS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(KEYS, inner, max_size=4),
        inner.map(lambda value: Optional(True, value)),
    ),
    max_leaves=8,
)
BINARY = (
    operations.add, operations.subtract, operations.multiply, operations.divide, operations.remainder,
    operations.equals, operations.less, operations.less_equal, operations.greater, operations.greater_equal,
    operations.contains, operations.index, operations.optional_index,
)  # fmt: skip


def _is_engine_value(value: Any) -> bool:
    operations.type_name(value)
    match value:
        case bool():
            return True
        case UInt():
            return 0 <= value <= MAX_UINT
        case int():
            return MIN_INT <= value <= MAX_INT
        case Timestamp():
            return MIN_TIMESTAMP_NANOS <= value.nanos <= MAX_TIMESTAMP_NANOS
        case Duration():
            return MIN_INT <= value.nanos <= MAX_INT
        case _:
            return True


@pytest.mark.parametrize("operation", BINARY, ids=lambda operation: operation.__name__)
@settings(max_examples=150, deadline=None)
@given(left=VALUES, right=VALUES)
def test_any_two_values_give_a_value_or_an_evaluation_error(operation: Any, left: Any, right: Any) -> None:
    """No operator raises anything but `EvaluationError`, and what it returns is a value of the engine, in range."""
    try:
        answer = operation(left, right)
    except EvaluationError:
        return
    assert _is_engine_value(answer)


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f.body and not f.needs_context], ids=lambda f: f.name)
@settings(max_examples=60, deadline=None)
@given(arguments=st.one_of(st.lists(VALUES, max_size=4), st.lists(st.one_of(TEXTS, INTS), min_size=1, max_size=4)))
def test_any_arguments_give_a_value_or_an_evaluation_error(function: Any, arguments: list[Any]) -> None:
    """No function raises anything but `EvaluationError`, whatever and however many its arguments are."""
    try:
        answer = function.body(*arguments)
    except EvaluationError:
        return
    assert _is_engine_value(answer)


@given(left=VALUES, right=VALUES)
def test_equality_is_symmetric(left: Any, right: Any) -> None:
    """`a == b` and `b == a` are one answer."""
    assert operations.equals(left, right) == operations.equals(right, left)


@given(left=NUMBERS, right=NUMBERS)
def test_numbers_are_less_equal_or_greater(left: Any, right: Any) -> None:
    """Of any two numbers that are no NaN exactly one of `<`, `==`, `>` holds, whatever their types."""
    assume(not (isinstance(left, float) and math.isnan(left)) and not (isinstance(right, float) and math.isnan(right)))
    less, equal, greater = (
        operations.less(left, right), operations.equals(left, right), operations.greater(left, right),
    )  # fmt: skip
    assert less + equal + greater == 1
    assert operations.less_equal(left, right) == (less or equal)
    assert operations.greater_equal(left, right) == (greater or equal)


@given(number=NUMBERS)
def test_nan_has_no_order(number: Any) -> None:
    """NaN is neither equal to, less nor greater than any number."""
    for compare in (
        operations.equals,
        operations.less,
        operations.less_equal,
        operations.greater,
        operations.greater_equal,
    ):
        assert not compare(math.nan, number)
        assert not compare(number, math.nan)


@given(dividend=INTS, divisor=INTS)
def test_quotient_and_remainder_make_up_the_dividend(dividend: int, divisor: int) -> None:
    """`a / b * b + a % b == a`, and the remainder has the sign of the dividend."""
    assume(divisor != 0 and (dividend, divisor) != (MIN_INT, -1))
    quotient, rest = operations.divide(dividend, divisor), operations.remainder(dividend, divisor)
    assert quotient * divisor + rest == dividend
    assert rest == 0 or (rest < 0) == (dividend < 0)


@given(left=INTS, right=INTS)
def test_integers_never_wrap_around(left: int, right: int) -> None:
    """A sum, difference or product is the mathematical one or an overflow."""
    for operation, exact in (
        (operations.add, left + right),
        (operations.subtract, left - right),
        (operations.multiply, left * right),
    ):
        if MIN_INT <= exact <= MAX_INT:
            assert operation(left, right) == exact
        else:
            with pytest.raises(EvaluationError, match="does not fit"):
                operation(left, right)


@given(flag=st.booleans(), number=NUMBERS)
def test_a_bool_is_no_number(flag: bool, number: Any) -> None:
    """`true` equals no number, is found under no number, and does not compare with one."""
    assert not operations.equals(flag, number)
    assert not operations.contains(flag, [number])
    with pytest.raises(EvaluationError):
        operations.less(flag, number)
    if type(number) is not float:
        assert not operations.contains(flag, {number: 1})


@pytest.mark.parametrize("operation", BINARY, ids=lambda operation: operation.__name__)
@given(secret=st.integers(10**9, 10**12), other=VALUES)
def test_messages_show_no_values(operation: Any, secret: int, other: Any) -> None:
    """No message of an operation that fails repeats what it was given."""
    for left, right in ((str(secret), other), (other, str(secret)), (secret, other), (other, secret)):
        try:
            operation(left, right)
        except EvaluationError as problem:
            assert str(secret) not in problem.message
