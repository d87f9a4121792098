"""Where values stand: the leaves of each noted record, by the value or the text they hold. Called by `words`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import Timestamp
from policy_engine.runtime.trace.log import Entry
from policy_engine.runtime.trace.provenance.dates import date_value
from policy_engine.runtime.trace.provenance.index.facts import FactBook
from policy_engine.runtime.trace.provenance.index.texts import TextIndex
from policy_engine.runtime.trace.provenance.leaves import MAX_SEEN_LEAVES, Leaf
from policy_engine.runtime.trace.provenance.scan.said import exact, parts_of
from policy_engine.runtime.trace.provenance.text import is_identifier

Kind: TypeAlias = tuple[frozenset[str], frozenset[str], bool]
"""What labels tell leaves apart by: those put on, those cleared, and whether it is the user's own."""


class Seen(NamedTuple):
    """A leaf, the entry of the log that it came with, and its number among the leaves of that record."""

    entry: Entry
    number: int
    leaf: Leaf


class Places:
    """All leaves of one value or text. `kinds` maps each kind among those that vouch to the entry where it came first."""

    __slots__ = ("kinds", "leaves")

    def __init__(self) -> None:
        self.leaves: list[Seen] = []
        self.kinds: dict[Kind, int] = {}

    def add(self, seen: Seen) -> None:
        """One more leaf. The words of failing tools vouch for nothing; only their leaves can ever go again."""
        self.leaves.append(seen)
        leaf = seen.leaf
        if leaf.source != "error":
            self.kinds.setdefault((leaf.labels, leaf.cleared, leaf.source == "user"), seen.entry.number)


class PlaceIndex:
    """Every leaf of a run."""

    def __init__(self, book: FactBook) -> None:
        self.texts = TextIndex(book)
        self._of_text: list[Places] = []
        self._of_value: dict[Any, Places] = {}
        self._count = 0

    def add(self, entry: Entry) -> None:
        """Note the leaves of a record; raises `EvaluationError` when there are too many."""
        leaves = entry.record.leaves
        self._count += len(leaves)
        if self._count > MAX_SEEN_LEAVES:
            raise EvaluationError("too_costly", f"the run holds more than {MAX_SEEN_LEAVES} values")
        for number, leaf in enumerate(leaves):
            self._of(leaf.value).add(Seen(entry, number, leaf))

    def _of(self, value: Any) -> Places:
        if isinstance(value, str):
            number = self.texts.add(value)
            if number == len(self._of_text):
                self._of_text.append(Places())
            return self._of_text[number]
        return self._of_value.setdefault(_key(value), Places())

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


def visible(places: Iterable[Places], length: int) -> Iterator[Seen]:
    """The leaves of a moment."""
    return (seen for place in places for seen in place.leaves if seen.entry.visible(length))


def kinds_at(places: Iterable[Places], length: int) -> set[Kind]:
    """The kinds of those leaves of a moment that vouch for what they hold."""
    return {kind for place in places for kind, first in place.kinds.items() if first < length}


def _key(value: Any) -> Any:
    """Equal for values that the words take for the same: numbers by value, all others by class too."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ("number", value)
    return (type(value), value)
