"""The audit log's rows in this process only: for tests, and for hosts that keep the record elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import Any

from policy_engine.runtime.ports.ledger import Batch, Durability, Head, Parts, Row
from policy_engine.stores.errors import StoreError


class MemoryLedger:
    """Implements `runtime.ports.ledger.Ledger`."""

    blocking = False
    durability: Durability = "memory"

    def __init__(self) -> None:
        self.id = os.urandom(16).hex()
        self._lock = Lock()
        self._rows: list[tuple[Any, ...]] = []  # plain tuples: the garbage collector forgets them
        self._policies: dict[str, Mapping[str, bytes]] = {}

    def append(self, build: Callable[[Head], Batch]) -> None:
        """Keep what `build` makes of the head; raises `StoreError` for rows that do not follow it."""
        with self._lock:
            batch = build(self._head)
            number = self._head.sequence
            for row in batch.rows:
                number += 1
                if row.sequence != number:
                    raise StoreError(f"row {row.sequence} does not follow row {number - 1}")
            if batch.erased and not 0 < min(batch.erased) <= max(batch.erased) <= len(self._rows):
                raise StoreError("a payload to be erased belongs to no row")
            for sequence in batch.erased:
                self._rows[sequence - 1] = (*self._rows[sequence - 1][:-1], None)
            self._policies.update(batch.policies)
            self._rows.extend(map(_packed, batch.rows))

    def follow(self, row: Parts) -> bool:
        """Keep a row behind the last one, if that is where it belongs."""
        with self._lock:
            if row[0] != len(self._rows) + 1:
                return False
            self._rows.append((*row[:4], memoryview(row[4]).tobytes(), row[5]))  # as `_packed`
        return True

    def head(self) -> Head:
        """The last row."""
        return self._head

    @property
    def _head(self) -> Head:
        return Head(*self._rows[-1][:2]) if self._rows else Head(0, "")

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


def _packed(row: Parts) -> tuple[Any, ...]:
    """The row with bytes of its own: what JSON was just written into has room for several times as much."""
    return (*row[:4], memoryview(row[4]).tobytes(), row[5])
