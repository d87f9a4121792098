"""`said(x)`: whether the user's own words contain the value, matched by its type."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from policy_engine.base.values import Optional, Timestamp, datetime_of
from policy_engine.runtime.trace.provenance.dates import Clock, Date, date_value, is_ambiguous
from policy_engine.runtime.trace.provenance.text import is_identifier
from policy_engine.runtime.trace.provenance.tokens import Text


def said(value: Any, texts: Sequence[Text]) -> bool:
    """Null, absent and empty text count as said; a list or map if all its elements are.

    A map needs its keys to be said as well, because nobody declared them.
    """
    if isinstance(value, Optional):
        return not value.present or said(value.value, texts)
    if value is None or value == "":
        return True
    if isinstance(value, list):
        return all(said(item, texts) for item in value)
    if isinstance(value, dict):
        return all(said(key, texts) and said(item, texts) for key, item in value.items())
    return any(mentions(text, value) for text in texts)


def mentions(text: Text, value: Any) -> bool:
    """Whether a text contains a single value, by the value's type."""
    if isinstance(value, bool):
        return text.holds_word("true" if value else "false")
    if isinstance(value, int | float):
        number = exact(value)
        return number is not None and number in text.numbers
    if isinstance(value, Timestamp):
        return names_date(text, *parts_of(value))
    if isinstance(value, str):
        return _mentions_text(text, value)
    return False


def _mentions_text(text: Text, value: str) -> bool:
    if is_ambiguous(value.strip()):
        return False
    moment = date_value(value)
    if moment is not None:
        return names_date(text, *moment)
    bare = value.strip()
    if is_identifier(bare):
        return bare in text.identifiers
    return text.holds_words(Text(value).words)


def names_date(text: Text, day: Date, clock: Clock | None) -> bool:
    """Whether the text names this day, and this time of day unless it names none at all."""
    if not any(named.admits(day) for named in text.dates):
        return False
    return clock is None or not text.clocks or any(named.admits(clock) for named in text.clocks)


def parts_of(moment: Timestamp) -> tuple[Date, Clock]:
    """Day and time of day of a moment, in UTC."""
    at = datetime_of(moment)
    return Date(at.year, at.month, at.day), Clock(at.hour, at.minute, at.second, "Z")


def exact(value: int | float) -> Decimal | None:
    """The number without rounding, as it is written; None for what is no number."""
    if isinstance(value, float):
        number = Decimal(repr(float(value)))
        return number if number.is_finite() else None
    return Decimal(int(value))
