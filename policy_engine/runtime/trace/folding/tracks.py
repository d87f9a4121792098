"""One track: each call is looked at once, when it comes, and put into the buckets that questions will look into.

A call whose tests all hold is *certain*; one of whose tests is an error, and none false, is in *doubt*: it makes a
question an error exactly where nothing that the question compares it by is false. Calls that have not ended yet are
kept aside, and looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import Duration, Timestamp, TypeValue
from policy_engine.runtime.trace.calls import CallRecord
from policy_engine.runtime.trace.folding.buckets import Bucket, Ledger, Step
from policy_engine.runtime.trace.log import Entry
from policy_engine.semantics.artifact import Track, Value
from policy_engine.semantics.evaluation import run_value
from policy_engine.semantics.functions.catalogue import BY_NAME
from policy_engine.semantics.operations import NUMBERS, add

MAX_KEYS: Final = 200_000
"""Different keys of one track; beyond it every question to the track is an error."""
MAX_ROWS: Final = 2_000_000
"""Calls, or rows of their lists, of one track; the same."""
FAILED: Final = object()
"""The key of a call that cannot be read."""
ODD: Final = object()
"""A key, or value compared with it, that is equal to others in ways a table does not know (lists, huge numbers)."""
NEVER: Final = object()
"""A key that equals nothing: NaN."""
START: Final = object()
"""Nothing was taken together yet."""
_PLAIN: Final = frozenset((bytes, bool, type(None), Timestamp, Duration, TypeValue))
_EXACT: Final = 2**53


def combine(name: str, values: list[Any]) -> Any:
    """`sum`, `max` or `min` of a list, by the one body each has."""
    body = BY_NAME[name].body
    assert body is not None
    return body(values)


def _sum(before: Any, value: Any) -> Any:
    return combine("sum", [value]) if before is START else add(before, value)


def _extreme(name: str) -> Step:
    def step(before: Any, value: Any) -> Any:
        return combine(name, [value] if before is START else [before, value])

    return step


STEPS: Final[Mapping[str, Step]] = {"sum": _sum, "max": _extreme("max"), "min": _extreme("min")}
"""How one more value is taken in; one value after the other gives what the function gives for the list."""


def key_of(value: Any) -> Any:
    """The same for values that are equal in CEL, different for others; or `ODD`, `NEVER`."""
    kind = type(value)
    if kind is str:
        return value
    if kind in NUMBERS:
        if value != value:
            return NEVER
        return value if -_EXACT <= value <= _EXACT else ODD
    return (kind, value) if kind in _PLAIN else ODD


class Row:
    """How one call counts: certainly or in doubt, its keys (`FAILED` where one cannot be read), and its value."""

    __slots__ = ("certain", "entry", "keys", "value")

    def __init__(self, entry: Entry, certain: bool, keys: tuple[Any, ...], value: Any = None) -> None:
        self.entry = entry
        self.certain = certain and FAILED not in keys
        self.keys = keys
        self.value = value


class TrackState:
    """What one track knows of one log."""

    def __init__(self, track: Track, namespace: Mapping[str, Any]) -> None:
        self.track = track
        self._namespace = namespace
        self._keeps = frozenset(track.keeps)
        self.certain: dict[tuple[Any, ...], Bucket] = {}
        self.doubtful: dict[tuple[Any, ...], Bucket] = {}
        self.all_certain = Bucket(self._keeps - {"reduce"})
        self.all_doubtful = Bucket(self._keeps - {"reduce"})
        self.open: list[Row] = []
        self.pruned = 0
        self.masks: set[tuple[bool, ...]] = set()
        self.odd = False
        self.full_at: int | None = None
        self.earliest: int | None = None
        self.latest = 0
        self.start: Any = START
        self._rows = 0
        if track.start is not None:
            self.start = run_value(namespace, track.start, None, None, None)

    # ------------------------------------------------------------------ noting
    def note(self, entry: Entry, record: CallRecord) -> None:
        """A call came, or went on."""
        if (self.track.tools is not None and record.tool not in self.track.tools) or self.full_at is not None:
            return
        if record.outcome != "returned" and not self.track.attempts:
            return
        rows = list(self._rows_of(entry, record))
        if not rows:
            return
        if "window" in self._keeps:
            at = entry.at
            self.earliest = at if self.earliest is None or at < self.earliest else self.earliest
            self.latest = max(self.latest, at)
        self._rows += len(rows)
        if self._rows > MAX_ROWS or max(len(self.certain), len(self.doubtful)) > MAX_KEYS:
            self.full_at = entry.number
        elif entry.unfinished:
            self._keep_open(rows)
        else:
            for row in rows:
                self._put(row)

    def _keep_open(self, rows: list[Row]) -> None:
        """Aside; those that have gone on since are dropped now and then."""
        gone = [row for row in self.open if row.entry.gone < rows[0].entry.number]
        if len(gone) > 32 and 2 * len(gone) > len(self.open):
            self.pruned = max(self.pruned, *(row.entry.gone for row in gone))
            self.open = [row for row in self.open if row.entry.gone >= rows[0].entry.number]
        self.open += rows

    def _put(self, row: Row) -> None:
        entry, keys = row.entry, row.keys
        (self.all_certain if row.certain else self.all_doubtful).add(entry)
        if ODD in keys:
            self.odd = True
        elif NEVER not in keys:
            # A doubtful row is kept under the keys it has, with `FAILED` in the place of the others.
            table = self.certain if row.certain else self.doubtful
            if not row.certain:
                self.masks.add(tuple(key is FAILED for key in keys))
            bucket = table.get(keys)
            if bucket is None:
                bucket = table[keys] = self._bucket(row.certain)
            if isinstance(bucket, Ledger):
                bucket.put(entry, row.value, self.start)
            else:
                bucket.add(entry)

    def _bucket(self, certain: bool) -> Bucket:
        if certain and self.track.reduce is not None:
            return Ledger(self._keeps, STEPS[self.track.reduce])
        return Bucket(self._keeps - {"reduce"})

    # ------------------------------------------------------------------ looking at a call
    def _rows_of(self, entry: Entry, record: CallRecord) -> Iterator[Row]:
        track, element = self.track, record.element
        holds = self._truth(track.test, element, None)
        if holds is False:
            return
        if track.rows is None:
            certain, value = holds is True, None
            if track.value is not None and certain:
                value = self._value(track.value, element, None)
                certain = value is not FAILED
            keys = tuple(self._key(key, element, None) for key in track.keys)
            yield Row(entry, certain, keys, value)
            return
        rows = self._value(track.rows, element, None)
        if not isinstance(rows, list | dict):
            pairs = zip(track.keys, track.row_keys, strict=True)
            yield Row(entry, False, tuple(FAILED if of_row else self._key(key, element, None) for key, of_row in pairs))
            return
        for row in rows:
            fits = self._truth(track.row_test, element, row)
            if fits is not False:
                keys = tuple(self._key(key, element, row) for key in track.keys)
                yield Row(entry, holds is True and fits is True, keys)

    def _truth(self, test: Value | None, element: Any, row: Any) -> bool | None:
        """True, false, or None for an error."""
        answer = True if test is None else self._value(test, element, row)
        return answer if isinstance(answer, bool) else None

    def _key(self, key: Value, element: Any, row: Any) -> Any:
        value = self._value(key, element, row)
        return FAILED if value is FAILED else key_of(value)

    def _value(self, value: Value, element: Any, row: Any) -> Any:
        try:
            return run_value(self._namespace, value, element, row, None)
        except EvaluationError:
            return FAILED
