"""Dates and times of day in text: ISO (`2022-04-01`) or with a month's name (`April 1st`), never `03/04`.

Used by `said` and `origins`. Omitted parts are None. Month names that are also English words (`may`, `march`,
`august`) and abbreviations count on their own only where they can be nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

_NAMES: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTHS: Final = {
    **{name: number for number, name in enumerate(_NAMES, 1)},
    **{name[:3]: number for number, name in enumerate(_NAMES, 1)},
    "sept": 9,
}
_DOUBTFUL_ALONE: Final = frozenset({"may", "march", "august"}) | {name[:3] for name in _NAMES} | {"sept"}
_BEFORE_A_MONTH: Final = frozenset(
    (
        "in", "of", "for", "by", "until", "till", "since", "this", "next", "last", "every", "each", "from", "to",
        "before", "after", "during", "mid", "early", "late",
    )
)  # fmt: skip
_VERBS: Final = frozenset({"may", "march"})
_MONTH: Final = "|".join(sorted(_MONTHS, key=len, reverse=True))
_EDGE: Final = r"(?<![\w@/.:-])"
_END: Final = r"(?![\w@/-]|[.:]\w)"
_ISO: Final = re.compile(
    _EDGE + r"(?P<y>[0-9]{4})-(?P<m>[0-9]{2})(?:-(?P<d>[0-9]{2})(?:[Tt][0-9:.]+(?:[Zz]|[+-][0-9:]+)?)?)?" + _END
)
_DAY: Final = r"(?P<d>[0-9]{1,2})(?:st|nd|rd|th)?"
_YEAR: Final = r"(?P<y>[0-9]{4})"
_NAMED: Final = (
    re.compile(
        _EDGE + _DAY + rf"(?:\s+of)?[\s]+(?P<m>{_MONTH})\b\.?(?:,?\s+{_YEAR}(?![\w:]))?(?!\w)", re.IGNORECASE | re.ASCII
    ),
    re.compile(
        _EDGE + rf"(?P<m>{_MONTH})\.?\s+(?:the\s+)?{_DAY}(?!\w|[.,:/-]\d)(?:,?\s+{_YEAR}(?![\w:]))?(?!\w)",
        re.IGNORECASE | re.ASCII,
    ),
    re.compile(_EDGE + rf"(?P<m>{_MONTH})\.?,?\s+{_YEAR}(?![\w.,:/-]\d|\w)", re.IGNORECASE | re.ASCII),
    re.compile(_EDGE + rf"(?P<m>{_MONTH}){_END}", re.IGNORECASE | re.ASCII),
)
_DAY_BEFORE: Final = re.compile(_EDGE + _DAY + r"\Z", re.IGNORECASE | re.ASCII)
_ENDS_OF_DAYS: Final = frozenset("0123456789tdhTDH")
_AFTER_A_DAY: Final = re.compile(
    rf"(?P<m>{_MONTH})\b\.?(?:,?\s+{_YEAR}(?![\w:]))?(?!\w)", re.IGNORECASE | re.ASCII
)  # fmt: skip
_NO_EDGE: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
_MAY_DATE: Final = re.compile(
    r"jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|[0-9]{4}-[0-9]{2}", re.IGNORECASE | re.ASCII
)
_UNBROKEN: Final = re.compile(r"[\w@/.:-]*", re.ASCII)
DIGITS: Final = frozenset("0123456789")
"""Every value that is a date, plainly or not, begins with one of these."""
_SPACES: Final = " \t\n\r\f\v"
BEGINNINGS: Final = frozenset(name[:3] for name in _NAMES)
"""How the names of months begin."""
_MONTH_OR_DAY: Final = re.compile(r"-[0-9]{2}")
_YEAR_DIGITS: Final = 4
_YEAR_AND_MONTH: Final = re.compile(r"[0-9]{4}-[0-9]{2}")
_WORD_BEFORE: Final = re.compile(r"(\w+)\s+\Z")
_CLOCK: Final = re.compile(
    r"(?:(?<=[Tt ])|(?<![\w.:/-]))(?P<h>[0-9]{1,2})(?::(?P<min>[0-9]{2})(?::(?P<s>[0-9]{2})(?:\.[0-9]+)?)?)?"
    r"\s*(?P<half>[ap]\.?m\b)?(?P<zone>[Zz]|[+-][0-9]{2}:?[0-9]{2})?(?![\w/-]|[.:]\d)",
    re.IGNORECASE | re.ASCII,
)
_VALUE: Final = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Tt ](?P<clock>[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?"
    r"(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?))?"
)
_AMBIGUOUS: Final = re.compile(r"[0-9]{1,2}/[0-9]{1,2}|[0-9]{1,2}([/.-])[0-9]{1,2}\1([0-9]{4}|[0-9]{2})")


class Date(NamedTuple):
    """A date as written; None = the part is omitted."""

    year: int | None
    month: int
    day: int | None

    def admits(self, other: Date) -> bool:
        """Whether `other` fits: the parts given here are the same there."""
        return (
            self.month == other.month
            and self.year in (None, other.year)
            and (self.day is None or self.day == other.day)
        )


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day. `zone` is as written (`Z`, `+02:00`), None = not said."""

    hour: int
    minute: int
    second: int
    zone: str | None

    def admits(self, other: Clock) -> bool:
        """Whether it is the same time; a zone that either omits matches any."""
        same = (self.hour, self.minute, self.second) == (other.hour, other.minute, other.second)
        return same and (self.zone is None or other.zone is None or self.zone == other.zone)


def date_value(text: str) -> tuple[Date, Clock | None] | None:
    """The date, and time of day, that a whole string is in ISO form; None for anything else."""
    match = _VALUE.fullmatch(text) if text[4:5] == "-" else None
    if match is None:
        return None
    try:
        day = date.fromisoformat(match["date"])
    except ValueError:
        return None
    clock = next(iter(clocks_in(match["clock"])), None) if match["clock"] else None
    return (Date(day.year, day.month, day.day), clock) if clock or not match["clock"] else None


def is_ambiguous(text: str) -> bool:
    """Whether a string is a date that reads differently in different countries: `03/04`, `3.4.2022`."""
    return _AMBIGUOUS.fullmatch(text) is not None


def dates_in(text: str) -> Iterator[Date]:
    """Every date that a text names."""
    yield from iso_dates(text)
    yield from named_dates(text)


def iso_dates(text: str) -> Iterator[Date]:
    """The dates in ISO form."""
    for match in _ISO.finditer(text):
        yield from _valid(match["y"], int(match["m"]), match["d"])


def named_dates(text: str) -> Iterator[Date]:
    """The dates with a month's name."""
    taken: set[int] = set()
    for pattern in _NAMED:
        for match in pattern.finditer(text):
            start = match.start("m")
            if start in taken:  # a month is a whole word: two that overlap are one
                continue
            parts = match.groupdict()
            if pattern is _NAMED[-1] and not _means_a_month(match["m"], text[max(0, start - 16) : start]):
                continue
            if match["m"] in _VERBS and not parts.get("y"):
                continue
            taken.add(start)
            yield from _valid(parts.get("y"), _MONTHS[match["m"].lower()], parts.get("d"))


def dates_of_long(text: str, beginnings: Iterable[str] = BEGINNINGS) -> Iterator[Date]:
    """The same dates as `dates_in`, found faster in long text: dates are looked for only where one may begin.

    `beginnings` are those of the months that its tokens may name.
    """
    for match in _MONTH_OR_DAY.finditer(text):
        iso = _ISO.match(text, match.start() - _YEAR_DIGITS) if match.start() >= _YEAR_DIGITS else None
        if iso is not None:
            yield from _valid(iso["y"], int(iso["m"]), iso["d"])
    lowered = text.lower()
    if len(lowered) != len(text):
        yield from named_dates(text)
        return
    for beginning in beginnings:
        start = lowered.find(beginning)
        while start >= 0:
            if start == 0 or lowered[start - 1] not in _NO_EDGE:
                yield from _date_around(text, start)
            start = lowered.find(beginning, start + 3)


def _date_around(text: str, start: int) -> Iterator[Date]:
    """The date whose month begins there, by the first of the patterns that takes it for one."""
    before = _day_before(text, start)
    for pattern in (*((_AFTER_A_DAY,) if before else ()), *_NAMED[1:]):
        match = pattern.match(text, start)
        parts = match.groupdict() if match is not None else {}
        name, year = parts.get("m", ""), parts.get("y")
        if not name or (name in _VERBS and not year):
            continue
        if pattern is _NAMED[-1] and not _means_a_month(name, text[max(0, start - 16) : start]):
            continue
        yield from _valid(year, _MONTHS[name.lower()], before if pattern is _AFTER_A_DAY else parts.get("d"))
        return


def _day_before(text: str, start: int) -> str | None:
    """The day of the month that is named before what begins there: `3 `, `3rd of `."""
    stop = _unspaced(text, start)
    if stop == start or not stop:
        return None
    if text[max(0, stop - 2) : stop].lower() == "of" and (earlier := _unspaced(text, stop - 2)) < stop - 2:
        stop = earlier
    if text[stop - 1 : stop] not in _ENDS_OF_DAYS:
        return None
    match = _DAY_BEFORE.search(text, max(0, stop - 4), stop)
    return None if match is None else match["d"]


def _unspaced(text: str, stop: int) -> int:
    while stop and text[stop - 1] in _SPACES:
        stop -= 1
    return stop


def may_date(token: str) -> bool:
    """Whether a date may stand around a token (what has no white space in it); every date has such a token."""
    if _UNBROKEN.fullmatch(token) is None:
        return _MAY_DATE.search(token) is not None
    if token[:3].lower() in BEGINNINGS:
        return True
    return "-" in token and _YEAR_AND_MONTH.search(token) is not None


def months_begun(token: str) -> tuple[str, ...]:
    """The beginnings of months in a token: a text names no month but those that its tokens tell of."""
    low = token.lower()
    return tuple(beginning for beginning in BEGINNINGS if beginning in low)


def dated_among(tokens: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The tokens around which a date may stand, with the months begun in each; sooner than a look at each token."""
    together = " ".join(tokens).lower()
    begun = [beginning for beginning in BEGINNINGS if beginning in together]
    if begun or "-" in together:
        for token in tokens:
            low = token.lower()
            if ("-" in low or any(beginning in low for beginning in begun)) and may_date(token):
                yield token, months_begun(token)


def clocks_in(text: str) -> Iterator[Clock]:
    """Every time of day that a text names: `10:30`, `10am`, the time of an ISO moment."""
    for match in _CLOCK.finditer(text):
        half = (match["half"] or "")[:1].lower()
        if match["min"] is None and not half:
            continue
        hour = int(match["h"])
        if half:
            if not 1 <= hour <= 12:
                continue
            hour = hour % 12 + (12 if half == "p" else 0)
        minute, second = int(match["min"] or 0), int(match["s"] or 0)
        if hour < 24 and minute < 60 and second < 60:
            zone = match["zone"]
            yield Clock(hour, minute, second, zone.upper().replace(":", "") if zone else None)


def _means_a_month(name: str, before: str) -> bool:
    """Whether a month's name on its own can be nothing else: not «you may», not «dec»."""
    if name.lower() not in _DOUBTFUL_ALONE:
        return True
    word = _WORD_BEFORE.search(before)
    return name[0].isupper() and word is not None and word[1].lower() in _BEFORE_A_MONTH


def _valid(year: str | None, month: int, day: str | None) -> Iterator[Date]:
    try:
        date(int(year) if year else 2000, month, int(day) if day else 1)
    except ValueError:
        return
    yield Date(int(year) if year else None, month, int(day) if day else None)
