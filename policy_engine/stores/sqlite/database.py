"""One SQLite file for counters, approvals, audit and history: transactions, versions of its parts, errors that end in time.

Each part (a store) has tables of its own, made by `migrate`. WAL: readers do not wait for the writer. Threads and processes
may share a file; a process that is forked may go on using what it had opened.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from policy_engine.stores.errors import StoreError
from policy_engine.stores.sqlite.connections import Connections
from policy_engine.stores.sqlite.opening import SYNCHRONOUS, Durability, connect, make_file, patiently


class Database:
    """A file, made with access for its owner only; raises `StoreError` for a link, or where others may write.

    `durability` is what a transaction survives once it has ended: `process` the death of this process, `fsync` the loss of
    power too. `patience` = seconds to wait for other threads and processes before `StoreBusy` is raised.
    """

    def __init__(self, path: str | os.PathLike[str], *, durability: Durability = "process", patience: float = 5.0) -> None:
        if durability not in SYNCHRONOUS:
            raise ValueError(f"durability is `process` or `fsync`, not {durability!r}")
        self.path = os.path.abspath(os.fspath(path))
        self.durability: Durability = durability
        self.patience = patience
        make_file(self.path)
        self._connections = Connections(self._connect, patience)
        with self.read():
            pass  # whatever is wrong with the file is said at the start

    def _connect(self) -> sqlite3.Connection:
        return connect(self.path, self.durability, self.patience)

    @contextmanager
    def write(self, *, synced: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction that may write: committed at the end, undone by any exception. One at a time, of all processes.

        `synced` = it survives the loss of power, whatever the durability of the others.
        """
        deadline = time.monotonic() + self.patience
        connections = self._connections
        connection = connections.take_writer(deadline)
        sooner = synced and self.durability == "process"
        try:
            if sooner:
                connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS['fsync']}")
            patiently(connection, "BEGIN IMMEDIATE", deadline)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        finally:
            if sooner:
                connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS['process']}")
            connections.give_writer()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """What was committed at this moment, unchanged until the end. Does not see what this thread is about to write."""
        connections = self._connections
        connection = connections.take_reader()
        try:
            connection.execute("BEGIN")
            patiently(connection, "SELECT 1 FROM sqlite_schema LIMIT 1", time.monotonic() + self.patience).fetchall()
            yield connection
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            connections.give_reader(connection)

    def migrate(self, part: str, steps: Sequence[str]) -> None:
        """Bring the tables of a part up to date: run those of its steps that this file has not seen, all or none.

        A step is SQL, of one statement or several. Steps are only ever added. Raises `StoreError` for a file that a newer
        version has used.
        """
        with self.write() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS parts (part TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID"
            )
            row = connection.execute("SELECT version FROM parts WHERE part = ?", (part,)).fetchone()
            version = row[0] if row else 0
            if version > len(steps):
                raise StoreError(
                    f"{self.path} was written by a newer version: its part `{part}` is at step {version}, "
                    f"and this one knows {len(steps)}"
                )
            for step in steps[version:]:
                for statement in _statements(step):
                    connection.execute(statement)
            if version < len(steps):
                connection.execute("INSERT OR REPLACE INTO parts VALUES (?, ?)", (part, len(steps)))

    def close(self) -> None:
        """Close the file in this process, once its transactions have ended. Whoever asks afterwards gets `StoreError`."""
        self._connections.close()


def _statements(step: str) -> Iterator[str]:
    """The statements of a step (`executescript` would commit what came before)."""
    statement = ""
    for piece in step.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip(" \n;"):
        yield statement
