"""The audit log's rows in a SQLite file and its tail. Several processes write to one chain: who appends holds a lock.

A record is appended to the tail, which costs a tenth of a commit. What needs the tables (policies, erasures), or finds the
tail full, moves all of its rows there first, in one transaction, and gives the tail up; so does who closes the ledger. Whoever
finds a tail goes on with it: nothing has to be mended after a kill. With `tail=False`, and where a record has to reach the disk
(`fsync`), which costs many times as much, each is a commit.
Reading never moves anything. An erasure leaves nothing in the tail, and asks SQLite's write-ahead log to let go of its copy.
"""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import Final

from policy_engine.runtime.ports.ledger import Batch, Durability, Head, Parts, Row
from policy_engine.stores.errors import StoreBusy, StoreDamaged, StoreError
from policy_engine.stores.sqlite import rows, tail as tails
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.reading import Reading
from policy_engine.stores.sqlite.tail import End, Tail

MOST_ROWS: Final = 1000
MOST_BYTES: Final = 1 << 20
"""A tail that holds so much is full."""


class SqliteLedger:
    """Implements `runtime.ports.ledger.Ledger` in a `Database`, which may hold other stores too."""

    blocking = True

    def __init__(self, database: Database, *, tail: bool = True) -> None:
        self._database = database
        self._reading = Reading(database)
        self._tailed = tail and tails.LOCKS and database.durability == "process"
        self._lock = Lock()
        self._tail: Tail | None = None
        self._last = 0
        """The number of a row that is kept: this process wrote it, or read it, last."""
        self.durability: Durability = database.durability
        database.migrate("audit", rows.STEPS)
        with database.write() as connection:
            values = (os.urandom(16).hex(),)
            connection.execute("INSERT OR IGNORE INTO audit_log (only, id, sequence, digest) VALUES (1, ?, 0, '')", values)
        with database.read() as connection:
            self.id: str = connection.execute("SELECT id FROM audit_log").fetchone()[0]
        _ALL.add(self)

    # ------------------------------------------------------------------ writing
    def follow(self, row: Parts) -> bool:
        """Keep a row in the tail. False where others have written since, where there is no tail yet, or it is full."""
        with self._lock:
            if not self._tailed:
                return self._alone(row)
            tail, sequence = self._tail, row[0]
            if tail is None or sequence != tail.last + 1 or sequence > tail.base + MOST_ROWS or tail.size > MOST_BYTES:
                return False
            if not tail.add(row):
                return False
            self._last = sequence
            return True

    def _alone(self, row: Parts) -> bool:
        """A commit for a row."""
        try:
            with self._database.write() as connection:
                head, name = rows.told(connection)
                if name is not None or row[0] != head.sequence + 1:
                    return False
                rows.insert(connection, (row,))
        except sqlite3.Error as fault:
            raise StoreError(f"the record could not be kept: {fault}") from fault
        self._last = row[0]
        return True

    def append(self, build: Callable[[Head], Batch]) -> None:
        """Keep what `build` makes of the head, in one piece; raises `StoreError`."""
        deadline = time.monotonic() + self._database.patience
        try:
            with self._lock:
                while not self._appended(build):
                    if time.monotonic() >= deadline:
                        raise StoreBusy("the store is busy: others have been writing for longer than its patience")
        except (sqlite3.Error, OSError) as fault:
            raise StoreError(f"the record could not be kept: {fault}") from fault

    def _appended(self, build: Callable[[Head], Batch]) -> bool:
        """False where others have begun a tail meanwhile, or given one up: then it is done again."""
        tail, fresh = self._tail, self._tail is None
        if tail is None:
            name = self._in_the_tables(build)
            if name is None:
                return True
            tail = self._tail = self._reading.found(name, writing=True)
            if tail is None:
                return False
        with tail.locked():
            end = tail.look()
            if end is None or not end.clean or not self._tailed or _full(tail, end):
                return self._folded(tail, build)
            if fresh:
                self._see_that_it_is_whole(tail)
            self._know(end.head)
            batch = build(end.head)
            if batch.erased or batch.policies:
                return self._folded(tail, lambda head: batch)
            rows.see_that_they_follow(end.head, batch.rows)
            if batch.rows:
                tail.extend(batch.rows)
            self._last = tail.last
            return True

    def _see_that_it_is_whole(self, tail: Tail) -> None:
        """Nothing is written behind what cannot be read: whoever goes on with a tail of others reads it once."""
        found = tail.contents()
        if found.damage is not None:
            self._tail = None
            raise self._reading.damaged(found)

    def _in_the_tables(self, build: Callable[[Head], Batch]) -> bytes | None:
        """A batch in a transaction, and a tail for what follows. Its name, and nothing kept, where one is in use already."""
        with self._database.write() as connection:
            head, name = rows.told(connection)
            if name is not None:
                return name
            self._know(head)
            batch = build(head)
            head = rows.keep(connection, head, batch)
            made: Tail | None = None
            if self._tailed and not batch.erased:
                made = tails.make(self._reading.path, head, patience=self._database.patience)
                rows.use(connection, made.name)
        self._tail, self._last = made, head.sequence
        if batch.erased:
            self._remove()
            self._let_go()
        return None

    def _folded(self, tail: Tail, build: Callable[[Head], Batch]) -> bool:
        """Move a tail's rows into the tables, with a batch behind them, and give it up. False where others already have.

        Called with the tail's lock held. Killed before the commit, the tail is in use, and folded by the next who appends;
        killed after it, the file holds nothing that is not in the tables, and is replaced by the next tail.
        """
        with self._database.write(synced=True) as connection:
            head, name = rows.told(connection)
            if name != tail.name:
                self._tail = None
                return False
            found = tail.contents()
            if found.damage is not None:
                raise self._reading.damaged(found)
            rows.insert(connection, found.rows)
            if found.missing is not None:
                rows.goes_on_after(connection, found.missing)
            head, _ = rows.told(connection)
            self._know(head)
            batch = build(head)
            head = rows.keep(connection, head, batch)
            rows.use(connection, None)
            tail.seal()
        self._tail, self._last = None, head.sequence
        if batch.erased:
            _overwritten(tail)
        self._remove()
        if batch.erased:
            self._let_go()
        return True

    def _know(self, head: Head) -> None:
        if head.sequence < self._last:
            raise StoreDamaged(
                head.sequence + 1, f"and those up to {self._last} were kept, and are gone from {self._database.path}"
            )

    def _remove(self) -> None:
        """Take the file of a tail that was given up off the disk. Where that fails, the next tail replaces it."""
        try:
            with self._database.write() as connection:
                if rows.told(connection)[1] is None:
                    tails.remove(self._reading.path)
        except (StoreError, sqlite3.Error, OSError):
            return

    def _let_go(self) -> None:
        """Empty the write-ahead log, where nobody reads just now; otherwise it is emptied later, as always."""
        try:
            with self._database.read():
                pass
            connection = sqlite3.connect(self._database.path, timeout=0)
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()
        except sqlite3.Error:
            return

    # ------------------------------------------------------------------ reading
    def head(self) -> Head:
        """The last row; raises `StoreDamaged` where the tail is gone or does not tell."""
        return self._reading.head()

    def rows(self, *, after: int = 0, upto: int | None = None, run: str | None = None) -> Iterator[Row]:
        """The rows in order; raises `StoreDamaged` behind the last one that can be read."""
        return self._reading.rows(after=after, upto=upto, run=run)

    def policy(self, digest: str) -> Mapping[str, bytes] | None:
        """What was kept of a policy."""
        return self._reading.policy(digest)

    # ------------------------------------------------------------------ ending
    def close(self) -> None:
        """Move the rows of the tail into the database, so that it is whole without. The database is its owner's to close.

        Where that cannot be now, they stay where they are, and whoever opens the ledger finds them.
        """
        with self._lock:
            tail, self._tail = self._tail, None
            if tail is not None:
                try:
                    with tail.locked():
                        self._folded(tail, lambda head: Batch(()))
                except (StoreError, sqlite3.Error, OSError):
                    return

    def forked(self) -> None:
        """Begin again in a process that was forked: a lock on the parent's open file would be the parent's too."""
        self._lock = Lock()
        self._tail = None


def _full(tail: Tail, end: End) -> bool:
    return end.head.sequence - tail.base >= MOST_ROWS or tail.size > MOST_BYTES


def _overwritten(tail: Tail) -> None:
    """Where that fails, the file is removed all the same."""
    try:
        tail.overwrite()
    except OSError:
        return


_ALL: Final[weakref.WeakSet[SqliteLedger]] = weakref.WeakSet()


def _forked() -> None:
    for ledger in list(_ALL):
        ledger.forked()


os.register_at_fork(after_in_child=_forked)
