"""The connections of one process to one file: one that writes, some that read, none that a fork could carry over.

SQLite forbids to carry an open connection over a fork: parent and child would take each other's locks for their own.
So everything is closed before a fork and opened again when it is needed, in both. One thread at a time writes: SQLite has
it so anyway, and a connection that alone writes keeps its pages and statements.
"""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Callable
from threading import Condition, Lock, get_ident
from typing import Final

from policy_engine.stores.errors import StoreBusy, StoreError

_MOST_IDLE: Final = 8


class Connections:
    """Lends connections. `connect` opens one; `patience` is in seconds."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], patience: float) -> None:
        self._connect = connect
        self._patience = patience
        self._closed = False
        self._trouble: str | None = None
        self._begin_process()
        _ALL.add(self)

    def _begin_process(self) -> None:
        self._process = os.getpid()
        self._writing = Lock()
        self._writing_thread: int | None = None
        self._writer: sqlite3.Connection | None = None
        self._gate = Condition(Lock())
        self._idle: list[sqlite3.Connection] = []
        self._lent = 0

    def _usable(self) -> None:
        if self._closed:
            raise StoreError("the store is closed")
        if self._trouble is None and os.getpid() != self._process:
            self._trouble = "this process was forked without Python's knowledge; open the store again"
        if self._trouble is not None:
            raise StoreError(f"the store cannot be used: {self._trouble}")

    def take_writer(self, deadline: float) -> sqlite3.Connection:
        """The connection that writes, for this thread alone until `give_writer`; raises `StoreError`."""
        if not self._writing.acquire(blocking=False):
            self._wait_to_write(deadline)
        try:
            self._usable()
            self._writing_thread = get_ident()
            if self._writer is None:
                self._writer = self._connect()
            return self._writer
        except BaseException:
            self.give_writer()
            raise

    def _wait_to_write(self, deadline: float) -> None:
        self._usable()
        if self._writing_thread == get_ident():
            raise StoreError("a transaction within a transaction")
        if not self._writing.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise StoreBusy("the store is busy: other threads have been writing for longer than its patience")

    def give_writer(self) -> None:
        """Another thread may write."""
        self._writing_thread = None
        self._writing.release()

    def take_reader(self) -> sqlite3.Connection:
        """A connection to read with; raises `StoreError`."""
        self._usable()
        with self._gate:
            self._usable()
            self._lent += 1
            if self._idle:
                return self._idle.pop()
        try:
            return self._connect()
        except BaseException:
            self._returned()
            raise

    def give_reader(self, connection: sqlite3.Connection) -> None:
        """It has been read."""
        if len(self._idle) < _MOST_IDLE and not self._closed:
            self._returned(connection)
        else:
            connection.close()
            self._returned()

    def _returned(self, connection: sqlite3.Connection | None = None) -> None:
        with self._gate:
            self._lent -= 1
            if connection is not None:
                self._idle.append(connection)
            self._gate.notify_all()

    def close(self) -> None:
        """Close all, once nobody uses them; raises `StoreBusy` where that takes too long. Twice is once."""
        self._closed = True
        if not self._quieten():
            raise StoreBusy("the store cannot be closed: it is in use")
        self._go_on()

    def _quieten(self) -> bool:
        """Wait for transactions to end, let none begin, close all. False where they do not end, or this thread has one."""
        if self._writing_thread == get_ident() or not self._writing.acquire(timeout=self._patience):
            return False
        self._gate.acquire()
        if not self._gate.wait_for(lambda: self._lent == 0, timeout=self._patience):
            self._go_on()
            return False
        for connection in filter(None, (self._writer, *self._idle)):
            connection.close()
        self._writer = None
        self._idle.clear()
        return True

    def _go_on(self) -> None:
        self._gate.release()
        self._writing.release()

    def before_fork(self) -> None:
        """Leave nothing open. A transaction that does not end makes the child's copy of the store unusable."""
        self._quiet = self._quieten()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._quiet:
            self._go_on()

    def after_fork_in_child(self) -> None:
        """Begin again, with locks that no thread of the parent holds."""
        carried = (self._writer, *self._idle)
        self._begin_process()
        if not self._quiet:
            _NEVER_CLOSED.append(carried)
            self._trouble = "this process was forked within a transaction"


_ALL: Final[weakref.WeakSet[Connections]] = weakref.WeakSet()
_NEVER_CLOSED: Final[list[object]] = []
"""Connections of the parent: closing them here would meddle with its transaction."""


def _each(method: Callable[[Connections], None]) -> Callable[[], None]:
    def all_of_them() -> None:
        for connections in list(_ALL):
            method(connections)

    return all_of_them


os.register_at_fork(
    before=_each(Connections.before_fork),
    after_in_parent=_each(Connections.after_fork_in_parent),
    after_in_child=_each(Connections.after_fork_in_child),
)
