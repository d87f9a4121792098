"""The audit log's rows in a SQLite file. Several processes write to one chain: the head is read where the rows are written.

A record is one row, and nothing is indexed but its number: a commit writes two pages. Whoever wrote last writes on without
reading the head (`follow`): two records of one number cannot be. The head is kept apart, so that rows taken off the end by
hand are missed. Erased payloads are overwritten in the file (`secure_delete`); the write-ahead log lets go of its copy at
its next checkpoint, which an erasure asks for.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from policy_engine.runtime.ports.ledger import Batch, Durability, Head, Parts, Row
from policy_engine.stores.errors import StoreError
from policy_engine.stores.sqlite.database import Database

STEPS: Final = (
    """
    CREATE TABLE audit_rows (
        sequence INTEGER PRIMARY KEY, digest TEXT NOT NULL, run TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL,
        payload BLOB
    ) STRICT;
    CREATE TABLE audit_policies (digest TEXT, name TEXT, content BLOB NOT NULL, PRIMARY KEY (digest, name)) STRICT;
    CREATE TABLE audit_log (only INTEGER PRIMARY KEY CHECK (only = 1), id TEXT, sequence INTEGER, digest TEXT) STRICT;
    """,
    """
    CREATE TRIGGER audit_head AFTER INSERT ON audit_rows
    BEGIN UPDATE audit_log SET sequence = new.sequence, digest = new.digest; END;
    """,
)
_HEAD: Final = "SELECT sequence, digest FROM audit_log"
_ROW: Final = "INSERT INTO audit_rows VALUES (?, ?, ?, ?, ?, ?)"
_READ: Final = "SELECT sequence, digest, run, at, data, payload FROM audit_rows WHERE sequence > ? AND sequence <= ?"
_PAGE: Final = 1000
_NO_END: Final = (1 << 63) - 1


class SqliteLedger:
    """Implements `runtime.ports.ledger.Ledger` in a `Database`, which may hold other stores too."""

    blocking = True

    def __init__(self, database: Database) -> None:
        self._database = database
        self._last = 0
        """The number of a row that is kept: this process wrote it, or read it, last."""
        self.durability: Durability = database.durability
        database.migrate("audit", STEPS)
        with database.write() as connection:
            connection.execute("INSERT OR IGNORE INTO audit_log VALUES (1, ?, 0, '')", (os.urandom(16).hex(),))
        with database.read() as connection:
            self.id: str = connection.execute("SELECT id FROM audit_log").fetchone()[0]

    def append(self, build: Callable[[Head], Batch]) -> None:
        """Keep what `build` makes of the head, in one transaction; raises `StoreError`."""
        try:
            with self._database.write() as connection:
                head = Head(*connection.execute(_HEAD).fetchone())
                batch = build(head)
                _follow(head, batch.rows)
                connection.executemany(_ROW, batch.rows)
                if batch.erased or batch.policies:
                    _beside(connection, batch)
        except sqlite3.Error as fault:
            raise StoreError(f"the record could not be kept: {fault}") from fault
        self._last = head.sequence + len(batch.rows)
        if batch.erased:
            self._let_go()

    def follow(self, row: Parts) -> bool:
        """Keep a row in one statement: where another process has written since, it has taken the number."""
        if row[0] != self._last + 1:
            return False
        try:
            self._database.once(_ROW, row)
        except sqlite3.IntegrityError:
            return False
        except sqlite3.Error as fault:
            raise StoreError(f"the record could not be kept: {fault}") from fault
        self._last += 1
        return True

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

    def head(self) -> Head:
        """The last row."""
        with self._database.read() as connection:
            return Head(*connection.execute(_HEAD).fetchone())

    def rows(self, *, after: int = 0, upto: int | None = None, run: str | None = None) -> Iterator[Row]:
        """The rows in order, a page at a time, so that nobody who writes has to wait for who reads."""
        end = _NO_END if upto is None else upto
        query = f"{_READ} {'' if run is None else 'AND run = ?'} ORDER BY sequence LIMIT {_PAGE}"
        while True:
            with self._database.read() as connection:
                wanted = (after, end) if run is None else (after, end, run)
                page = [Row(*row) for row in connection.execute(query, wanted)]
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].sequence

    def policy(self, digest: str) -> Mapping[str, bytes] | None:
        """What was kept of a policy."""
        with self._database.read() as connection:
            found = connection.execute("SELECT name, content FROM audit_policies WHERE digest = ?", (digest,)).fetchall()
        return dict(found) or None

    def close(self) -> None:
        """The database is its owner's to close."""


def _follow(head: Head, rows: Sequence[Row]) -> None:
    for number, row in enumerate(rows, head.sequence + 1):
        if row.sequence != number:
            raise StoreError(f"row {row.sequence} does not follow row {number - 1}")


def _beside(connection: sqlite3.Connection, batch: Batch) -> None:
    if batch.erased:
        connection.execute("PRAGMA secure_delete = ON")
        numbers = iter(batch.erased)
        while page := list(islice(numbers, _PAGE)):
            connection.executemany("UPDATE audit_rows SET payload = NULL WHERE sequence = ?", [(number,) for number in page])
    for digest, sources in batch.policies.items():
        kept = [(digest, name, content) for name, content in sources.items()]
        connection.executemany("INSERT OR REPLACE INTO audit_policies VALUES (?, ?, ?)", kept)
