"""The six words of provenance, answered from the index. One a run, made by `Run`; views ask it with their length.

Records are noted when somebody first asks, and from then on as they come. What was noted is never changed, only added
to, so that every earlier moment of the run can still be asked about. Thread-safe by one lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Any

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import Optional, Timestamp
from policy_engine.runtime.trace.calls import CallRecord, InputRecord
from policy_engine.runtime.trace.log import Entry, Log
from policy_engine.runtime.trace.provenance.dates import Clock, Date, date_value, is_ambiguous
from policy_engine.runtime.trace.provenance.index.facts import FactBook
from policy_engine.runtime.trace.provenance.index.places import PlaceIndex, kinds_at, visible
from policy_engine.runtime.trace.provenance.index.suspicion import Suspect
from policy_engine.runtime.trace.provenance.index.texts import TextIndex
from policy_engine.runtime.trace.provenance.leaves import Leaf
from policy_engine.runtime.trace.provenance.scan.labels import is_free_text
from policy_engine.runtime.trace.provenance.scan.origins import parts_of_value
from policy_engine.runtime.trace.provenance.scan.pointed import points
from policy_engine.runtime.trace.provenance.scan.said import exact, parts_of
from policy_engine.runtime.trace.provenance.text import folded, is_identifier
from policy_engine.runtime.trace.provenance.tokens import Text


class ProvenanceIndex:
    """What was seen and said in a run. Every question takes the length of the log that it is asked about."""

    def __init__(self, log: Log) -> None:
        self.live = False
        self._log = log
        self._lock = Lock()
        self._noted = 0
        self._fault: EvaluationError | None = None
        self._book = FactBook()
        self._said = TextIndex(self._book)
        self._said_at: list[int] = []
        self._own: dict[int, Text] = {}
        self._places = PlaceIndex(self._book)
        self._arguments: dict[Any, list[Entry]] = {}
        self._labels: dict[str, list[Entry]] = {}
        self._last_entered: tuple[int, frozenset[str]] = -1, frozenset()
        self._pointing: dict[Entry, tuple[int, bool]] = {}

    # ------------------------------------------------------------------ noting
    def note_all(self) -> None:
        """Note what has come since the last time. Never raises: what cannot be noted makes every question an error."""
        with self._lock:
            self._note()

    def _note(self) -> None:
        entries = self._log.entries
        while self._noted < len(entries) and self._fault is None:
            try:
                self._note_entry(entries[self._noted])
            except EvaluationError as fault:
                self._fault = fault
            except Exception as fault:
                self._fault = EvaluationError("internal", f"a result could not be noted ({type(fault).__name__})")
            else:
                self._noted += 1

    def _note_entry(self, entry: Entry) -> None:
        record = entry.record
        for label in {mark.label for mark in record.labels if mark.add}:
            self._labels.setdefault(label, []).append(entry)
        if isinstance(record, InputRecord):
            if record.own_words is not None and self._said.add(record.own_words.raw) == len(self._said_at):
                self._said_at.append(entry.number)
        elif record.executed:
            for leaf in record.argument_leaves:
                for key in _argument_keys(leaf.value):
                    self._arguments.setdefault(key, []).append(entry)
        self._places.add(entry)

    def _ready(self, length: int) -> None:
        """Note what is missing for questions about this moment; raises the `EvaluationError` of what could not be."""
        self.live = True
        if self._noted < length:
            self._note()
        if self._noted < length and self._fault is not None:
            raise EvaluationError(self._fault.kind, self._fault.message)

    # ------------------------------------------------------------------ the words
    def said(self, value: Any, length: int) -> bool:
        """Whether the user's own words contain the value."""
        with self._lock:
            self._ready(length)
            return self._is_said(value, length)

    def origins(self, value: Any, length: int) -> list[dict[str, Any]]:
        """Where the value was seen, in the order of a scan."""
        with self._lock:
            self._ready(length)
            found: dict[Leaf, Entry] = {}
            for part in parts_of_value(value):
                seen = visible(self._places.find(part), length)
                if not seen:
                    return []
                for entry, leaf in seen:
                    found[leaf] = entry
        if len(found) == 1:
            return [leaf.origin for leaf in found]
        ordered = sorted(found.items(), key=lambda one: (one[1].order, one[0].number))
        return [leaf.origin for leaf, _ in ordered]

    def labels(self, value: Any, length: int) -> list[str]:
        """The labels there; for a value of the model's own, every label that entered the run."""
        with self._lock:
            self._ready(length)
            entered = self._entered(length)
            if not entered:
                return []
            return sorted({label for part in parts_of_value(value) for label in self._labels_of(part, entered, length)})

    def entered(self, length: int) -> list[str]:
        """Every label that entered the run, sorted."""
        with self._lock:
            self._ready(length)
            return sorted(self._entered(length))

    def pointed(self, value: Any, length: int) -> bool:
        """Whether each part of the value was seen in a call whose argument the user said."""
        with self._lock:
            self._ready(length)
            parts = parts_of_value(value)
            return bool(parts) and all(
                any(self._points(entry, length) for entry, _ in visible(self._places.find(part), length))
                for part in parts
            )

    def coverage(self, value: Any, length: int) -> float:
        """The share of its words that the user said."""
        with self._lock:
            self._ready(length)
            words = [said for part in parts_of_value(value) for said in self._said_words(part, length)]
        return sum(words) / len(words) if words else 1.0

    def carried(self, value: Any, length: int) -> bool:
        """Whether each part of the value was an argument of an earlier allowed call."""
        with self._lock:
            self._ready(length)
            parts = parts_of_value(value)
            return bool(parts) and all(
                any(entry.visible(length) for key in _argument_keys(part) for entry in self._arguments.get(key, ()))
                for part in parts
            )

    # ------------------------------------------------------------------ details of what was said
    def _is_said(self, value: Any, length: int) -> bool:
        if isinstance(value, Optional):
            return not value.present or self._is_said(value.value, length)
        if value is None or value == "":
            return True
        if isinstance(value, list):
            return all(self._is_said(item, length) for item in value)
        if isinstance(value, dict):
            return all(self._is_said(key, length) and self._is_said(item, length) for key, item in value.items())
        return self._mentioned(value, length)

    def _mentioned(self, value: Any, length: int) -> bool:
        texts = self._said
        if isinstance(value, bool):
            return self._any(texts.with_word("true" if value else "false"), length)
        if isinstance(value, int | float):
            number = exact(value)
            return number is not None and self._any(texts.with_number(number), length)
        if isinstance(value, Timestamp):
            return self._names(*parts_of(value), length)
        if not isinstance(value, str) or is_ambiguous(value.strip()):
            return False
        moment = date_value(value)
        if moment is not None:
            return self._names(*moment, length)
        bare = value.strip()
        if is_identifier(bare):
            return self._any(texts.with_identifier(bare), length)
        return self._any(texts.with_words(value), length)

    def _any(self, numbers: Sequence[int], length: int) -> bool:
        """Whether one of these texts had been said: they are numbered as they came, so the first of them tells."""
        return bool(numbers) and self._said_at[numbers[0]] < length

    def _names(self, day: Date, clock: Clock | None, length: int) -> bool:
        for number in self._said.with_day(day, exactly=False):
            if self._said_at[number] < length:
                clocks = self._text(number).clocks
                if clock is None or not clocks or any(named.admits(clock) for named in clocks):
                    return True
        return False

    def _text(self, number: int) -> Text:
        return self._own.setdefault(number, Text(self._said.texts[number]))

    def _said_words(self, part: Any, length: int) -> Iterator[bool]:
        if not isinstance(part, str):
            yield self._mentioned(part, length)
            return
        facts_of, with_word = self._book.of, self._said.with_word
        for token in part.split():
            for word in facts_of(token).words:
                numbers = with_word(word)
                yield bool(numbers) and self._said_at[numbers[0]] < length

    # ------------------------------------------------------------------ details of what was seen
    def _entered(self, length: int) -> frozenset[str]:
        if self._last_entered[0] != length:
            held = self._labels.items()
            entered = frozenset(label for label, entries in held if any(entry.visible(length) for entry in entries))
            self._last_entered = length, entered
        return self._last_entered[1]

    def _labels_of(self, value: Any, entered: frozenset[str], length: int) -> set[str] | frozenset[str]:
        places = self._places
        seen = kinds_at(places.find(value), length)
        related = seen
        if is_free_text(value):
            suspect = Suspect(value, self._book)
            kinds = [(kind, suspicion) for kind, suspicion in places.suspicions.items() if kind not in seen]
            much = {kind for kind, suspicion in kinds if suspicion.shares_much(suspect, length)}
            if not seen and all(own for _, _, own in much):
                return entered
            related = seen | much | {kind for kind, suspicion in kinds if suspicion.is_held(suspect, length)}
        if not related:
            return entered
        cleared = {label for _, off, _ in seen for label in off}
        return {label for on, _, _ in related for label in on} - cleared

    def _points(self, entry: Entry, length: int) -> bool:
        """Whether the user said an argument of the call. What was said once stays said, so a yes is kept for good."""
        record = entry.record
        if not isinstance(record, CallRecord):
            return False
        asked, answer = self._pointing.get(entry, (-1, False))
        if (answer and length >= asked) or (not answer and length <= asked):
            return answer
        values = (leaf.value for leaf in record.argument_leaves)
        answer = any(points(value) and self._is_said(value, length) for value in values)
        self._pointing[entry] = (length, answer)
        return answer


def _argument_keys(value: Any) -> list[Any]:
    """Under what an argument is noted, and looked for."""
    if isinstance(value, bool):
        return [(bool, value)]
    if isinstance(value, int | float):
        number = exact(value)
        return [] if number is None else [("number", number)]
    if isinstance(value, str):
        plain = [] if is_identifier(value) else [("words", *folded(value).split())]
        return [(str, value), *plain]
    return [(type(value), value)] if isinstance(value, Timestamp | bytes) else []
