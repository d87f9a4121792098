"""The six words of provenance, answered from the index. One a run, made by `Run`; views ask it with their length.

Records are noted when somebody first asks, and from then on as they come. What was noted is never changed, only added
to, so that every earlier moment of the run can still be asked about. Thread-safe by one lock.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from threading import Lock
from typing import Any

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import Optional, Timestamp
from policy_engine.runtime.trace.calls import CallRecord, InputRecord
from policy_engine.runtime.trace.log import Entry, Log
from policy_engine.runtime.trace.provenance.dates import DIGITS, Clock, Date, date_value, is_ambiguous
from policy_engine.runtime.trace.provenance.index.apart import END
from policy_engine.runtime.trace.provenance.index.lexicon import Lexicon
from policy_engine.runtime.trace.provenance.index.places import PlaceIndex
from policy_engine.runtime.trace.provenance.index.suspicion import Suspect
from policy_engine.runtime.trace.provenance.index.texts import TextIndex
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
        self._lexicon = Lexicon()
        self._said = TextIndex(self._lexicon)
        self._said_at: list[int] = []
        self._first_said: dict[str, int] = {}
        self._own: dict[int, Text] = {}
        self._places = PlaceIndex(self._lexicon)
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
        # What is noted stays: looking for garbage among it, again and again while it grows, would find none.
        collecting = gc.isenabled()
        gc.disable()
        try:
            self._note_entries()
        finally:
            if collecting:
                gc.enable()

    def _note_entries(self) -> None:
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
            if record.own_words is not None:
                self._note_said(record.own_words.raw, entry.number)
        elif record.executed:
            for leaf in record.argument_leaves:
                for key in _argument_keys(leaf.value):
                    self._arguments.setdefault(key, []).append(entry)
        self._places.add(entry)

    def _note_said(self, text: str, number: int) -> None:
        if text not in self._said.known:
            self._said.add([text])
            self._said_at.append(number)
            for word in self._lexicon.words_of(text.split()):
                self._first_said.setdefault(word, number)
                self._first_said.setdefault(word.removesuffix(END) if word[-1] == END else word + END, number)

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
            if self._noted < length or not self.live:
                self._ready(length)
            return self._is_said(value, length)

    def origins(self, value: Any, length: int) -> list[dict[str, Any]]:
        """Where the value was seen, in the order of a scan."""
        with self._lock:
            if self._noted < length or not self.live:
                self._ready(length)
            places = self._places
            if isinstance(value, str):
                seen = places.seen(value, length) if value else []
                if len(seen) < 2:
                    return [places.origin(*seen[0])] if seen else []
            found: dict[int, Entry] = {}
            for part in parts_of_value(value):
                seen = places.seen(part, length)
                if not seen:
                    return []
                found.update(seen)
            ordered = sorted(found.items(), key=lambda one: (one[1].order, one[0]))
            return [places.origin(leaf, entry) for leaf, entry in ordered]

    def labels(self, value: Any, length: int) -> list[str]:
        """The labels there; for a value of the model's own, every label that entered the run."""
        with self._lock:
            if self._noted < length or not self.live:
                self._ready(length)
            entered = self._last_entered[1] if self._last_entered[0] == length else self._entered(length)
            if not entered:
                return []
            if isinstance(value, str) and value:
                found = self._labels_of(value, entered, length)
                return sorted(found) if len(found) > 1 else list(found)
            return sorted({label for part in parts_of_value(value) for label in self._labels_of(part, entered, length)})

    def entered(self, length: int) -> list[str]:
        """Every label that entered the run, sorted."""
        with self._lock:
            self._ready(length)
            return sorted(self._entered(length))

    def pointed(self, value: Any, length: int) -> bool:
        """Whether each part of the value was seen in a call whose argument the user said."""
        with self._lock:
            if self._noted < length or not self.live:
                self._ready(length)
            parts = [value] if isinstance(value, str) and value else parts_of_value(value)
            for part in parts:
                if not self._pointed_part(part, length):
                    return False
            return bool(parts)

    def coverage(self, value: Any, length: int) -> float:
        """The share of its words that the user said."""
        with self._lock:
            if self._noted < length or not self.live:
                self._ready(length)
            said = count = 0
            for part in parts_of_value(value):
                if isinstance(part, str):
                    first = self._first_said.get
                    words = [first(word, length) < length for word in self._lexicon.words_of(part.split())]
                    said += sum(words)
                    count += len(words)
                else:
                    said += self._mentioned(part, length)
                    count += 1
        return said / count if count else 1.0

    def carried(self, value: Any, length: int) -> bool:
        """Whether each part of the value was an argument of an earlier allowed call."""
        with self._lock:
            if self._noted < length or not self.live:
                self._ready(length)
            parts = [value] if isinstance(value, str) and value else parts_of_value(value)
            for part in parts:
                if not self._carried_part(part, length):
                    return False
            return bool(parts)

    # ------------------------------------------------------------------ details of what was said
    def _is_said(self, value: Any, length: int) -> bool:
        if isinstance(value, str):
            return not value or self._text_mentioned(value, length)
        if isinstance(value, Optional):
            return not value.present or self._is_said(value.value, length)
        if isinstance(value, list):
            return all(self._is_said(item, length) for item in value)
        if isinstance(value, dict):
            return all(self._is_said(key, length) and self._is_said(item, length) for key, item in value.items())
        return value is None or self._mentioned(value, length)

    def _text_mentioned(self, value: str, length: int) -> bool:
        if self._said.is_token(value):
            return self._any(self._said.with_identifier(value), length)
        bare = value.strip()
        if bare[:1] in DIGITS:
            if is_ambiguous(bare):
                return False
            moment = date_value(value)
            if moment is not None:
                return self._names(*moment, length)
        texts = self._said
        numbers = texts.with_identifier(bare) if is_identifier(bare) else texts.with_words(value)
        return self._any(numbers, length)

    def _mentioned(self, value: Any, length: int) -> bool:
        texts = self._said
        if isinstance(value, bool):
            return self._any(texts.with_word("true" if value else "false"), length)
        if isinstance(value, (int, float)):
            number = exact(value)
            return number is not None and self._any(texts.with_number(number), length)
        return isinstance(value, Timestamp) and self._names(*parts_of(value), length)

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

    # ------------------------------------------------------------------ details of what was seen
    def _entered(self, length: int) -> frozenset[str]:
        if self._last_entered[0] != length:
            held = self._labels.items()
            entered = frozenset(label for label, entries in held if any(entry.visible(length) for entry in entries))
            self._last_entered = length, entered
        return self._last_entered[1]

    def _labels_of(self, value: Any, entered: frozenset[str], length: int) -> set[str] | frozenset[str]:
        places = self._places
        seen = places.kinds_seen(value, length)
        related = seen
        if isinstance(value, str) and len(value.split(None, 1)) > 1:
            suspect = Suspect(value, self._lexicon)
            much = places.suspicions.sharing_much(suspect, length) - seen
            if not seen and all(places.kinds[kind][2] for kind in much):
                return entered
            related = seen | much | places.suspicions.held_whole(suspect, length)
        if not related:
            return entered
        kinds = places.kinds
        if len(related) == 1:
            for kind in related:
                return kinds[kind][0]  # no kind clears what it puts on
        cleared = {label for kind in seen for label in kinds[kind][1]}
        return {label for kind in related for label in kinds[kind][0]} - cleared

    def _pointed_part(self, value: Any, length: int) -> bool:
        seen = self._places.seen(value, length)
        if len(seen) < 2:
            return bool(seen) and self._points(seen[0][1], length)
        return any(self._points(entry, length) for _, entry in seen)

    def _carried_part(self, value: Any, length: int) -> bool:
        arguments = self._arguments
        for key in _argument_keys(value):
            for entry in arguments.get(key, ()):
                if entry.number < length <= entry.gone:
                    return True
        return False

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


def _argument_keys(value: Any) -> tuple[Any, ...]:
    """Under what an argument is noted, and looked for."""
    if isinstance(value, str):
        return (value,) if is_identifier(value) else (value, ("words", *folded(value).split()))
    if isinstance(value, bool):
        return ((bool, value),)
    if isinstance(value, (int, float)):
        number = exact(value)
        return () if number is None else (("number", number),)
    return ((type(value), value),) if isinstance(value, (Timestamp, bytes)) else ()
