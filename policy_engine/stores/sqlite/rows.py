"""The tables of the audit log, and what is said to them. Called within a transaction of `SqliteLedger`'s.

A row is found by its number, and nothing else is indexed: what is committed alone writes two pages. The head is kept apart, so
that rows taken off the end by hand are missed. `tail` names the tail that is in use: rows that are not here yet stand in it,
and no row is added here but with those. Erased payloads are overwritten in the file (`secure_delete`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import islice
from typing import Final

from policy_engine.runtime.ports.ledger import Batch, Head, Parts, Row
from policy_engine.stores.errors import StoreError

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
    "ALTER TABLE audit_log ADD COLUMN tail BLOB; DROP TRIGGER audit_head;",
)
PAGE: Final = 1000
NO_END: Final = (1 << 63) - 1
_ROW: Final = "INSERT INTO audit_rows VALUES (?, ?, ?, ?, ?, ?)"
_READ: Final = "SELECT sequence, digest, run, at, data, payload FROM audit_rows WHERE sequence > ? AND sequence <= ?"


def told(connection: sqlite3.Connection) -> tuple[Head, bytes | None]:
    """The last row of the table, and which tail is in use."""
    sequence, digest, tail = connection.execute("SELECT sequence, digest, tail FROM audit_log").fetchone()
    return Head(sequence, digest), tail


def use(connection: sqlite3.Connection, tail: bytes | None) -> None:
    """This tail from now on, or none."""
    connection.execute("UPDATE audit_log SET tail = ?", (tail,))


def goes_on_after(connection: sqlite3.Connection, head: Head) -> None:
    """Let the next row follow this one. Where it is not there, that is found whenever the chain is followed."""
    connection.execute("UPDATE audit_log SET sequence = ?, digest = ?", head)


def insert(connection: sqlite3.Connection, rows: Sequence[Parts]) -> None:
    """Rows behind all others. A number that is taken is an `IntegrityError`."""
    if rows:
        connection.executemany(_ROW, rows)
        goes_on_after(connection, Head(*rows[-1][:2]))


def keep(connection: sqlite3.Connection, head: Head, batch: Batch) -> Head:
    """A batch behind the head; the new one. Raises `StoreError` for rows that do not follow."""
    see_that_they_follow(head, batch.rows)
    insert(connection, batch.rows)
    if batch.erased:
        connection.execute("PRAGMA secure_delete = ON")
        numbers = iter(batch.erased)
        while page := list(islice(numbers, PAGE)):
            connection.executemany("UPDATE audit_rows SET payload = NULL WHERE sequence = ?", [(number,) for number in page])
    for digest, sources in batch.policies.items():
        kept = [(digest, name, content) for name, content in sources.items()]
        connection.executemany("INSERT OR REPLACE INTO audit_policies VALUES (?, ?, ?)", kept)
    return Head(*batch.rows[-1][:2]) if batch.rows else head


def see_that_they_follow(head: Head, rows: Sequence[Row]) -> None:
    """Raises `StoreError` for a gap, or a number that is taken."""
    for number, row in enumerate(rows, head.sequence + 1):
        if row.sequence != number:
            raise StoreError(f"row {row.sequence} does not follow row {number - 1}")


def page(connection: sqlite3.Connection, after: int, end: int, run: str | None) -> list[Row]:
    """The next rows, `PAGE` of them while there are so many."""
    query = f"{_READ} {'' if run is None else 'AND run = ?'} ORDER BY sequence LIMIT {PAGE}"
    wanted = (after, end) if run is None else (after, end, run)
    return [Row(*row) for row in connection.execute(query, wanted)]
