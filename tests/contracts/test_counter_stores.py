"""What every counter store promises, one fact a test, against each of them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from policy_engine.runtime.ports.counters import Admission, CounterStore, Demand, Full
from policy_engine.stores.memory.counters import MemoryCounters
from policy_engine.stores.sqlite.counters import SqliteCounters
from policy_engine.stores.sqlite.database import Database

SECOND = 10**9
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
START = 20_000 * DAY


@pytest.fixture(params=["memory", "sqlite"])
def counters(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CounterStore]:
    """An empty store of each kind."""
    if request.param == "memory":
        yield MemoryCounters()
        return
    database = Database(tmp_path / "state.db")
    yield SqliteCounters(database)
    database.close()


def a_minute(now: int, bound: float = 2.0, amount: float = 1.0, item: str | None = None, counter: str = "rate") -> Demand:
    """So much within a sliding minute."""
    return Demand(counter, bound, amount, now - MINUTE, MINUTE, item=item)


def today(now: int, bound: float = 2.0, amount: float = 1.0) -> Demand:
    """So much in a day of the calendar (UTC)."""
    begin = now // DAY * DAY
    return Demand("daily", bound, amount, begin - 1, None, begin + DAY)


def place(bound: float = 2.0) -> Demand:
    """So many at once."""
    return Demand("at once", bound, 1.0, place=True)


def ask(
    counters: CounterStore, call: str, *demands: Demand, now: int = START, beyond: Sequence[int] = ()
) -> Full | None:
    """Reserve."""
    return counters.reserve(call, demands, now=now, lease=MINUTE, beyond=frozenset(beyond))


def test_the_last_place_returns_when_the_oldest_call_leaves_the_window(counters: CounterStore) -> None:
    """Two calls a minute are allowed; the third is refused with the exact wait, and admitted when the first is a minute old."""
    for second in (0, 10):
        now = START + second * SECOND
        assert ask(counters, f"call {second}", a_minute(now), now=now) is None
        counters.commit(f"call {second}", {}, now=now)
    now = START + 20 * SECOND
    assert ask(counters, "third", a_minute(now), now=now) == Full(0, 40 * SECOND)
    almost = START + MINUTE - 1
    assert ask(counters, "third", a_minute(almost), now=almost) == Full(0, 1)
    assert ask(counters, "third", a_minute(almost + 1), now=almost + 1) is None


def test_a_calendar_day_ends_at_its_end(counters: CounterStore) -> None:
    """The wait is until the window ends; then all of it is there again."""
    evening = START + DAY - MINUTE
    for number in range(2):
        assert ask(counters, str(number), today(evening), now=evening) is None
        counters.commit(str(number), {}, now=evening)
    assert ask(counters, "2", today(evening), now=evening) == Full(0, MINUTE)
    midnight = START + DAY
    assert ask(counters, "2", today(midnight), now=midnight) is None
    assert ask(counters, "3", today(midnight), now=midnight) is None


def test_what_runs_counts_before_it_has_run(counters: CounterStore) -> None:
    """Calls at the same time cannot burst through; nobody knows when the others end."""
    assert [ask(counters, str(number), a_minute(START)) for number in range(3)] == [None, None, Full(0, None)]


def test_a_refund_leaves_no_trace(counters: CounterStore) -> None:
    """The whole bound is free again, also after amounts that doubles cannot add."""
    ask(counters, "1", a_minute(START, 0.3, 0.1))
    for number in range(100):
        assert ask(counters, f"x{number}", a_minute(START, 0.3, 0.2)) is None
        counters.refund(f"x{number}", now=START)
    assert ask(counters, "2", a_minute(START, 0.3, 0.2)) is None


def test_three_tenths_are_three_tenths(counters: CounterStore) -> None:
    """Amounts are the numbers that people write: ten of 0.1 reach 1.0, and nothing more fits."""
    for number in range(10):
        assert ask(counters, str(number), Demand("spend", 1.0, 0.1)) is None
    assert ask(counters, "more", Demand("spend", 1.0, 5e-324)) == Full(0, None)
    assert ask(counters, "nothing", Demand("spend", 1.0, 0.0)) is None


@pytest.mark.parametrize("amount", [-1.0, -5e-324, float("nan"), float("inf")])
def test_what_cannot_be_counted_is_an_error(counters: CounterStore, amount: float) -> None:
    """And nothing is held: a negative amount would make room for others."""
    with pytest.raises(ValueError, match="amount"):
        ask(counters, "1", place(1.0), a_minute(START, amount=amount))
    ask(counters, "2", a_minute(START))
    with pytest.raises(ValueError, match="amount"):
        counters.commit("2", {"rate": amount}, now=START)
    with pytest.raises(ValueError, match="bound"):
        ask(counters, "3", Demand("rate", float("nan"), 1.0))
    assert ask(counters, "4", place(1.0)) is None


def test_the_actual_amount_is_what_counts_in_the_end(counters: CounterStore) -> None:
    """Less makes room, more takes it although it passes the bound; a counter that is not named keeps what was held."""
    ask(counters, "1", a_minute(START, 10, 8), Demand("other", 10, 8))
    counters.commit("1", {"rate": 1.5}, now=START)
    assert ask(counters, "2", Demand("other", 10, 3)) == Full(0, None)
    assert ask(counters, "2", a_minute(START, 10, 8.5)) is None
    counters.commit("2", {"rate": 20.0}, now=START)
    assert ask(counters, "3", a_minute(START, 10, 1e-9)) == Full(0, MINUTE)


def test_all_or_nothing(counters: CounterStore) -> None:
    """Where the second demand does not fit, the first is not held either; the answer says which one it was."""
    assert ask(counters, "1", place(1.0)) is None
    assert ask(counters, "2", a_minute(START, 1.0), place(1.0)) == Full(1, None)
    assert ask(counters, "3", a_minute(START, 1.0)) is None


def test_beyond_is_counted(counters: CounterStore) -> None:
    """A person said so: it passes, and the others see it."""
    ask(counters, "1", a_minute(START, 1.0))
    assert ask(counters, "2", a_minute(START, 1.0), beyond=[0]) is None
    counters.refund("1", now=START)
    assert ask(counters, "3", a_minute(START, 1.0)) == Full(0, None)


def test_the_same_call_counts_once(counters: CounterStore) -> None:
    """However often it is asked, also for another amount, and after it has run."""
    for amount in (1.0, 2.0, 2.0):
        assert ask(counters, "1", a_minute(START, amount=amount)) is None
    counters.commit("1", {}, now=START)
    assert ask(counters, "1", a_minute(START, amount=1.0)) is None
    assert ask(counters, "2", a_minute(START)) is None


def test_a_call_that_is_refused_keeps_what_it_had(counters: CounterStore) -> None:
    """Nothing new is held, and what was held or spent before stays."""
    ask(counters, "1", a_minute(START))
    assert ask(counters, "1", a_minute(START, amount=3.0)) == Full(0, None)
    assert ask(counters, "2", a_minute(START, amount=2.0)) == Full(0, None)


def test_what_ran_stays_spent_when_a_second_attempt_is_refunded(counters: CounterStore) -> None:
    """The first attempt ran, the second provably did not: the first still counts, from its own moment."""
    ask(counters, "1", a_minute(START, 1.0))
    counters.commit("1", {}, now=START)
    later = START + 30 * SECOND
    assert ask(counters, "1", a_minute(later, 1.0), now=later) is None
    counters.refund("1", now=later)
    assert ask(counters, "2", a_minute(later, 1.0), now=later) == Full(0, 30 * SECOND)


def test_places_are_free_while_a_person_thinks(counters: CounterStore) -> None:
    """Amounts stay held, until the time to answer is over."""
    ask(counters, "1", a_minute(START, 1.0), place(1.0))
    counters.hold("1", until=START + 10 * SECOND, now=START)
    assert ask(counters, "2", place(1.0)) is None
    assert ask(counters, "3", a_minute(START, 1.0)) == Full(0, 10 * SECOND)
    now = START + 10 * SECOND
    assert ask(counters, "3", a_minute(now, 1.0), now=now) is None


def test_a_late_commit_counts(counters: CounterStore) -> None:
    """It ran although it had been given back: the truth counts, even past the bound."""
    ask(counters, "1", a_minute(START, 1.0))
    counters.hold("1", until=START + SECOND, now=START)
    now = START + 2 * SECOND
    assert ask(counters, "2", a_minute(now, 1.0), now=now) is None
    counters.commit("1", {}, now=now)
    counters.refund("2", now=now)
    assert ask(counters, "3", a_minute(now, 1.0), now=now) == Full(0, 58 * SECOND)


def test_ending_twice_is_ending_once(counters: CounterStore) -> None:
    """What was told first stays; who is not known is nobody."""
    ask(counters, "1", a_minute(START, 3.0), place())
    for _ in range(2):
        counters.commit("1", {"rate": 2.0}, now=START)
        counters.commit("1", {"rate": 3.0}, now=START)
        counters.refund("1", now=START)
        counters.hold("1", until=START, now=START)
        counters.refund("nobody", now=START)
    assert ask(counters, "2", a_minute(START, 3.0)) is None
    assert ask(counters, "3", a_minute(START, 3.0)) == Full(0, MINUTE)


def test_an_item_counts_once(counters: CounterStore) -> None:
    """Two payees a minute: the same one again takes nothing; it is free once no call holds it."""
    assert ask(counters, "1", a_minute(START, item="x")) is None
    assert ask(counters, "2", a_minute(START, item="x")) is None
    assert ask(counters, "3", a_minute(START, item="y")) is None
    assert ask(counters, "4", a_minute(START, item="z")) == Full(0, None)
    counters.refund("1", now=START)
    assert ask(counters, "4", a_minute(START, item="z")) == Full(0, None)
    counters.refund("2", now=START)
    assert ask(counters, "4", a_minute(START, item="z")) is None


def test_an_item_stays_until_its_last_call_leaves(counters: CounterStore) -> None:
    """The wait is that of the later one."""
    for second in (0, 20):
        now = START + second * SECOND
        ask(counters, str(second), a_minute(now, 1.0, item="x"), now=now)
        counters.commit(str(second), {}, now=now)
    now = START + 30 * SECOND
    assert ask(counters, "y", a_minute(now, 1.0, item="y"), now=now) == Full(0, 50 * SECOND)


def test_counters_with_other_names_never_meet(counters: CounterStore) -> None:
    """Also where names are long, odd or nearly the same."""
    names = ["", "a", "A", "a ", "é", "e\u0301", "\ud800", "x" * 10_000, "x" * 10_001, '["a"]']
    assert [ask(counters, str(at), a_minute(START, 1.0, counter=name)) for at, name in enumerate(names)] == [None] * 10
    again = [ask(counters, f"again {at}", a_minute(START, 1.0, counter=name)) for at, name in enumerate(names)]
    assert again == [Full(0, None)] * 10


def test_a_clock_that_goes_back_makes_no_room(counters: CounterStore) -> None:
    """What was spent a moment ago counts, whenever it seems to have been; an hour back it still does."""
    ask(counters, "1", a_minute(START, 1.0))
    counters.commit("1", {}, now=START)
    for back in (1, MINUTE, 60 * MINUTE):
        now = START - back
        assert ask(counters, "2", a_minute(now, 1.0), now=now) == Full(0, MINUTE + back)


def test_forgotten_counters_are_empty(counters: CounterStore) -> None:
    """A run has ended; its calls are nobody's any more, and others stay."""
    ask(counters, "1", Demand("run", 1.0, 1.0), a_minute(START, 1.0))
    counters.forget(["run", "unknown"])
    counters.commit("1", {"run": 1.0}, now=START)
    assert ask(counters, "2", Demand("run", 1.0, 1.0)) is None
    assert ask(counters, "3", a_minute(START, 1.0)) == Full(0, MINUTE)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.floats(0, 1e12, allow_subnormal=True), min_size=1, max_size=30), st.floats(0, 1e13), st.randoms())
def test_what_was_admitted_never_passes_the_bound(
    counters: CounterStore, amounts: list[float], bound: float, dice: random.Random
) -> None:
    """By exact arithmetic on the numbers as written; what is refused would have passed it."""
    counters.forget(["sum"])
    total = Fraction(0)
    for number, amount in enumerate(amounts):
        fits = total + Fraction(repr(amount)) <= Fraction(repr(bound))
        assert (ask(counters, f"{dice.random()} {number}", Demand("sum", bound, amount)) is None) == fits
        total += Fraction(repr(amount)) if fits else 0


def test_threads_admit_exactly_the_limit(counters: CounterStore) -> None:
    """Sixteen at once ask for more than there is; what is refunded is given to others."""
    def one(number: int) -> int:
        if ask(counters, str(number), Demand("joint", 40.0, 1.0), place(1000.0)) is not None:
            return 0
        if number % 3 == 0:
            counters.refund(str(number), now=START)
            return 0
        counters.commit(str(number), {}, now=START)
        return 1

    with ThreadPoolExecutor(16) as threads:
        spent = sum(threads.map(one, range(300)))
        spent += sum(threads.map(one, range(301, 600, 3)))
    assert spent == 40
    assert ask(counters, "more", Demand("joint", 40.0, 1.0)) == Full(0, None)
    assert ask(counters, "place", place(1.0)) is None


def test_a_breaker_opens_probes_and_closes(counters: CounterStore) -> None:
    """Three failures within a minute open it; after ten seconds one call is a probe; its success closes and forgets."""
    def admit(call: str, second: int) -> Admission:
        return counters.admit("crm", call, now=START + second * SECOND, probe_after=10 * SECOND, lease=5 * SECOND)

    def report(call: str, failed: bool | None, second: int) -> str:
        return counters.report("crm", call, failed, now=START + second * SECOND, failures=3, within=MINUTE)

    assert admit("1", 0) == Admission("closed")
    assert [report("1", True, 0), report("1", None, 0), report("1", False, 0), report("2", True, 59)] == ["closed"] * 4
    assert [report("3", True, 60), report("4", True, 61)] == ["closed", "open"], "the first failure is a minute old"
    assert admit("5", 65) == Admission("open", 6 * SECOND)
    assert report("late", False, 66) == "open", "it began before"
    assert admit("6", 71) == Admission("probe") == admit("6", 71)
    assert admit("7", 72) == Admission("open", 4 * SECOND)
    assert report("6", True, 73) == "open"
    assert admit("8", 82) == Admission("open", SECOND) and admit("8", 83) == Admission("probe")
    assert report("8", None, 84) == "open" and admit("9", 84) == Admission("probe")
    assert admit("10", 88) == Admission("open", SECOND) and admit("10", 89) == Admission("probe"), "its lease has passed"
    assert report("10", False, 90) == "closed"
    assert [report("11", True, 90), report("12", True, 90)] == ["closed"] * 2 and admit("13", 90) == Admission("closed")


def test_breakers_do_not_know_each_other(counters: CounterStore) -> None:
    """One that is open leaves the others closed, and a clock that goes back does not keep it open for longer."""
    counters.report("a", "1", True, now=START, failures=1, within=MINUTE)
    assert counters.admit("b", "2", now=START, probe_after=SECOND, lease=SECOND) == Admission("closed")
    early = START - DAY
    assert counters.admit("a", "2", now=early, probe_after=SECOND, lease=SECOND) == Admission("open", SECOND)
    assert counters.admit("a", "2", now=early + SECOND, probe_after=SECOND, lease=SECOND) == Admission("probe")


def test_counters_that_nobody_asks_go(counters: CounterStore) -> None:
    """Keys of customers who came once: after their window and a day of grace the store is as small as before."""
    for number in range(200):
        ask(counters, str(number), a_minute(START, counter=f"customer {number}"))
        counters.commit(str(number), {}, now=START)
    now = START + 4 * DAY
    for _ in range(64 * 60):
        ask(counters, "same", a_minute(now, 5000.0), now=now)
    assert _size(counters) <= 3


def _size(counters: CounterStore) -> int:
    if isinstance(counters, MemoryCounters):
        return len(counters._counters) + len(counters._calls)
    assert isinstance(counters, SqliteCounters)
    with counters._database.read() as connection:
        rows = "SELECT (SELECT count(*) FROM counters) + (SELECT count(*) FROM calls)"
        return int(connection.execute(rows).fetchone()[0])
