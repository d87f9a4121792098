"""Opening the file of a store, or refusing to: what others may change cannot hold limits, approvals and records."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import time
from collections.abc import Sequence
from typing import Any, Final, Literal as OneOf, TypeAlias

from policy_engine.stores.errors import StoreBusy, StoreError

Durability: TypeAlias = OneOf["process", "fsync"]
SYNCHRONOUS: Final = {"process": "NORMAL", "fsync": "FULL"}
_OTHERS_WRITE: Final = 0o022
_CACHED_STATEMENTS: Final = 512
SHORTEST_SLEEP: Final = 0.000_1
LONGEST_SLEEP: Final = 0.002


def make_file(path: str) -> None:
    """Make the file, for its owner only, or see that the one that is there is ours alone to write; raises `StoreError`.

    A file that is there is looked at and not opened: closing it again would drop the locks that SQLite holds on it for
    all of this process (POSIX).
    """
    folder = os.path.dirname(path)
    try:
        _ours(os.stat(folder), stat.S_IFDIR, folder)
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            _ours(os.lstat(path), stat.S_IFREG, path)
    except OSError as error:
        raise StoreError(f"the store {path} cannot be opened: {error.strerror}") from None


def see_that_it_is_ours(status: os.stat_result, path: str) -> None:
    """Raises `StoreError` for what is no plain file, belongs to another user, or can be written by others."""
    _ours(status, stat.S_IFREG, path)


def _ours(status: os.stat_result, kind: int, path: str) -> None:
    """Folders may belong to root too; nobody else may write, or our file could be put in another's place."""
    owners = (os.geteuid(), 0) if kind == stat.S_IFDIR else (os.geteuid(),)
    if stat.S_IFMT(status.st_mode) != kind:
        raise StoreError(f"the store cannot be kept: {path} is no plain {'folder' if kind == stat.S_IFDIR else 'file'}")
    if status.st_uid not in owners:
        raise StoreError(f"the store cannot be kept: {path} belongs to another user")
    if status.st_mode & _OTHERS_WRITE:
        raise StoreError(f"the store cannot be kept: others may write to {path}; take that right from them (chmod go-w)")


def connect(path: str, durability: Durability, patience: float) -> sqlite3.Connection:
    """A connection in WAL mode that never begins a transaction by itself; raises `StoreError`.

    It may be used by any thread, by one at a time.
    """
    connection = sqlite3.connect(
        path, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=_CACHED_STATEMENTS
    )
    try:
        deadline = time.monotonic() + patience
        mode = patiently(connection, "PRAGMA journal_mode = WAL", deadline).fetchone()[0]
        if mode != "wal":
            raise StoreError(f"the store {path} cannot be kept: its file system has no shared memory (journal mode {mode})")
        connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS[durability]}")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA temp_store = MEMORY")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise StoreError(f"the store {path} cannot be opened: {error}") from None
    except BaseException:
        connection.close()
        raise
    return connection


def patiently(
    connection: sqlite3.Connection, statement: str, deadline: float, parameters: Sequence[Any] = ()
) -> sqlite3.Cursor:
    """Run a statement that others may hold up, until `deadline` (of the monotonic clock); then raises `StoreBusy`.

    SQLite's own waiting sleeps up to a tenth of a second a time, so that the last in a crowd starve; these sleeps are short.
    """
    while True:
        try:
            return connection.execute(statement, parameters)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
        if time.monotonic() >= deadline:
            raise StoreBusy("the store is busy: others have been writing for longer than its patience")
        time.sleep(random.uniform(SHORTEST_SLEEP, LONGEST_SLEEP))
