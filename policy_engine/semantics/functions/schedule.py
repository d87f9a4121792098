"""The calendar and clock of an office: `now.date(tz)`, `now.during("Mon-Fri 09:00-18:00", tz)`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from policy_engine.base.values import Timestamp
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.signatures import examples, invalid, takes, typed
from policy_engine.semantics.functions.time import local
from policy_engine.semantics.types import BOOL, STRING, TIMESTAMP

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY: Final = "(?:" + "|".join(_DAYS) + ")"
_HOURS: Final = re.compile(
    rf"(?:({_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)*) )?([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])"
)


@lru_cache(maxsize=256)
def _read(hours: str) -> tuple[frozenset[int], int, int]:
    """The days (Monday = 0) and the minutes of a day between which it is open."""
    match = _HOURS.fullmatch(hours) if len(hours) <= 100 else None
    if match is None:
        raise invalid('opening hours are written like "Mon-Fri 09:00-18:00"')
    opens, closes = int(match[2]) * 60 + int(match[3]), int(match[4]) * 60 + int(match[5])
    if opens >= closes or closes > 24 * 60:
        raise invalid("opening hours end after they begin, on the same day: split what goes past midnight")
    days: set[int] = set()
    for part in (match[1] or "Mon-Sun").split(","):
        first, _, last = part.partition("-")
        start = _DAYS.index(first)
        length = (_DAYS.index(last or first) - start) % 7
        days.update((start + step) % 7 for step in range(length + 1))
    return frozenset(days), opens, closes


def during(moment: Timestamp, hours: str, zone: str = "UTC") -> bool:
    """Whether the zone's clock shows one of these hours: from the first minute, up to the last, not included."""
    days, opens, closes = _read(hours)
    at = local(moment, zone)
    return at.weekday() in days and opens <= at.hour * 60 + at.minute < closes


def date_in(moment: Timestamp, zone: str = "UTC") -> str:
    """The date in a zone, as `2026-01-31`."""
    return local(moment, zone).date().isoformat()


_AT: Final = "timestamp('2026-01-30T17:30:00Z')"
FUNCTIONS: Final = (
    Function(
        "during",
        (takes(TIMESTAMP, STRING, to=BOOL), takes(TIMESTAMP, STRING, STRING, to=BOOL)),
        'Whether the clock of a zone (UTC if none is named) shows these hours: `"Mon-Fri 09:00-18:00"`, '
        '`"Sat,Sun 10:00-14:00"`, `"00:00-06:00"` for every day. The last minute is not included.',
        examples(
            (f"{_AT}.during('Mon-Fri 09:00-18:00', 'UTC')", "true"),
            (f"{_AT}.during('Mon-Fri 09:00-18:00', 'Europe/Berlin')", "false"),
        ),
        typed("during", during, (Timestamp, str), (Timestamp, str, str)),
        method=True,
        cost=5,
        source="policy language",
    ),
    Function(
        "date",
        (takes(TIMESTAMP, to=STRING), takes(TIMESTAMP, STRING, to=STRING)),
        "The date in a zone (UTC if none is named), as `2026-01-31`.",
        examples(
            (f"{_AT}.date('Asia/Tokyo')", "'2026-01-31'"),
        ),
        typed("date", date_in, (Timestamp,), (Timestamp, str)),
        method=True,
        cost=5,
        source="policy language",
    ),
)
