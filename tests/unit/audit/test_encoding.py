"""What is kept of a value is the value, whatever CEL or Python type it has."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
from hypothesis import given, strategies as st

from policy_engine import Agent, Approval, Principal, Recorded
from policy_engine.audit.encoding import Unreadable, encoded, from_json, written
from policy_engine.base.values import MAX_UINT, Duration, Optional, Timestamp, TypeValue, UInt

KEYS = st.text(max_size=5) | st.sampled_from(["$int", "$", "null"]) | st.integers() | st.booleans()
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8)
    | st.characters(categories=["Cs"]) | st.binary(max_size=8) | st.builds(UInt, st.integers(0, MAX_UINT))
    | st.builds(Timestamp, st.integers(-(2**62), 2**62)) | st.builds(Duration, st.integers(-(2**70), 2**70))
    | st.just(TypeValue("int")) | st.datetimes(timezones=st.just(UTC) | st.just(timezone(timedelta(hours=2))))
    | st.timedeltas()
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)
    | st.builds(Optional, st.just(True), inner) | st.just(Optional(False)),
    max_leaves=12,
)  # fmt: skip


def same(one: Any, other: Any) -> bool:
    """Equal in kind and value: 1, 1.0 and true are three values, -0.0 is not 0.0, NaN is NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or (one == other and math.copysign(1, one) == math.copysign(1, other))
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        pairs = sorted(one.items(), key=lambda pair: repr(pair[0])), sorted(other.items(), key=lambda pair: repr(pair[0]))
        return len(one) == len(other) and all(same(a[0], b[0]) and same(a[1], b[1]) for a, b in zip(*pairs, strict=True))
    if isinstance(one, Optional):
        return one.present == other.present and same(one.value, other.value)
    return bool(one == other)


@given(VALUES)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    """Encoded, read as JSON and decoded, it is the same in every kind."""
    assert same(from_json(orjson.loads(encoded(value)[1])), value)


@given(st.dictionaries(KEYS, st.integers(0, 9) | st.text(max_size=4), max_size=5))
def test_the_order_of_keys_is_kept(value: dict[Any, Any]) -> None:
    """Conditions may see it; and what is read and written again has the same bytes."""
    data = encoded(value)[1]
    assert list(from_json(orjson.loads(data))) == list(value)
    assert written(orjson.loads(data)) == data


def test_what_the_engine_gave_and_took_comes_back() -> None:
    """Approvals, recordings, principals and agents."""
    expires = datetime(2026, 1, 30, 17, 30, 0, 123456, tzinfo=UTC)
    for value in (
        Approval(rule="r", queue="q", digest="d", expires=expires, approver={"id": "u"}, answer="refused", id="a"),
        Recorded("f", (1, [2.0]), UInt(3)), Recorded("f", (), None, "failed"), Principal(id="u", since=expires), Agent(id="a"),
    ):  # fmt: skip
        back = from_json(orjson.loads(encoded(value)[1]))
        if isinstance(value, Recorded):
            back = Recorded(back.function, tuple(back.args), back.value, back.error)
        assert back == value and type(back) is type(value)


def test_an_object_of_the_host_is_told_as_unreadable() -> None:
    """A record is kept also of what nobody can keep."""
    class Own:
        pass

    assert from_json(orjson.loads(encoded({"x": Own()})[1])) == {"x": Unreadable("Own")}


def test_a_circle_ends() -> None:
    """A list that holds itself is told as too deep."""
    circle: list[Any] = []
    circle.append(circle)
    assert b"too deep" in encoded(circle)[1]
