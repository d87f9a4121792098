"""Where values stand: the leaves of each noted record, by the value or the text they hold. Called by `words`.

Leaves are numbers, in the order they came; different values and different texts have numbers too. What the leaves of
one value say about labels is kept as the few kinds there are of them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import chain, count
from typing import Any, Final, TypeAlias

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import Timestamp
from policy_engine.runtime.trace.calls import CallRecord, InputRecord
from policy_engine.runtime.trace.log import Entry
from policy_engine.runtime.trace.provenance.dates import DIGITS, date_value
from policy_engine.runtime.trace.provenance.index.lexicon import GAP, Lexicon
from policy_engine.runtime.trace.provenance.index.suspicion import Suspicions
from policy_engine.runtime.trace.provenance.index.texts import TextIndex
from policy_engine.runtime.trace.provenance.index.walk import Labels, Walk
from policy_engine.runtime.trace.provenance.leaves import MAX_SEEN_LEAVES, opened
from policy_engine.runtime.trace.provenance.scan.said import exact, parts_of
from policy_engine.runtime.trace.provenance.text import is_identifier

Kind: TypeAlias = tuple[frozenset[str], frozenset[str], bool]
"""What labels tell leaves apart by: those put on, those cleared, and whether it is the user's own."""
_VOUCHES_NOT: Final = -1
_NUMBERS: Final = frozenset((int, float))


class Leaves:
    """The leaves of each different value, and their kinds, each with the number of the entry where it came first."""

    __slots__ = ("first", "kind", "more", "rest", "since")

    def __init__(self) -> None:
        self.first: list[int] = []
        self.rest: dict[int, list[int]] = {}
        self.kind: list[int] = []
        self.since: list[int] = []
        self.more: dict[int, dict[int, int]] = {}

    def begin(self, leaves: list[int], kinds: list[int], since: int) -> None:
        """The first leaves of values that are numbered next."""
        self.first += leaves
        self.kind += kinds
        self.since += [since] * len(leaves)

    def add(self, number: int, leaf: int, kind: int, since: int) -> bool:
        """One more leaf of a value; whether it is the first of a kind that vouches."""
        if number == len(self.first):
            self.first.append(leaf)
            self.kind.append(kind)
            self.since.append(since)
            return kind != _VOUCHES_NOT
        self.rest.setdefault(number, []).append(leaf)
        held = self.kind[number]
        if kind in (held, _VOUCHES_NOT):
            return False
        if held == _VOUCHES_NOT:
            self.kind[number], self.since[number] = kind, since
            return True
        more = self.more.setdefault(number, {})
        if kind in more:
            return False
        more[kind] = since
        return True

    def kinds_at(self, numbers: Sequence[int], length: int, found: set[int]) -> None:
        """Add the kinds of the leaves of a moment that these values have."""
        kinds, since, more = self.kind, self.since, self.more
        for number in numbers:
            if since[number] < length:
                found.add(kinds[number])
                if number in more:
                    found.update(kind for kind, first in more[number].items() if first < length)


class PlaceIndex:
    """Every leaf of a run."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.texts = TextIndex(lexicon)
        self.kinds: list[Kind] = []
        self.suspicions = Suspicions(lexicon)
        self._kind_numbers: dict[Kind, int] = {}
        self._text_leaves = Leaves()
        self._value_leaves = Leaves()
        self._values: dict[Any, int] = {}
        self._walk = Walk()
        self._entries: list[Entry] = []
        self._starts: list[int] = []

    # ------------------------------------------------------------------ noting
    def add(self, entry: Entry) -> None:
        """Note the leaves of a record; raises `EvaluationError` when there are too many."""
        record, walk = entry.record, self._walk
        first = len(walk.steps)
        if not isinstance(record, CallRecord):
            source = "input" if record.own_words is None else "user"
            walk.through(record.fields.get("text"), "input.text", record.labels)
        elif record.outcome == "returned":
            source = "result"
            walk.through(opened(record.result), "result", record.labels)
        else:
            source = "error"
            walk.through(opened(record.error) if record.error else None, "error", record.labels)
        if len(walk.steps) > MAX_SEEN_LEAVES:
            raise EvaluationError("too_costly", f"the run holds more than {MAX_SEEN_LEAVES} values")
        self._entries.append(entry)
        self._starts.append(first)
        if walk.values:
            self._note(first, walk.values, self._kinds_of(walk.labels, source), entry.number)
        walk.values, walk.labels = [], []

    def _note(self, first: int, coming: list[Any], kinds: list[int], now: int) -> None:
        texts, values, known = self.texts, self._values, self.texts.known
        before = coming_next = len(texts.texts)
        fresh = [
            text for text in dict.fromkeys([value for value in coming if isinstance(value, str)]) if text not in known
        ]
        tokens = texts.add(fresh) if fresh else []
        leaves: list[int] = []
        their_kinds: list[int] = []
        again: list[tuple[int, int, int]] = []
        for leaf, value, kind in zip(count(first), coming, kinds, strict=False):
            if not isinstance(value, str):
                key = ("number", value) if type(value) in _NUMBERS else _key(value)
                self._value_leaves.add(values.setdefault(key, len(values)), leaf, kind, now)
            elif (number := known[value]) == coming_next:
                coming_next += 1
                leaves.append(leaf)
                their_kinds.append(kind)
            else:
                again.append((number, leaf, kind))
        self._text_leaves.begin(leaves, their_kinds, now)
        vouching: dict[int, list[int]] = {}
        for number, kind in enumerate(their_kinds, before):
            if kind != _VOUCHES_NOT:
                vouching.setdefault(kind, []).append(number)
        for number, leaf, kind in again:
            if self._text_leaves.add(number, leaf, kind, now):
                vouching.setdefault(kind, []).append(number)
        for kind, numbers in vouching.items():
            marked = chain.from_iterable(map(texts.marked.__getitem__, numbers))
            all_new = len(numbers) == len(fresh) and min(numbers) >= before
            its_tokens = tokens if all_new else chain.from_iterable((*texts.texts[one].split(), GAP) for one in numbers)
            self.suspicions.add(its_tokens, marked, kind, now)

    def _kinds_of(self, labels: list[Labels], source: str) -> list[int]:
        """The kinds of the leaves of one record, of which many have the very same labels."""
        kinds: list[int] = []
        last, kind = None, _VOUCHES_NOT
        for one in labels:
            if one is not last:
                last, kind = one, self._kind_of(one, source)
            kinds.append(kind)
        return kinds

    def _kind_of(self, labels: Labels, source: str) -> int:
        if source == "error":  # the words of failing tools vouch for nothing
            return _VOUCHES_NOT
        on, off = labels
        kind = on, off - on, source == "user"
        number = self._kind_numbers.setdefault(kind, len(self.kinds))
        if number == len(self.kinds):
            self.kinds.append(kind)
            self.suspicions.add_kind()
        return number

    # ------------------------------------------------------------------ looking up
    def seen(self, value: Any, length: int) -> list[tuple[int, Entry]]:
        """The leaves of a moment where a single value stands, alone or among the tokens of one, with their entries."""
        if isinstance(value, str):
            numbers = self._texts_with(value)
            return self._visible(self._text_leaves, numbers, length) if numbers else []
        return [one for leaves, numbers in self._holding(value) for one in self._visible(leaves, numbers, length)]

    def _visible(self, leaves: Leaves, numbers: Sequence[int], length: int) -> list[tuple[int, Entry]]:
        found: list[tuple[int, Entry]] = []
        first, rest, starts, entries = leaves.first, leaves.rest, self._starts, self._entries
        for number in numbers:
            leaf = first[number]
            entry = entries[bisect_right(starts, leaf) - 1]
            if entry.number < length <= entry.gone:
                found.append((leaf, entry))
            if number in rest:
                for leaf in rest[number]:
                    entry = entries[bisect_right(starts, leaf) - 1]
                    if entry.number < length <= entry.gone:
                        found.append((leaf, entry))
        return found

    def kinds_seen(self, value: Any, length: int) -> set[int]:
        """The kinds of those leaves, as far as they vouch for what they hold."""
        found: set[int] = set()
        if isinstance(value, str):
            if numbers := self._texts_with(value):
                self._text_leaves.kinds_at(numbers, length, found)
        else:
            for leaves, numbers in self._holding(value):
                leaves.kinds_at(numbers, length, found)
        found.discard(_VOUCHES_NOT)
        return found

    def origin(self, leaf: int, entry: Entry) -> dict[str, Any]:
        """The record that `origins` gives."""
        record = entry.record
        path = self._walk.path(leaf)
        if isinstance(record, InputRecord):
            return {"source": "input" if record.own_words is None else "user", "tool": "", "path": path, "call": ""}
        source = "result" if record.outcome == "returned" else "error"
        return {"source": source, "tool": record.tool, "path": path, "call": record.id}

    def _holding(self, value: Any) -> list[tuple[Leaves, Sequence[int]]]:
        """The values, and the texts, that are the single value or hold it."""
        if isinstance(value, str):
            return [(self._text_leaves, self._texts_with(value))]
        own = self._values.get(_key(value))
        numbers: Sequence[int] = ()
        if isinstance(value, Timestamp):
            numbers = self.texts.with_day(parts_of(value)[0], exactly=True)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            number = exact(value)
            if number is None:
                return []
            numbers = self.texts.with_number(number)
        return [(self._text_leaves, numbers), (self._value_leaves, () if own is None else (own,))]

    def _texts_with(self, value: str) -> Sequence[int]:
        """The texts that are the value, or have it among their tokens."""
        if self.texts.is_token(value):
            return self.texts.with_identifier(value)
        bare = value.strip()
        if bare[:1] in DIGITS and (moment := date_value(value)) is not None:
            return self._and_itself(value, self.texts.with_day(moment[0], exactly=True))
        if is_identifier(bare):
            return self.texts.with_identifier(bare)
        return self._and_itself(value, self.texts.with_words(value))

    def _and_itself(self, value: str, numbers: Sequence[int]) -> Sequence[int]:
        own = self.texts.known.get(value)
        return numbers if own is None else sorted({own, *numbers})


def _key(value: Any) -> Any:
    """Equal for values that the words take for the same: numbers by value, all others by class too."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return ("number", value)
    return (type(value), value)
