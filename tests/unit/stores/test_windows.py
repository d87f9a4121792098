"""Where windows begin and end, in zones whose clocks do strange things, and that names of counters never meet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from policy_engine.base.decision import Reserve, Window
from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import MAX_TIMESTAMP_NANOS
from policy_engine.runtime.windows import Stretch, calendar, counter_name, demand_of, stretch_of

HOUR = 3600 * 10**9
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/Havana", "Asia/Beirut", "Asia/Kathmandu",
    "Australia/Lord_Howe", "Pacific/Apia", "Africa/Cairo", "America/Godthab", "+05:30", "-11:45",
)  # fmt: skip
UNITS = ("day", "week", "month")


def _nanos(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def _shown(nanos: int, zone: str, unit: str) -> tuple[int, ...]:
    """What the clock of a zone shows, as far as the unit goes: two moments of one window show the same."""
    where = UTC if zone == "UTC" else ZoneInfo(zone) if "/" in zone else datetime.fromisoformat(f"2000-01-01T00:00{zone}").tzinfo
    day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanos // 1000)).astimezone(where).date()
    return {"day": (day.toordinal(),), "week": day.isocalendar()[:2], "month": (day.year, day.month)}[unit]


@given(
    st.sampled_from(ZONES), st.sampled_from(UNITS),
    st.datetimes(datetime(1990, 1, 1), datetime(2037, 12, 1), timezones=st.just(UTC)),
)  # fmt: skip
def test_a_calendar_window_is_what_the_clock_shows(zone: str, unit: str, moment: datetime) -> None:
    """All its quarters of an hour show the same day, week or month, and the moments around it show others."""
    now = _nanos(moment)
    begin, end = calendar(unit, zone, now)  # type: ignore[arg-type]
    assert begin <= now < end
    shown = _shown(now, zone, unit)
    assert _shown(begin, zone, unit) == shown == _shown(end - 1000, zone, unit)
    assert _shown(begin - 1000, zone, unit) != shown != _shown(end, zone, unit)
    step = HOUR // 4 if unit == "day" else 6 * HOUR
    assert all(_shown(walked, zone, unit) == shown for walked in range(begin, end, step))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", datetime(2026, 3, 29, 12), 23), ("Europe/Berlin", datetime(2026, 10, 25, 12), 25),
        ("America/Sao_Paulo", datetime(2018, 11, 4, 12), 23), ("America/Havana", datetime(2020, 11, 1, 12), 25),
        ("Pacific/Apia", datetime(2011, 12, 29, 12), 24), ("Australia/Lord_Howe", datetime(2026, 4, 5, 0), 24.5),
    ],
)  # fmt: skip
def test_days_are_as_long_as_they_are(zone: str, day: datetime, hours: float) -> None:
    """Also where midnight is skipped (São Paulo), shown twice (Havana), or a whole day is left out (Apia)."""
    begin, end = calendar("day", zone, _nanos(day.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)))
    assert (end - begin) / HOUR == hours


def test_windows_become_what_counters_are_asked() -> None:
    """A moment that is exactly as old as a sliding window has left it; the first of a calendar window counts."""
    now = 10 * HOUR
    assert stretch_of(Window("sliding", nanos=HOUR), now) == Stretch(9 * HOUR, HOUR, None)
    assert stretch_of(Window("calendar", unit="day"), now) == Stretch(-1, None, 24 * HOUR)
    assert stretch_of(Window("run"), now) == stretch_of(Window("at_once"), now) == Stretch(None, None, None)
    demand = demand_of(Reserve("p/r", 2.0, ("text:u1",), 5.0, Window("at_once"), item="x"), now=now, root="1")
    assert (demand.place, demand.amount, demand.bound, demand.item, demand.since) == (True, 2.0, 5.0, "x", None)


def test_what_has_no_window_is_an_error() -> None:
    """A zone that does not exist, and the end of time: the limit refuses."""
    with pytest.raises(EvaluationError) as unknown:
        stretch_of(Window("calendar", unit="day", zone="Mars/Olympus"), 0)
    with pytest.raises(EvaluationError) as late:
        stretch_of(Window("calendar", unit="day", zone="UTC"), MAX_TIMESTAMP_NANOS)
    assert (unknown.value.kind, late.value.kind) == ("invalid_argument", "overflow")


TEXTS = st.text(st.sampled_from('ab",[]\\:\ud800é '), max_size=4)
WINDOWS = st.sampled_from(
    [Window("run"), Window("at_once"), Window("sliding", nanos=1), Window("sliding", nanos=2), Window("calendar", unit="day")]
)
PARTS = st.tuples(TEXTS, st.lists(TEXTS, max_size=3).map(tuple), WINDOWS, TEXTS, st.lists(TEXTS, max_size=2).map(tuple))


@given(PARTS, PARTS)
def test_names_meet_only_where_all_parts_do(first: tuple, second: tuple) -> None:  # type: ignore[type-arg]
    """Whatever rules, keys and scopes hold; the root of a run matters to windows over a run only."""

    def name(parts: tuple) -> str:  # type: ignore[type-arg]
        return counter_name(parts[0], parts[1], parts[2], root=parts[3], scope=parts[4])

    def told(parts: tuple) -> tuple:  # type: ignore[type-arg]
        return (*parts[:3], parts[3] if parts[2].kind == "run" else None, parts[4])

    assert (name(first) == name(second)) == (told(first) == told(second))
    assert name(first) == name(tuple(first))
