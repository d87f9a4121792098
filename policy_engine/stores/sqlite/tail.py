"""The tail of a log: the file beside the database to which records are appended, so that none of them costs a commit.

Whoever appends holds the file's lock, and compares its end with where it left it: another end means that others have written,
or are done with this file. A file that is given up is made longer by a byte first (`seal`), and never used again. Which tail
is the one in use stands in the database, by its name; nobody makes or removes one but within a transaction there.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from policy_engine.runtime.ports.ledger import Head, Parts, Row
from policy_engine.stores.errors import StoreBusy, StoreError
from policy_engine.stores.sqlite import frames
from policy_engine.stores.sqlite.frames import Contents
from policy_engine.stores.sqlite.opening import LONGEST_SLEEP, SHORTEST_SLEEP, see_that_it_is_ours

try:
    from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, flock

    _locks = True
except ImportError:
    _locks = False

LOCKS: Final = _locks
"""Without locks of this kind there is no tail: rows are kept in the database."""

_FLAGS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_AT_ONCE: Final = 1 << 20


class End(NamedTuple):
    """Where a tail ends. `clean` = nothing stands behind its last row, and nothing is missing."""

    head: Head
    clean: bool


class Tail:
    """One open tail, of one process. What is added survives the death of the process, not the loss of power."""

    __slots__ = ("__weakref__", "_fd", "_mine", "_patience", "_process", "_slot", "base", "last", "name", "size")

    def __init__(self, fd: int, name: bytes, base: int, *, patience: float) -> None:
        self._fd = fd
        self._patience = patience
        self._process = os.getpid()
        self._mine: list[Row] | None = None
        """All rows of this tail, while this process alone has written to it; None once that is not so."""
        self._slot = b""
        """The slot as it stands in the file, where that is looked at or written."""
        self.name = name
        self.base = base
        self.last = -1
        """The last row of what this process has written or seen; `size` is where that ends."""
        self.size = -1

    # ------------------------------------------------------------------ the lock
    def add(self, row: Parts) -> bool:
        """Append a row that follows the last one this process knows. False where others have written, or given this file up."""
        data = frames.frame((row,))
        self._see_that_it_is_not_shared()
        try:
            self._lock(LOCK_EX)
            if os.lseek(self._fd, 0, os.SEEK_END) != self.size:
                return False
            self._put(data, (row,))
            return True
        finally:
            flock(self._fd, LOCK_UN)

    @contextmanager
    def locked(self, *, shared: bool = False) -> Iterator[None]:
        """While nobody else appends; `shared` with those who only read. Raises `StoreBusy`."""
        self._see_that_it_is_not_shared()
        try:
            self._lock(LOCK_SH if shared else LOCK_EX)
            yield
        finally:
            flock(self._fd, LOCK_UN)

    def _see_that_it_is_not_shared(self) -> None:
        """A parent's lock would be ours, and our unlocking its."""
        if os.getpid() != self._process:
            raise StoreError("the store cannot be used: this process was forked without Python's knowledge; open it again")

    def _lock(self, kind: int) -> None:
        """Within a `try` that unlocks: an interrupt may come right behind it."""
        try:
            flock(self._fd, kind | LOCK_NB)
        except BlockingIOError:
            self._wait(kind)
        except OSError as fault:
            raise StoreError(f"the tail of the log cannot be locked: {fault.strerror}") from fault

    def _wait(self, kind: int) -> None:
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            time.sleep(random.uniform(SHORTEST_SLEEP, LONGEST_SLEEP))
            try:
                return flock(self._fd, kind | LOCK_NB)
            except BlockingIOError:
                continue
        raise StoreBusy("the store is busy: others have been writing for longer than its patience")

    # ------------------------------------------------------------------ what wants the lock held
    def begun(self, head: Head) -> None:
        """It has just been made, and stands open at its end."""
        self.size, self.last, self._mine = frames.FRAMES_AT, head.sequence, []
        self._slot = frames.slot(head.sequence, head.digest, frames.FRAMES_AT)

    def extend(self, rows: Sequence[Parts]) -> None:
        """Append rows that follow the end as it was looked at, all or none; raises `StoreError`."""
        self._put(frames.frame(rows), rows)

    def _put(self, data: bytes, rows: Sequence[Parts]) -> None:
        """At the end, where the file stands; undone where not all of it is kept."""
        fd, begun = self._fd, self.size
        sequence, digest = rows[-1][:2]
        try:
            told = frames.slot(sequence, digest, begun + len(data))
            if os.write(fd, data) != len(data):
                raise OSError(0, "only a part of it could be written")
            if os.pwrite(fd, told, frames.SLOT_AT) != len(told):
                raise OSError(0, "only a part of it could be written")
        except OSError as fault:
            self.size = -1  # whatever stands there now, it is looked at before the next row
            _undone(fd, self._slot, begun)
            raise StoreError(f"the record could not be kept: {fault.strerror}") from fault
        self.size, self.last, self._slot = begun + len(data), sequence, told
        if self._mine is not None:
            self._mine.extend(map(frames.packed, rows))

    def look(self) -> End | None:
        """Where it ends, by the slot and what stands behind it; None for a tail that cannot be read. Remembered for `add`."""
        size, known = os.lseek(self._fd, 0, os.SEEK_END), self.size
        if size != known:
            self._mine, self.size = None, -1
        self._slot = _read(self._fd, frames.FRAMES_AT - frames.SLOT_AT, frames.SLOT_AT)
        told = frames.slot_of(self._slot, 0)
        if told is None:
            return None
        if size < told.end:
            return End(told.head, clean=False)
        behind = _read(self._fd, size - told.end, told.end)
        found = frames.followed(behind, 0, told.head)
        clean = found.end == len(behind)
        self.size, self.last = size if clean else -1, found.head.sequence
        return End(found.head, clean)

    def contents(self) -> Contents:
        """All that it holds."""
        mine = self._mine
        whole = mine is not None and len(mine) == self.last - self.base  # not where an interrupt came between two steps
        if mine is not None and whole and self.size == os.lseek(self._fd, 0, os.SEEK_END):
            return Contents(mine, Head(*mine[-1][:2]) if mine else Head(self.base, ""), self.size)
        return frames.contents(_read(self._fd, os.fstat(self._fd).st_size, 0))

    def seal(self) -> None:
        """Make it longer, which needs no room on the disk: whoever knows another end looks into the database."""
        self.size = -1
        os.ftruncate(self._fd, os.fstat(self._fd).st_size + 1)

    def overwrite(self) -> None:
        """Leave nothing of what it held in its blocks."""
        size = os.fstat(self._fd).st_size
        for at in range(0, size, _AT_ONCE):
            os.pwrite(self._fd, bytes(min(_AT_ONCE, size - at)), at)
        os.fsync(self._fd)

    def close(self) -> None:
        """Let go of it, and of the lock."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


def make(path: str, head: Head, *, patience: float) -> Tail:
    """A new tail that follows `head`, in the place of one that is given up. Within a transaction of the database only."""
    try:
        remove(path)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
        tail = Tail(fd, os.urandom(frames.NAME_BYTES), head.sequence, patience=patience)
        os.write(fd, frames.beginning(tail.name, head))
        os.fsync(fd)
        _sync_folder(path)
    except OSError as error:
        raise StoreError(f"the tail of the log cannot be made: {path}: {error.strerror}") from error
    tail.begun(head)
    return tail


def find(path: str, name: bytes, *, patience: float, writing: bool) -> Tail | None:
    """The tail of that name; None where another one is there, or none. Raises `StoreError` for a file that is not ours alone."""
    if not LOCKS:
        raise StoreError(f"the store cannot be used here: it has a tail ({path}), which needs locks that this system lacks")
    try:
        fd = os.open(path, (os.O_RDWR if writing else os.O_RDONLY) | _FLAGS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"the tail of the log cannot be opened: {path}: {error.strerror}") from error
    tail = Tail(fd, name, 0, patience=patience)
    see_that_it_is_ours(os.fstat(fd), path)
    found = frames.name_and_base(_read(fd, frames.FRAMES_AT, 0))
    if found is None or found[0] != name:
        return None
    tail.base = found[1]
    return tail


def remove(path: str) -> None:
    """Take a tail that is given up off the disk. Within a transaction of the database only."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _read(fd: int, length: int, at: int) -> bytes:
    parts = []
    while length > 0 and (part := os.pread(fd, length, at)):
        parts.append(part)
        length -= len(part)
        at += len(part)
    return b"".join(parts)


def _undone(fd: int, slot: bytes, size: int) -> None:
    """Back to where it ended; what remains where that fails too stands behind the slot, as after a crash."""
    try:
        os.pwrite(fd, slot, frames.SLOT_AT)
        os.ftruncate(fd, size)
    except OSError:
        return


def _sync_folder(path: str) -> None:
    fd = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
