"""Where the records of `policy audit stats` and `compare` come from: the file of a store, or an export of one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from policy_engine.audit.entries import entry_of
from policy_engine.audit.metrics.told import Told, line_of
from policy_engine.cli import terminal
from policy_engine.cli.exits import stop
from policy_engine.stores.errors import StoreError
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.ledger import SqliteLedger

LogArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="The file of a store (SQLite), or an export of its audit log (JSON lines).")
]
_MAGIC: Final = b"SQLite format 3\x00"


def records_of(path: Path) -> Iterator[Told]:
    """The records of a file in their order, with a progress bar where that takes long. Ends the command where it cannot be
    read, at the line or record concerned."""
    yield from _stored(path) if is_store(path) else _exported(path)


def is_store(path: Path) -> bool:
    """Whether a file is the store of a mediator, and no export; ends the command where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError as fault:
        stop(f"{path} cannot be read: {fault.strerror}")


def ledger_at(path: Path) -> SqliteLedger:
    """The ledger of a store's file; ends the command where there is none."""
    try:
        return SqliteLedger(database_at(path), tail=False)  # what a command records is in the file itself, with all before it
    except StoreError as fault:
        stop(str(fault))


def database_at(path: Path) -> Database:
    """The file of a store that holds a log; ends the command where there is none."""
    suggestion = "the file that the mediator was given as its store"
    if not is_store(path):
        stop(f"{path} is no store (an SQLite file)", suggestion=suggestion)
    if not _holds_a_log(path):
        stop(f"{path} is a database without an audit log", suggestion=suggestion)
    try:
        return Database(path)
    except StoreError as fault:
        stop(str(fault))


def _stored(path: Path) -> Iterator[Told]:
    ledger = ledger_at(path)
    try:
        count = ledger.head().sequence
    except StoreError as fault:
        stop(f"{path}: {fault}", suggestion="policy audit verify")
    with terminal.stepper("reading records", count) as step:
        try:
            for row in ledger.rows():
                yield entry_of(row)
                step()
        except (StoreError, ValueError) as fault:
            stop(f"{path}: {fault}", suggestion="policy audit verify")
        finally:
            ledger.close()


def _holds_a_log(path: Path) -> bool:
    """Looked at without writing: opening a store makes in it what is missing."""
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'audit_rows'").fetchone() is not None
        finally:
            connection.close()
    except sqlite3.Error:
        return False


def _exported(path: Path) -> Iterator[Told]:
    with path.open("rb") as file, terminal.stepper("reading records", None) as step:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    record = line_of(json.loads(line))
                except (ValueError, RecursionError) as fault:
                    stop(f"{path}:{number} is no record of an audit log: {fault}")
                yield record
                step()
