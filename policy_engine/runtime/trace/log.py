"""The events of one run in the order they came: only ever added to, so that its first `n` entries are a moment for good.

`Run` writes it under a lock; views, the provenance index and folded state read up to the length they were made for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from policy_engine.runtime.trace.calls import CallRecord, InputRecord

_NEVER: Final = sys.maxsize
_OPEN: Final = ("pending", "running")


@dataclass(slots=True, eq=False)
class Entry:
    """A record with its number in the log and its place among the inputs, or among the attempts.

    A call that is `unfinished` gets a new entry at the same place when it goes on; `gone` is then the number of that.
    """

    record: InputRecord | CallRecord
    number: int
    place: int
    gone: int = _NEVER
    unfinished: bool = False

    def visible(self, length: int) -> bool:
        """Whether it stood in the log, and was not replaced, when the log had that length."""
        return self.number < length <= self.gone

    @property
    def at(self) -> int:
        """When the call was made, in nanoseconds."""
        return self.record.at.nanos if isinstance(self.record, CallRecord) else 0

    @property
    def order(self) -> tuple[bool, int]:
        """Its position in the order of a scan: inputs first, then attempts in the order they were begun."""
        return isinstance(self.record, CallRecord), self.place


class Log:
    """The entries, and how many inputs and attempts they make."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.attempts = 0
        self.inputs = 0
        self._open: dict[str, Entry] = {}

    def add_input(self, record: InputRecord) -> Entry:
        """Something was asked."""
        entry = Entry(record, len(self.entries), self.inputs)
        self.inputs += 1
        self.entries.append(entry)
        return entry

    @property
    def next_name(self) -> str:
        """The name of the next attempt that the host gives none."""
        return f"call-{self.attempts + 1}"

    def add_call(self, record: CallRecord, id: str | None) -> Entry:
        """A call was made, or one that was open under the same `id` has gone on: its new entry."""
        number = len(self.entries)
        before = None if id is None else self._open.pop(id, None)
        if before is None:
            place = self.attempts
            self.attempts = place + 1
        else:
            place = before.place
            before.gone = number
        entry = Entry(record, number, place)
        if id is not None and record.outcome in _OPEN:
            self._open[id] = entry
            entry.unfinished = True
        self.entries.append(entry)
        return entry

    def inputs_at(self, length: int) -> Iterator[InputRecord]:
        """The inputs of a moment, in order."""
        return (entry.record for entry in self.entries[:length] if isinstance(entry.record, InputRecord))

    def attempts_at(self, length: int) -> Iterator[CallRecord]:
        """The attempts of a moment, in the order they were begun."""
        latest = {entry.place: entry.record for entry in self.entries[:length] if isinstance(entry.record, CallRecord)}
        return iter(latest.values())
