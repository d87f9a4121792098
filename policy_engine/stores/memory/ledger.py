"""The audit log's rows in this process only: for tests, and for hosts that keep the record elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import Any

from policy_engine.runtime.ports.ledger import Batch, Durability, Head, Row
from policy_engine.stores.errors import StoreError


class MemoryLedger:
    """Implements `runtime.ports.ledger.Ledger`."""

    blocking = False
    durability: Durability = "memory"

    def __init__(self) -> None:
        self.id = os.urandom(16).hex()
        self._lock = Lock()
        self._head = Head(0, "")
        self._rows: list[tuple[Any, ...]] = []  # plain tuples: the garbage collector forgets them
        self._policies: dict[str, Mapping[str, bytes]] = {}

    def append(self, build: Callable[[Head], Batch]) -> None:
        """Keep what `build` makes of the head; raises `StoreError` for rows that do not follow it."""
        with self._lock:
            batch = build(self._head)
            rows = batch.rows
            if len(rows) == 1 and not batch.erased and not batch.policies and rows[0].sequence == self._head.sequence + 1:
                self._rows.append(_packed(rows[0]))
                self._head = Head(rows[0].sequence, rows[0].digest)
                return
            number = self._head.sequence
            for row in rows:
                number += 1
                if row.sequence != number:
                    raise StoreError(f"row {row.sequence} does not follow row {number - 1}")
            if batch.erased and not 0 < min(batch.erased) <= max(batch.erased) <= len(self._rows):
                raise StoreError("a payload to be erased belongs to no row")
            for sequence in batch.erased:
                self._rows[sequence - 1] = (*self._rows[sequence - 1][:-1], None)
            if batch.policies:
                self._policies.update(batch.policies)
            if rows:
                self._rows.extend(map(_packed, rows))
                self._head = Head(rows[-1].sequence, rows[-1].digest)

    def head(self) -> Head:
        """The last row."""
        return self._head

    def rows(self, *, after: int = 0, upto: int | None = None, run: str | None = None) -> Iterator[Row]:
        """The rows in order."""
        end = len(self._rows) if upto is None else upto
        for index in range(max(after, 0), min(end, len(self._rows))):
            row = Row(*self._rows[index])
            if run is None or row.run == run:
                yield row

    def policy(self, digest: str) -> Mapping[str, bytes] | None:
        """What was kept of a policy."""
        return self._policies.get(digest)

    def close(self) -> None:
        """Nothing is open."""


def _packed(row: Row) -> tuple[Any, ...]:
    """The row with bytes of its own: what JSON was just written into has room for several times as much."""
    return (*row[:4], memoryview(row.data).tobytes(), row.payload)
