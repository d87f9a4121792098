"""Whatever is asked of them in whatever order, the real counter stores answer as the stupid twin does, waits included."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from policy_engine.runtime.ports.counters import CounterStore, Demand
from policy_engine.stores.memory.counters import MemoryCounters
from policy_engine.stores.sqlite.counters import SqliteCounters
from policy_engine.stores.sqlite.database import Database
from tests.contracts.counter_twin import Twin

CASES = int(os.environ.get("POLICY_CASES", "0"))
START = 10**18
UNIT = 10**9
KINDS = ("slide", "slide-too", "calendar", "run", "place", "item-slide", "item-run")


def _demand(kind: str, now: int, amount: float, bound: float, item: str) -> Demand:
    match kind:
        case "slide" | "slide-too":
            return Demand(kind, bound, amount, now - 10 * UNIT, 10 * UNIT)
        case "calendar":
            begin = now // (20 * UNIT) * (20 * UNIT)
            return Demand(kind, bound, amount, begin - 1, None, begin + 20 * UNIT)
        case "run":
            return Demand(kind, bound, amount)
        case "place":
            return Demand(kind, bound, 1.0, place=True)
        case "item-slide":
            return Demand(kind, bound, 1.0, now - 10 * UNIT, 10 * UNIT, item=item)
        case _:
            return Demand(kind, bound, 1.0, item=item)


class Comparison:
    """Asks the twin and the store the same."""

    def __init__(self, store: CounterStore, kinds: list[str]) -> None:
        self.twin, self.store, self.now, self.kinds, self.told = Twin(), store, START, kinds, 0

    def _both(self, method: str, *args: Any, **named: Any) -> Any:
        answers = [getattr(store, method)(*args, **named) for store in (self.twin, self.store)]
        assert answers[0] == answers[1]
        return answers[0]

    def reserve(self, call: str, chosen: int, amount: float, bound: float, item: str, beyond: frozenset[int]) -> None:
        kinds = [kind for index, kind in enumerate(self.kinds) if chosen >> index & 1]
        demands = [_demand(kind, self.now, amount, bound, item) for kind in kinds]
        full = self._both("reserve", call, demands, now=self.now, lease=UNIT, beyond=beyond)
        self.told = self.told if full is None or full.wait is None else full.wait

    def hold(self, call: str, within: int) -> None:
        self._both("hold", call, until=self.now + within * UNIT, now=self.now)

    def commit(self, call: str, amount: float | None) -> None:
        self._both("commit", call, {} if amount is None else {self.kinds[0]: amount}, now=self.now)

    def refund(self, call: str) -> None:
        self._both("refund", call, now=self.now)

    def forget(self, number: int) -> None:
        self._both("forget", self.kinds[number : number + 1])

    def pass_time(self, step: int) -> None:
        self.now += step

    def wait_as_told(self, less: int) -> None:
        self.now, self.told = self.now + self.told - less, 0


CALLS = st.sampled_from([f"call-{number}" for number in range(6)])
AMOUNTS = st.sampled_from([0.1, 0.2, 0.3, 1.0, 1.0, 2.0, 1e-9])
STEPS = st.sampled_from([1, UNIT, 3 * UNIT, 10 * UNIT, 10 * UNIT, 25 * UNIT, -UNIT, -12 * UNIT])
BEYOND = st.sampled_from([frozenset(), frozenset(), frozenset({0}), frozenset({0, 1})])
RESERVE = st.tuples(
    st.just("reserve"), CALLS, st.integers(1, 7), AMOUNTS, st.sampled_from([0.3, 1.0, 2.0, 4.0]), st.sampled_from("xy"), BEYOND,
)  # fmt: skip
PROGRAMS = st.lists(
    st.one_of(
        RESERVE, RESERVE, RESERVE, st.tuples(st.just("hold"), CALLS, st.integers(-1, 15)),
        st.tuples(st.just("commit"), CALLS, st.none() | AMOUNTS), st.tuples(st.just("commit"), CALLS, st.none()),
        st.tuples(st.just("refund"), CALLS), st.tuples(st.just("forget"), st.integers(0, 19)),
        st.tuples(st.just("pass_time"), STEPS), st.tuples(st.just("wait_as_told"), st.sampled_from([0, 0, 1])),
    ),
    min_size=1, max_size=60,
)  # fmt: skip
CHOSEN = st.lists(st.sampled_from(KINDS), min_size=1, max_size=3, unique=True)


def _play(store: CounterStore, kinds: list[str], program: list[Any]) -> None:
    comparison = Comparison(store, kinds)
    for method, *args in program:
        getattr(comparison, method)(*args)


def _drawn(dice: random.Random) -> list[Any]:
    """A long program, drawn without Hypothesis: a hundred times as fast, and nothing is made small."""
    calls, amounts = [f"call-{number}" for number in range(6)], [0.1, 0.2, 0.3, 1.0, 1.0, 2.0, 1e-9]
    beyond = [frozenset[int]()] * 5 + [frozenset({0}), frozenset({0, 1})]
    steps = [1, UNIT, 3 * UNIT, 10 * UNIT, 25 * UNIT, -UNIT, -12 * UNIT]

    def step() -> tuple[Any, ...]:
        call = dice.choice(calls)
        choices: list[tuple[Any, ...]] = [
            ("reserve", call, dice.randint(1, 7), dice.choice(amounts), dice.choice([0.3, 1.0, 2.0, 4.0]), dice.choice("xy"),
             dice.choice(beyond)),
            ("hold", call, dice.randint(-1, 15)), ("commit", call, dice.choice([None, None, *amounts])), ("refund", call),
            ("forget", dice.randint(0, 29)), ("pass_time", dice.choice(steps)), ("wait_as_told", dice.choice([0, 0, 1])),
        ]  # fmt: skip
        return dice.choices(choices, weights=[5, 1, 3, 1, 1, 3, 1])[0]

    return [step() for _ in range(300)]


class _Temporary(SqliteCounters):
    """In a folder of its own, gone with it; writes less than a file that must outlive the machine."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        super().__init__(Database(Path(self._folder.name) / "state.db"))


STORES = [pytest.param(MemoryCounters, 4, id="memory"), pytest.param(_Temporary, 1, id="sqlite")]


@pytest.mark.parametrize(("make", "share"), STORES)
def test_a_store_answers_as_the_twin_does(make: Callable[[], CounterStore], share: int) -> None:
    """Reservations, holds, commits, refunds, late and repeated, over all kinds of windows, with a clock that also goes back."""

    @settings(max_examples=max(100 * share, CASES // 100), deadline=None, suppress_health_check=list(HealthCheck))
    @given(CHOSEN, PROGRAMS)
    def compare(kinds: list[str], program: list[Any]) -> None:
        _play(make(), kinds, program)

    compare()


@pytest.mark.parametrize(("make", "share"), STORES)
def test_a_store_answers_as_the_twin_does_for_long(make: Callable[[], CounterStore], share: int) -> None:
    """Hundreds of steps, so that what one leaves behind meets what a much later one needs."""
    for seed in range(max(50 * share, CASES // 1000)):
        dice = random.Random(seed)
        kinds = dice.sample(KINDS, dice.randint(1, 3))
        program = _drawn(dice)
        try:
            _play(make(), kinds, program)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, kinds {kinds}") from error
