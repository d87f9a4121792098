"""Calls that count for a question, in the order they came. Only ever added to: any earlier moment can be asked about."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from typing import Any, NamedTuple

from policy_engine.base.errors import EvaluationError
from policy_engine.base.limits import MAX_SCANNED_CALLS
from policy_engine.runtime.trace.log import Entry

Step = Callable[[Any, Any], Any]
"""From what was taken together so far and one more value to the next; raises `EvaluationError`."""


class Since(NamedTuple):
    """A window of time: calls later than `nanos` are in it; with `inclusive` one at that very moment too."""

    nanos: int
    inclusive: bool

    def holds(self, nanos: int) -> bool:
        """Whether a moment is in the window."""
        return nanos > self.nanos or (self.inclusive and nanos == self.nanos)

    def first(self, peaks: list[int], count: int) -> int:
        """The position from which on rows may be in it, where `peaks` are the latest moments so far."""
        return (bisect_left if self.inclusive else bisect_right)(peaks, self.nanos, 0, count)


class Bucket:
    """Rows of calls. What is kept depends on what will be asked: `first` alone, or more (see `Track.keeps`)."""

    __slots__ = ("_ats", "_bottoms", "_entries", "_keeps", "_numbers", "_peaks", "_tops")

    def __init__(self, keeps: frozenset[str]) -> None:
        self._keeps = keeps
        self._numbers: list[int] = []
        self._entries: list[Entry] = []
        self._bottoms: list[Entry] = []
        self._tops: list[Entry] = []
        self._ats: list[int] = []
        self._peaks: list[int] = []

    def add(self, entry: Entry) -> bool:
        """One more call; the same call twice counts once. Whether a row was added."""
        entries = self._entries
        if entries and (not self._keeps or entries[-1] is entry):
            return False
        self._numbers.append(entry.number)
        entries.append(entry)
        if not self._bottoms or entry.place < self._bottoms[-1].place:
            self._bottoms.append(entry)
        if "last" in self._keeps:
            tops = self._tops
            tops.append(entry if not tops or entry.place > tops[-1].place else tops[-1])
        if "window" in self._keeps:
            at = entry.at
            self._ats.append(at)
            self._peaks.append(at if not self._peaks or at > self._peaks[-1] else self._peaks[-1])
        return True

    def count(self, length: int, since: Since | None = None) -> int:
        """How many calls of the moment there are, in the window."""
        count = self._seen(length)
        if since is None or not count:
            return count
        start = since.first(self._peaks, count)
        if self._peaks[start:count] == self._ats[start:count]:
            return count - start
        return sum(map(since.holds, self._bounded(start, count)))

    def any(self, length: int, since: Since | None = None) -> bool:
        """Whether there is one."""
        numbers = self._numbers
        if not numbers or numbers[0] >= length:
            return False
        return since is None or since.holds(self._peaks[self._seen(length) - 1])

    def first(self, length: int, since: Since | None = None) -> Entry | None:
        """The call that was begun first."""
        if since is None:
            return next((entry for entry in reversed(self._bottoms) if entry.number < length), None)
        return next(iter(self.entries(length, since)), None)

    def last(self, length: int, since: Since | None = None) -> Entry | None:
        """The call that was begun last."""
        count = self._seen(length)
        if not count:
            return None
        top = self._tops[count - 1]
        if since is None or since.holds(top.at):
            return top
        start = since.first(self._peaks, count)
        later = [entry for entry in self._entries[start:count] if since.holds(entry.at)]
        if len(later) > MAX_SCANNED_CALLS:
            raise _too_many()
        return max(later, key=_place) if later else None

    def entries(self, length: int, since: Since | None) -> list[Entry]:
        """The calls themselves, in the order they were begun; at most as many as may be scanned."""
        count = self._seen(length)
        start = 0 if since is None else since.first(self._peaks, count)
        if count - start > MAX_SCANNED_CALLS:
            raise _too_many()
        found = self._entries[start:count]
        return sorted((entry for entry in found if since is None or since.holds(entry.at)), key=_place)

    def _seen(self, length: int) -> int:
        numbers = self._numbers
        return len(numbers) if not numbers or numbers[-1] < length else bisect_left(numbers, length)

    def _bounded(self, start: int, count: int) -> list[int]:
        if count - start > MAX_SCANNED_CALLS:
            raise _too_many()
        return self._ats[start:count]


class Ledger(Bucket):
    """A bucket whose calls have values that are taken together, in the order the calls were begun."""

    __slots__ = ("_disordered", "_placed", "_prefix", "_results", "_step", "_values")

    def __init__(self, keeps: frozenset[str], step: Step) -> None:
        super().__init__(keeps)
        self._step = step
        self._placed: list[tuple[int, int, Any]] = []
        self._prefix: list[Any] = []
        self._results: list[Any] = []
        self._values: list[Any] = []
        self._disordered = False

    def put(self, entry: Entry, value: Any, start: Any) -> None:
        """One more call with its value. One that was begun before others already here is put in its place."""
        self.add(entry)
        self._values.append(value)
        row = (entry.place, entry.number, value)
        if not self._placed or entry.place > self._placed[-1][0]:
            position = len(self._placed)
            self._placed.append(row)
        else:
            self._disordered = True
            insort(self._placed, row, key=_order)
            position = bisect_left(self._placed, _order(row), key=_order)
            del self._prefix[position:]
        result = self._prefix[position - 1] if position else start
        for _, _, one in self._placed[position:]:
            result = self.taken(result, one)
            self._prefix.append(result)
        self._results.append(result)

    def taken(self, before: Any, value: Any) -> Any:
        """One step; an error stays one."""
        if isinstance(before, EvaluationError):
            return before
        try:
            return self._step(before, value)
        except EvaluationError as error:
            return error

    def result(self, length: int, start: Any) -> Any:
        """What all calls of the moment come to."""
        count = self._seen(length)
        return self._results[count - 1] if count else start

    def result_since(self, length: int, since: Since, start: Any) -> Any:
        """The same for those in the window."""
        count = self._seen(length)
        first = since.first(self._peaks, count)
        if count - first > MAX_SCANNED_CALLS:
            raise _too_many()
        rows = list(zip(self._entries[first:count], self._values[first:count], strict=True))
        if self._disordered or self._ats[first:count] != self._peaks[first:count]:
            rows = sorted((row for row in rows if since.holds(row[0].at)), key=lambda row: row[0].place)
        result = start
        for _, value in rows:
            result = self.taken(result, value)
        return result


def _place(entry: Entry) -> int:
    return entry.place


def _order(row: tuple[int, int, Any]) -> tuple[int, int]:
    return row[:2]


def _too_many() -> EvaluationError:
    return EvaluationError("too_costly", f"more than {MAX_SCANNED_CALLS} calls would have to be gone through")
