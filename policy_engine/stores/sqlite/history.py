"""Calls kept across runs, in a file: they outlive the process, and those of one machine share them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from sqlite3 import Connection
from typing import Any, Final

from policy_engine.stores.errors import StoreError
from policy_engine.stores.sqlite.database import Database

_STEPS: Final = (
    """
    CREATE TABLE kept_calls (
        number INTEGER PRIMARY KEY AUTOINCREMENT, history TEXT NOT NULL, key TEXT NOT NULL, call TEXT NOT NULL,
        at INTEGER NOT NULL, until INTEGER NOT NULL, element BLOB NOT NULL, UNIQUE (history, key, call)
    );
    CREATE INDEX kept_calls_time ON kept_calls (history, key, at);
    """,
)
_PUT: Final = """
    INSERT INTO kept_calls (history, key, call, at, until, element) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (history, key, call) DO UPDATE SET at = excluded.at, until = excluded.until, element = excluded.element
"""
_GET: Final = "SELECT element FROM kept_calls WHERE history = ? AND key = ? AND at >= ? ORDER BY number LIMIT ?"
_TOO_OLD: Final = "DELETE FROM kept_calls WHERE history = ? AND key = ? AND at < ?"
_NEXT: Final = "SELECT number, until FROM kept_calls WHERE number > ? ORDER BY number LIMIT ?"
_LOOKED_AT: Final = 4
"""Calls of any key that are looked at, a call that is kept: those of keys that never come again go too."""
_RUN_BYTES: Final = 12
_MIN: Final = -(1 << 63)
_MAX: Final = (1 << 63) - 1


class SqliteHistory:
    """Implements `runtime.ports.history.HistoryStore`.

    `write` turns an element (engine values) into bytes, `read` back, exactly. They are given, since the records of the audit
    are written in the same way and stores do not know it. Raises `StoreError`.
    """

    def __init__(self, database: Database, *, write: Callable[[Any], bytes], read: Callable[[bytes], Any]) -> None:
        self._database = database
        self._write = write
        self._read = read
        self._looked_at = 0
        database.migrate("history", _STEPS)

    def begin(self) -> str:
        """A name for a run: random, so that nobody needs to be asked."""
        return os.urandom(_RUN_BYTES).hex()

    def put(self, history: str, key: str, call: str, element: Mapping[str, Any], *, keep_nanos: int) -> None:
        """Keep a call, in the place where it was kept before; what is too old by its time goes."""
        at = element["at"].nanos
        row = (_text(history), _text(key), _text(call), _whole(at), _whole(at + keep_nanos), self._write(dict(element)))
        with self._database.write() as connection:
            connection.execute(_TOO_OLD, (row[0], row[1], _whole(at - keep_nanos)))
            connection.execute(_PUT, row)
            self._look_around(connection, _whole(at))

    def _look_around(self, connection: Connection, now: int) -> None:
        found = connection.execute(_NEXT, (self._looked_at, _LOOKED_AT)).fetchall()
        late = [(number,) for number, until in found if until < now]
        if late:
            connection.executemany("DELETE FROM kept_calls WHERE number = ?", late)
        self._looked_at = found[-1][0] if len(found) == _LOOKED_AT else 0

    def get(self, history: str, key: str, *, since_nanos: int, most: int) -> list[dict[str, Any]]:
        """The calls made since then, in the order they were begun; at most `most + 1`."""
        with self._database.read() as connection:
            rows = connection.execute(_GET, (_text(history), _text(key), _whole(since_nanos), most + 1)).fetchall()
        try:
            return [dict(self._read(element)) for (element,) in rows]
        except (ValueError, TypeError) as error:
            raise StoreError("a call that was kept cannot be read: the file was changed, or a newer version wrote it") from error


def _whole(nanos: int) -> int:
    """As SQLite can compare it: what lies beyond the years 1677 to 2262 is at their ends (the element has it exactly)."""
    return max(_MIN, min(_MAX, nanos))


def _text(text: str) -> str | bytes:
    """Half a character is no text to SQLite; as bytes it is, and differs from every text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text
