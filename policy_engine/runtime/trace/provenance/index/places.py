"""Where values stand: the leaves of each noted record, by the value or the text they hold. Called by `words`.

Leaves are numbers, in the order they came; different values and different texts have numbers too. What the leaves of
one value say about labels is kept as the few kinds there are of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, count
from typing import Any, Final, TypeAlias

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import Timestamp
from policy_engine.runtime.trace.calls import CallRecord
from policy_engine.runtime.trace.log import Entry
from policy_engine.runtime.trace.provenance.dates import DIGITS, date_value
from policy_engine.runtime.trace.provenance.index.kinds import VOUCHES_NOT, Leaves
from policy_engine.runtime.trace.provenance.index.lexicon import GAP, Lexicon
from policy_engine.runtime.trace.provenance.index.suspicion import Suspicions
from policy_engine.runtime.trace.provenance.index.texts import Numbers, TextIndex
from policy_engine.runtime.trace.provenance.index.walk import Labels, Walk
from policy_engine.runtime.trace.provenance.leaves import MAX_SEEN_LEAVES, opened
from policy_engine.runtime.trace.provenance.scan.said import exact, parts_of
from policy_engine.runtime.trace.provenance.text import is_identifier

Kind: TypeAlias = tuple[frozenset[str], frozenset[str], bool]
"""What labels tell leaves apart by: those put on, those cleared, and whether it is the user's own."""
_NUMBERS: Final = frozenset((int, float))


class PlaceIndex:
    """Every leaf of a run. `entries` are those of the leaves, by number."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.texts = TextIndex(lexicon)
        self.kinds: list[Kind] = []
        self.suspicions = Suspicions(lexicon)
        self._kind_numbers: dict[Kind, int] = {}
        self._text_leaves = Leaves()
        self._value_leaves = Leaves()
        self._values: dict[Any, int] = {}
        self._walk = Walk()
        self.entries: list[Entry] = []

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
        if walk.values:
            self.entries += [entry] * len(walk.values)
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
            if kind != VOUCHES_NOT:
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
        last, kind = None, VOUCHES_NOT
        for one in labels:
            if one is not last:
                last, kind = one, self._kind_of(one, source)
            kinds.append(kind)
        return kinds

    def _kind_of(self, labels: Labels, source: str) -> int:
        if source == "error":  # the words of failing tools vouch for nothing
            return VOUCHES_NOT
        on, off = labels
        kind = on, off - on, source == "user"
        number = self._kind_numbers.setdefault(kind, len(self.kinds))
        if number == len(self.kinds):
            self.kinds.append(kind)
            self.suspicions.add_kind()
        return number

    # ------------------------------------------------------------------ looking up
    def seen(self, value: Any, length: int) -> list[int]:
        """The leaves of a moment where a single value stands, alone or among the tokens of one."""
        leaves = self._text_leaves
        if not isinstance(value, str):
            return [leaf for leaves, numbers in self._holding(value) for leaf in self._visible(leaves, numbers, length)]
        numbers = self.texts.with_plain_identifier(value)
        if numbers is None:
            numbers = self._texts_with(value)
        elif isinstance(numbers, int):
            if numbers not in leaves.rest:  # one place, as most have
                leaf = leaves.first[numbers]
                entry = self.entries[leaf]
                return [leaf] if entry.number < length <= entry.gone else []
            numbers = (numbers,)
        return self._visible(leaves, numbers, length) if numbers else []

    def seen_all(self, parts: Iterable[Any], length: int) -> list[int]:
        """The leaves where the parts of a value stand; none unless each stands somewhere."""
        found: set[int] = set()
        for part in parts:
            leaves = self.seen(part, length)
            if not leaves:
                return []
            found.update(leaves)
        return list(found)

    def _visible(self, leaves: Leaves, numbers: Sequence[int], length: int) -> list[int]:
        first, rest, entries = leaves.first, leaves.rest, self.entries
        found: list[int] = []
        for number in numbers:
            entry = entries[first[number]]
            if entry.number < length <= entry.gone:
                found.append(first[number])
            if number in rest:
                found += [leaf for leaf in rest[number] if entries[leaf].number < length <= entries[leaf].gone]
        return found

    def kinds_seen(self, value: Any, length: int) -> set[int]:
        """The kinds of those leaves, as far as they vouch for what they hold."""
        if isinstance(value, str):
            return self.kinds_at(self._texts_with(value), length)
        found: set[int] = set()
        for leaves, numbers in self._holding(value):
            leaves.kinds_at(numbers, length, found)
        found.discard(VOUCHES_NOT)
        return found

    def kinds_at(self, numbers: Numbers, length: int) -> set[int]:
        """The same for the leaves that are one of these texts."""
        found: set[int] = set()
        leaves = self._text_leaves
        if isinstance(numbers, int):
            if numbers in leaves.more:
                leaves.kinds_at((numbers,), length, found)
            elif leaves.since[numbers] < length:
                found.add(leaves.kind[numbers])
        elif numbers:
            leaves.kinds_at(numbers, length, found)
        found.discard(VOUCHES_NOT)
        return found

    def origins(self, leaves: list[int]) -> list[dict[str, Any]]:
        """The records that `origins` gives of leaves, in the order of a scan."""
        if len(leaves) > 1:
            leaves = sorted(set(leaves), key=self._order)
        found: list[dict[str, Any]] = []
        walk, entries = self._walk, self.entries
        for leaf in leaves:
            record = entries[leaf].record
            around, field = walk.paths.get(walk.containers[leaf]), walk.fields.get(walk.steps[leaf])
            path = walk.path(leaf) if around is None or field is None else around + field
            if isinstance(record, CallRecord):
                source = "result" if record.outcome == "returned" else "error"
                found.append({"source": source, "tool": record.tool, "path": path, "call": record.id})
            else:
                source = "input" if record.own_words is None else "user"
                found.append({"source": source, "tool": "", "path": path, "call": ""})
        return found

    def _order(self, leaf: int) -> tuple[tuple[bool, int], int]:
        return self.entries[leaf].order, leaf

    def _holding(self, value: Any) -> list[tuple[Leaves, Sequence[int]]]:
        """The values, and the texts, that are a single value, which is no text, or hold it."""
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
        """The texts that are the value, or have it among their tokens: for values of any form."""
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
