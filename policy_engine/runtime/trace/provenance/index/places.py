"""Where values stand: the leaves of each noted record, by the value or the text they hold. Called by `words`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import Timestamp
from policy_engine.runtime.trace.log import Entry
from policy_engine.runtime.trace.provenance.dates import date_value
from policy_engine.runtime.trace.provenance.index.facts import FactBook
from policy_engine.runtime.trace.provenance.index.suspicion import Suspicion
from policy_engine.runtime.trace.provenance.index.texts import TextIndex
from policy_engine.runtime.trace.provenance.leaves import MAX_SEEN_LEAVES, Leaf
from policy_engine.runtime.trace.provenance.scan.said import exact, parts_of
from policy_engine.runtime.trace.provenance.text import is_identifier

Kind: TypeAlias = tuple[frozenset[str], frozenset[str], bool]
"""What labels tell leaves apart by: those put on, those cleared, and whether it is the user's own."""


class Places:
    """All leaves of one value or text, each with the entry it came with: the first, and any `rest` in turn.

    The kinds among those that vouch, with the number of the entry where each came first, are `kind` and `since`, and
    any `more`.
    """

    __slots__ = ("entry", "kind", "leaf", "more", "rest", "since")

    def __init__(self, entry: Entry, leaf: Leaf) -> None:
        self.entry = entry
        self.leaf = leaf
        self.rest: list[Any] | None = None
        self.kind: Kind | None = None
        self.since = 0
        self.more: dict[Kind, int] | None = None

    def add(self, entry: Entry, leaf: Leaf) -> None:
        """One more leaf."""
        if self.rest is None:
            self.rest = [entry, leaf]
        else:
            self.rest += (entry, leaf)

    def vouches(self, kind: Kind, number: int) -> bool:
        """Note that a leaf of that kind came; whether it is the first."""
        if kind == self.kind or (self.more is not None and kind in self.more):
            return False
        if self.kind is None:
            self.kind, self.since = kind, number
        else:
            self.more = {**(self.more or {}), kind: number}
        return True

    def visible(self, length: int) -> list[tuple[Entry, Leaf]]:
        """The leaves of a moment, with their entries."""
        first = self.entry
        found = [(first, self.leaf)] if first.number < length <= first.gone else []
        if self.rest is not None:
            later = zip(self.rest[::2], self.rest[1::2], strict=True)
            found += [(entry, leaf) for entry, leaf in later if entry.number < length <= entry.gone]
        return found


class PlaceIndex:
    """Every leaf of a run."""

    def __init__(self, book: FactBook) -> None:
        self.texts = TextIndex(book)
        self._of_text: list[Places] = []
        self._of_value: dict[Any, Places] = {}
        self.suspicions: dict[Kind, Suspicion] = {}
        self._book = book
        self._count = 0

    def add(self, entry: Entry) -> None:
        """Note the leaves of a record; raises `EvaluationError` when there are too many."""
        leaves = entry.record.leaves
        self._count += len(leaves)
        if self._count > MAX_SEEN_LEAVES:
            raise EvaluationError("too_costly", f"the run holds more than {MAX_SEEN_LEAVES} values")
        for leaf in leaves:
            places = self._put(entry, leaf)
            # The words of failing tools vouch for nothing; only their leaves can ever go again.
            if leaf.source != "error":
                kind = (leaf.labels, leaf.cleared, leaf.source == "user")
                if places.vouches(kind, entry.number) and isinstance(leaf.value, str):
                    suspicion = self.suspicions.get(kind) or self.suspicions.setdefault(kind, Suspicion())
                    text = self.texts.known[leaf.value]
                    suspicion.add(leaf.value, self.texts.loose[text], entry.number)

    def _put(self, entry: Entry, leaf: Leaf) -> Places:
        if isinstance(leaf.value, str):
            number = self.texts.add(leaf.value)
            places = self._of_text[number] if number < len(self._of_text) else None
        else:
            places = self._of_value.get(_key(leaf.value))
        if places is not None:
            places.add(entry, leaf)
            return places
        places = Places(entry, leaf)
        if isinstance(leaf.value, str):
            self._of_text.append(places)
        else:
            self._of_value[_key(leaf.value)] = places
        return places

    def find(self, value: Any) -> list[Places]:
        """Where a single value was seen: as a leaf, or among the tokens of one."""
        if isinstance(value, str):
            return self.at(self.texts_with(value))
        found = self._of_value.get(_key(value))
        places = [] if found is None else [found]
        if isinstance(value, bool):
            return places
        if isinstance(value, int | float):
            number = exact(value)
            return [] if number is None else [*places, *self.at(self.texts.with_number(number))]
        if isinstance(value, Timestamp):
            return [*places, *self.at(self.texts.with_day(parts_of(value)[0], exactly=True))]
        return places

    def at(self, numbers: Iterable[int]) -> list[Places]:
        """The places of texts."""
        return [self._of_text[number] for number in numbers]

    def texts_with(self, value: str) -> Iterable[int]:
        """The texts that are the value, or have it among their tokens."""
        moment = date_value(value)
        if moment is not None:
            return self._and_itself(value, self.texts.with_day(moment[0], exactly=True))
        bare = value.strip()
        if is_identifier(bare):
            return self.texts.with_identifier(bare)
        return self._and_itself(value, self.texts.with_words(value))

    def _and_itself(self, value: str, numbers: Iterable[int]) -> Iterable[int]:
        own = self.texts.known.get(value)
        return numbers if own is None else {own, *numbers}


def visible(places: Iterable[Places], length: int) -> list[tuple[Entry, Leaf]]:
    """The leaves of a moment, with their entries."""
    return [seen for place in places for seen in place.visible(length)]


def kinds_at(places: Iterable[Places], length: int) -> set[Kind]:
    """The kinds of those leaves of a moment that vouch for what they hold."""
    found: set[Kind] = set()
    for place in places:
        if place.kind is not None and place.since < length:
            found.add(place.kind)
        if place.more is not None:
            found.update(kind for kind, first in place.more.items() if first < length)
    return found


def _key(value: Any) -> Any:
    """Equal for values that the words take for the same: numbers by value, all others by class too."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ("number", value)
    return (type(value), value)
