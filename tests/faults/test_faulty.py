"""The faulty port itself: it goes wrong when it should, in the way it should, and not otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from policy_engine.runtime.ports.counters import Demand, Full
from policy_engine.stores.memory.counters import MemoryCounters
from tests.faults.faulty import Fault, Faulty, Nonsense


def _ask(counters: Any, call: str) -> Any:
    return counters.reserve(call, [Demand("one", 1.0, 1.0)], now=1, lease=1)


def test_only_the_nth_call_fails() -> None:
    """The calls before and after reach the port, which never hears of the one that failed."""
    counters = Faulty(MemoryCounters(), at=2, how="fail")
    assert counters.blocking is False and not counters.struck
    counters.refund("x", now=1)
    with pytest.raises(Fault):
        _ask(counters, "1")
    assert counters.struck and counters.calls == ["refund", "reserve"]
    assert _ask(counters, "2") is None and _ask(counters, "3") == Full(0, None)


def test_an_answer_may_get_lost() -> None:
    """The port did what was asked and nobody was told; it may go on like this."""
    counters = Faulty(MemoryCounters(), at=1, how="fail", late=True, lasting=True, only=["reserve"])
    for call in "12":
        with pytest.raises(Fault):
            _ask(counters, call)
    counters.refund("none", now=1)
    assert _ask(counters._port, "3") == Full(0, None)


def test_a_delay_comes_before_the_answer() -> None:
    """Whatever the test puts in its place."""
    waited: list[str] = []
    counters = Faulty(MemoryCounters(), at=1, how="delay", delay=lambda: waited.append("long"))
    assert _ask(counters, "1") is None and waited == ["long"]


def test_a_lie_is_nonsense_or_what_the_test_says() -> None:
    """Nonsense is an error however it is looked at; the port did nothing."""
    counters = Faulty(MemoryCounters(), at=1, how="lie")
    answer = _ask(counters, "1")
    assert isinstance(answer, Nonsense)
    for look in (bool, list, lambda value: value == 1, lambda value: value.wait, hash):
        with pytest.raises((Fault, TypeError)):
            look(answer)
    assert _ask(counters, "2") is None
    assert _ask(Faulty(MemoryCounters(), at=1, how="lie", nonsense=Full(7, -1)), "1") == Full(7, -1)
