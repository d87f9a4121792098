"""Parts of timestamps and durations, zones included. There is no `now` here: the moment of the decision is a name.

A zone is an IANA name (`Europe/Berlin`) or an offset (`+02:00`); none means UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import NANOS_PER_SECOND, Duration, Timestamp, datetime_of
from policy_engine.semantics.functions.declaration import Example, Function
from policy_engine.semantics.functions.signatures import examples, invalid, takes, typed
from policy_engine.semantics.types import DURATION, INT, STRING, TIMESTAMP

_OFFSET: Final = re.compile(r"([+-]?)([0-9]{1,2}):([0-9]{2})")
_ZONE_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]*(?:/[A-Za-z0-9_+\-]+){0,3}")


def zone_of(name: str) -> tzinfo:
    """The zone of that name or offset; raises `EvaluationError("invalid_argument")` for an unknown one."""
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        hours, minutes = int(offset[2]), int(offset[3])
        if hours > 23 or minutes > 59:
            raise invalid("an offset from UTC lies between -23:59 and +23:59")
        return timezone((-1 if offset[1] == "-" else 1) * timedelta(hours=hours, minutes=minutes))
    if name == "UTC":
        return UTC
    if len(name) <= 64 and _ZONE_NAME.fullmatch(name):
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            pass
    raise invalid("the time zone is neither a name such as `Europe/Berlin` nor an offset such as `+02:00`")


def local(moment: Timestamp, zone: str | None = None) -> datetime:
    """The clock and calendar of a zone at that moment; raises `overflow` where its year would leave 1 … 9999."""
    universal = datetime_of(Timestamp(moment.nanos // NANOS_PER_SECOND * NANOS_PER_SECOND))
    if zone is None:
        return universal
    try:
        return universal.astimezone(zone_of(zone))
    except OverflowError:
        raise EvaluationError("overflow", "a date lies between the years 1 and 9999") from None


def _milliseconds(nanos: int) -> int:
    return nanos % NANOS_PER_SECOND // 1_000_000


def _whole(duration: Duration, unit: int) -> int:
    """How many whole units a duration has, towards zero."""
    count = abs(duration.nanos) // unit
    return -count if duration.nanos < 0 else count


def _part(
    name: str, meaning: str, example: Example, read: Callable[[datetime], int], duration_unit: int | None = None
) -> Function:
    """A getter on timestamps with an optional zone, and on durations where `duration_unit` (nanoseconds) is given."""
    overloads = [takes(TIMESTAMP, to=INT), takes(TIMESTAMP, STRING, to=INT)]
    signatures: list[tuple[type, ...]] = [(Timestamp,), (Timestamp, str)]
    if duration_unit is not None:
        overloads.append(takes(DURATION, to=INT))
        signatures.append((Duration,))

    def body(value: Any, zone: str | None = None) -> int:
        if type(value) is Duration:
            return _whole(value, duration_unit or 1)
        return read(local(value, zone))

    return Function(name, tuple(overloads), meaning, (example,), typed(name, body, *signatures), method=True)


def _milliseconds_of(value: Any, zone: str | None = None) -> int:
    if zone is not None:
        zone_of(zone)
    if type(value) is Duration:
        part = _milliseconds(abs(value.nanos))
        return -part if value.nanos < 0 else part
    return _milliseconds(value.nanos)


_AT: Final = "timestamp('2026-01-31T09:30:15Z')"
FUNCTIONS: Final = (
    _part("getFullYear", "The year.", Example(f"{_AT}.getFullYear()", "2026"), lambda at: at.year),
    _part("getMonth", "The month, 0 for January.", Example(f"{_AT}.getMonth()", "0"), lambda at: at.month - 1),
    _part("getDate", "The day of the month, from 1.", Example(f"{_AT}.getDate()", "31"), lambda at: at.day),
    _part(
        "getDayOfMonth",
        "The day of the month, from 0; `getDate` counts from 1.",
        Example(f"{_AT}.getDayOfMonth()", "30"),
        lambda at: at.day - 1,
    ),
    _part(
        "getDayOfWeek",
        "The day of the week, 0 for Sunday.",
        Example(f"{_AT}.getDayOfWeek()", "6"),
        lambda at: at.isoweekday() % 7,
    ),
    _part(
        "getDayOfYear",
        "The day of the year, from 0.",
        Example(f"{_AT}.getDayOfYear()", "30"),
        lambda at: at.timetuple().tm_yday - 1,
    ),
    _part(
        "getHours",
        "The hour of the day in UTC or a zone; the whole hours of a duration.",
        Example(f"{_AT}.getHours('Asia/Tokyo')", "18"),
        lambda at: at.hour,
        3600 * NANOS_PER_SECOND,
    ),
    _part(
        "getMinutes",
        "The minute of the hour; the whole minutes of a duration.",
        Example("duration('3730s').getMinutes()", "62"),
        lambda at: at.minute,
        60 * NANOS_PER_SECOND,
    ),
    _part(
        "getSeconds",
        "The second of the minute; the whole seconds of a duration.",
        Example("duration('3730s').getSeconds()", "3730"),
        lambda at: at.second,
        NANOS_PER_SECOND,
    ),
    Function(
        "getMilliseconds",
        (takes(TIMESTAMP, to=INT), takes(TIMESTAMP, STRING, to=INT), takes(DURATION, to=INT)),
        "The milliseconds within the second, of a timestamp or a duration.",
        examples(
            ("duration('1.5s').getMilliseconds()", "500"),
        ),
        typed("getMilliseconds", _milliseconds_of, (Timestamp,), (Timestamp, str), (Duration,)),
        method=True,
    ),
)
