"""`origins(x)`: where a value was seen, at leaf and token level, never as a part of something longer.

`matcher` is the comparison that `labels` and `pointed` use too: prepared once a value, asked once a leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from policy_engine.base.values import Optional, Timestamp
from policy_engine.runtime.trace.provenance.dates import Date, date_value
from policy_engine.runtime.trace.provenance.leaves import Leaf
from policy_engine.runtime.trace.provenance.scan.said import exact, parts_of
from policy_engine.runtime.trace.provenance.text import is_identifier
from policy_engine.runtime.trace.provenance.tokens import Text

Matcher: TypeAlias = Callable[[Leaf], bool]


def origins(value: Any, leaves: Sequence[Leaf]) -> list[Leaf]:
    """The leaves where a value was seen. A list or map was seen only if all its elements were; null and `""` never."""
    parts = parts_of_value(value)
    found: set[Leaf] = set()
    for part in parts:
        holds = matcher(part)
        seen = [leaf for leaf in leaves if holds(leaf)]
        if not seen:
            return []
        if len(parts) == 1:
            return seen
        found.update(seen)
    return [leaf for leaf in leaves if leaf in found]


def parts_of_value(value: Any) -> list[Any]:
    """The single values in a value, without what says nothing (null, absent, empty text)."""
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, Optional):
        return parts_of_value(value.value) if value.present else []
    if isinstance(value, list):
        return [part for item in value for part in parts_of_value(item)]
    if isinstance(value, dict):
        return [part for item in value.values() for part in parts_of_value(item)]
    return [] if value is None else [value]


def matcher(value: Any) -> Matcher:
    """Tells whether a leaf is the single value, or is a text with the value among its tokens."""
    if isinstance(value, bool):
        return lambda leaf: leaf.value is value
    if isinstance(value, int | float):
        return _number_matcher(value)
    if isinstance(value, Timestamp):
        day, _ = parts_of(value)
        return lambda leaf: leaf.value == value or _names_day(leaf.text, day)
    if isinstance(value, str):
        return _text_matcher(value)
    return lambda leaf: type(leaf.value) is type(value) and bool(leaf.value == value)


def _number_matcher(value: int | float) -> Matcher:
    number = exact(value)

    def holds(leaf: Leaf) -> bool:
        if leaf.text is not None:
            return number in leaf.text.numbers
        seen = leaf.value
        return isinstance(seen, int | float) and not isinstance(seen, bool) and seen == value

    return holds if number is not None else _nowhere


def _text_matcher(value: str) -> Matcher:
    moment = date_value(value)
    if moment is not None:
        day = moment[0]
        return lambda leaf: leaf.value == value or _names_day(leaf.text, day)
    bare = value.strip()
    if is_identifier(bare):
        return lambda leaf: leaf.text is not None and bare in leaf.text.identifiers
    words = Text(value).words
    return lambda leaf: leaf.value == value or (leaf.text is not None and leaf.text.holds_words(words))


def _names_day(text: Text | None, day: Date) -> bool:
    """Whether the text names this very day; a month alone is no place where a day was seen."""
    return text is not None and any(named.day is not None and named.admits(day) for named in text.dates)


def _nowhere(leaf: Leaf) -> bool:
    return False
