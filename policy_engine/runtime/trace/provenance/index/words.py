"""The six words of provenance, answered from the index. One a run, made by `Run`; views ask it with their length.

Records are noted when somebody first asks, and from then on as they come. What was noted is never changed, only added
to, so that every earlier moment of the run can still be asked about. Thread-safe by one lock.
"""

from __future__ import annotations

import gc
from collections.abc import Collection
from threading import Lock
from typing import Any

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import Timestamp
from policy_engine.runtime.trace.calls import CallRecord, InputRecord
from policy_engine.runtime.trace.log import Entry, Log
from policy_engine.runtime.trace.provenance.index.lexicon import Lexicon
from policy_engine.runtime.trace.provenance.index.places import PlaceIndex
from policy_engine.runtime.trace.provenance.index.said import Said
from policy_engine.runtime.trace.provenance.scan.origins import parts_of_value
from policy_engine.runtime.trace.provenance.scan.pointed import points
from policy_engine.runtime.trace.provenance.scan.said import exact
from policy_engine.runtime.trace.provenance.text import folded, is_identifier


class ProvenanceIndex:
    """What was seen and said in a run. Every question takes the length of the log that it is asked about."""

    def __init__(self, log: Log) -> None:
        self.live = False
        self._log = log
        self._lock = Lock()
        self._noted = 0
        self._ready_for = -1
        self._fault: EvaluationError | None = None
        lexicon = Lexicon()
        self._said = Said(lexicon)
        self._places = PlaceIndex(lexicon)
        self._arguments: dict[Any, list[Entry]] = {}
        self._labels: dict[str, list[Entry]] = {}
        self._last_entered: tuple[int, list[str]] = -1, []
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
            self._ready_for = self._noted if self.live else -1
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
                self._said.add(record.own_words.raw, entry.number)
        elif record.executed:
            for leaf in record.argument_leaves:
                for key in _argument_keys(leaf.value):
                    self._arguments.setdefault(key, []).append(entry)
        self._places.add(entry)

    def _ready(self, length: int) -> None:
        """Note what is missing for questions about this moment; raises the `EvaluationError` of what could not be."""
        self.live = True
        self._note()
        if self._noted < length and self._fault is not None:
            raise EvaluationError(self._fault.kind, self._fault.message)

    # ------------------------------------------------------------------ the words
    def said(self, value: Any, length: int) -> bool:
        """Whether the user's own words contain the value."""
        with self._lock:
            if self._ready_for < length:
                self._ready(length)
            return self._said.holds(value, length)

    def origins(self, value: Any, length: int) -> list[dict[str, Any]]:
        """Where the value was seen, in the order of a scan."""
        with self._lock:
            if self._ready_for < length:
                self._ready(length)
            if isinstance(value, str):
                leaves = self._places.seen(value, length) if value else []
            else:
                leaves = self._places.seen_all(parts_of_value(value), length)
            return self._places.origins(leaves)

    def labels(self, value: Any, length: int) -> list[str]:
        """The labels there; for a value of the model's own, every label that entered the run."""
        with self._lock:
            if self._ready_for < length:
                self._ready(length)
            if self._last_entered[0] != length:
                self._look_who_entered(length)
            entered = self._last_entered[1]
            if not entered:
                return []
            if isinstance(value, str) and value:
                found = self._labels_of(value, length)
                return entered[:] if found is None else sorted(found) if len(found) > 1 else list(found)
            union: set[str] = set()
            for part in parts_of_value(value):
                found = self._labels_of(part, length)
                union.update(entered if found is None else found)
            return sorted(union)

    def entered(self, length: int) -> list[str]:
        """Every label that entered the run, sorted."""
        with self._lock:
            if self._ready_for < length:
                self._ready(length)
            if self._last_entered[0] != length:
                self._look_who_entered(length)
            return self._last_entered[1][:]

    def pointed(self, value: Any, length: int) -> bool:
        """Whether each part of the value was seen in a call whose argument the user said."""
        with self._lock:
            if self._ready_for < length:
                self._ready(length)
            parts = [value] if isinstance(value, str) and value else parts_of_value(value)
            for part in parts:
                if not self._pointed_part(part, length):
                    return False
            return bool(parts)

    def coverage(self, value: Any, length: int) -> float:
        """The share of its words that the user said."""
        with self._lock:
            if self._ready_for < length:
                self._ready(length)
            said = count = 0
            for part in parts_of_value(value):
                if isinstance(part, str):
                    words = self._said.words_among(part, length)
                    said += sum(words)
                    count += len(words)
                else:
                    said += self._said.mentions(part, length)
                    count += 1
            return said / count if count else 1.0

    def carried(self, value: Any, length: int) -> bool:
        """Whether each part of the value was an argument of an earlier allowed call."""
        with self._lock:
            if self._ready_for < length:
                self._ready(length)
            parts = [value] if isinstance(value, str) and value else parts_of_value(value)
            for part in parts:
                if not self._carried_part(part, length):
                    return False
            return bool(parts)

    # ------------------------------------------------------------------ details
    def _look_who_entered(self, length: int) -> None:
        held = self._labels.items()
        entered = sorted(label for label, entries in held if any(entry.visible(length) for entry in entries))
        self._last_entered = length, entered

    def _labels_of(self, value: Any, length: int) -> Collection[str] | None:
        """The labels of a single value; None for one of the model's own, which carries every label."""
        places = self._places
        kinds = places.kinds
        if isinstance(value, str) and (numbers := places.texts.with_plain_identifier(value)) is not None:
            related = seen = places.kinds_at(numbers, length)
        else:
            related = seen = places.kinds_seen(value, length)
            if isinstance(value, str) and len(value.split(None, 1)) > 1:
                much, little = places.suspicions.shared(value, length)
                if not seen and all(kinds[kind][2] for kind in much):
                    return None
                related = seen | much | little
        if not related:
            return None
        if len(related) == 1:
            for kind in related:
                return kinds[kind][0]  # no kind clears what it puts on
        cleared = {label for kind in seen for label in kinds[kind][1]}
        return {label for kind in related for label in kinds[kind][0]} - cleared

    def _pointed_part(self, value: Any, length: int) -> bool:
        entries = self._places.entries
        leaves = self._places.seen(value, length)
        if len(leaves) > 1:
            return any(self._points(entries[leaf], length) for leaf in leaves)
        return bool(leaves) and self._points(entries[leaves[0]], length)

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
        said = self._said.holds
        answer = any(points(leaf.value) and said(leaf.value, length) for leaf in record.argument_leaves)
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
