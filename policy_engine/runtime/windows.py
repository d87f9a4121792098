"""From what a limit says to what a counter is asked: where its window begins and ends, and what the counter is called. Pure.

A day, week (from Monday) or month begins at the first moment at which the zone's clock shows it, whatever the clock does in
that night: it may skip midnight, or show it twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, Literal as OneOf, NamedTuple, TypeAlias, assert_never

from policy_engine.base.decision import Reserve, Window
from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import Timestamp, timestamp_of
from policy_engine.runtime.ports.counters import Demand
from policy_engine.semantics.functions.time import local, zone_of

Unit: TypeAlias = OneOf["day", "week", "month"]
_QUARTER_NANOS: Final = 900 * 10**9
_SECOND: Final = timedelta(seconds=1)


class Stretch(NamedTuple):
    """A window at some moment: what was spent after `since` counts, until `until` (calendar) or for `span` (sliding).
    Nanoseconds; None as in `Demand`."""

    since: int | None
    span: int | None
    until: int | None


def stretch_of(window: Window, now: int) -> Stretch:
    """The window at `now` (nanoseconds). Raises `EvaluationError` for a zone that does not exist and beyond the year 9999."""
    match window.kind:
        case "sliding":
            return Stretch(now - window.nanos, window.nanos, None)
        case "calendar":
            begin, end = calendar(window.unit or "day", window.zone or "UTC", now)
            return Stretch(begin - 1, None, end)
        case "run" | "at_once":
            return Stretch(None, None, None)
        case _:
            assert_never(window.kind)


def calendar(unit: Unit, zone: str, now: int) -> tuple[int, int]:
    """The first nanosecond of the day, week or month in the zone, and that of the next one."""
    found = _of_the_quarter(unit, zone, now // _QUARTER_NANOS)
    return found if found[0] <= now < found[1] else _calendar(unit, zone, now)


@lru_cache(maxsize=1024)
def _of_the_quarter(unit: Unit, zone: str, quarter: int) -> tuple[int, int]:
    """Almost always that of every moment in the same quarter of an hour."""
    return _calendar(unit, zone, quarter * _QUARTER_NANOS)


def _calendar(unit: Unit, zone: str, now: int) -> tuple[int, int]:
    today = local(Timestamp(now), zone).date()
    try:
        match unit:
            case "day":
                first, after = today, today + timedelta(days=1)
            case "week":
                first = today - timedelta(days=today.weekday())
                after = first + timedelta(days=7)
            case "month":
                first = today.replace(day=1)
                after = (first + timedelta(days=31)).replace(day=1)
            case _:
                assert_never(unit)
        return _beginning(first, zone), _beginning(after, zone)
    except OverflowError:
        raise EvaluationError("overflow", "a date lies between the years 1 and 9999") from None


def _beginning(day: date, zone: str) -> int:
    """The first moment at which the zone's clock shows the day, or a later one where it skips the day."""
    midnight = datetime.combine(day, time(), zone_of(zone))
    early, late = midnight.astimezone(UTC), midnight.replace(fold=1).astimezone(UTC)
    if early > late:  # skipped: the clock springs over midnight somewhere in between
        early = _first_after(late, early, day, zone)
    return timestamp_of(early).nanos


def _first_after(before: datetime, after: datetime, day: date, zone: str) -> datetime:
    """The first second after `before`, at `after` at the latest, that is on the day or later by the zone's clock."""
    where = zone_of(zone)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if middle.astimezone(where).date() >= day:
            after = middle
        else:
            before = middle
    return after


def counter_name(
    rule: str, keys: Sequence[str], window: Window, *, root: str | None = None, scope: Sequence[str] = ()
) -> str:
    """What the counter of a rule is called; two that differ in any part have different names, whatever the parts hold.

    `rule` is its full id, `keys` as in `Reserve`, `root` the run that began the others (counted for windows of kind `run`
    only), `scope` whatever else keeps counters apart, such as the layer, or the name of a deployment.
    """
    return _named(rule, tuple(keys), window, root if window.kind == "run" else None, tuple(scope))


@lru_cache(maxsize=4096)
def _named(rule: str, keys: tuple[str, ...], window: Window, root: str | None, scope: tuple[str, ...]) -> str:
    kept = [window.kind, window.nanos, window.unit, window.zone, root]
    return json.dumps([list(scope), rule, kept, list(keys)], separators=(",", ":"))


def demand_of(reserve: Reserve, *, now: int, root: str, scope: Sequence[str] = ()) -> Demand:
    """What a decision's `Reserve` asks of the counter store at `now`; raises as `stretch_of` does."""
    stretch = stretch_of(reserve.window, now)
    return Demand(
        counter=counter_name(reserve.rule, reserve.keys, reserve.window, root=root, scope=scope),
        bound=reserve.bound, amount=reserve.amount, since=stretch.since, span=stretch.span, until=stretch.until,
        item=reserve.item, place=reserve.window.kind == "at_once",
    )  # fmt: skip
