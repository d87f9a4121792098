"""Whether the process that holds a place still lives, without a heartbeat: the kernel drops its locks when it ends.

Each process draws a number and locks the byte at that place of a file beside the database. Whoever finds the byte
unlocked knows that its owner is gone, however it went, at once and without reading a clock. POSIX locks belong to a process
and are not inherited: a forked child draws a number of its own. They are lost when a process closes any descriptor of the
file, so it is opened once a process and never closed.
"""

from __future__ import annotations

import fcntl
import os
import random
from threading import Lock
from typing import Final

from policy_engine.stores.sqlite.opening import make_file

_HIGHEST: Final = 1 << 62
_SHARED: Final = fcntl.LOCK_SH | fcntl.LOCK_NB
_ALONE: Final = fcntl.LOCK_EX | fcntl.LOCK_NB


class Owners:
    """The processes that use one database. Made by `owners_of`."""

    def __init__(self, path: str) -> None:
        self.process = os.getpid()
        make_file(path)
        self._file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        self.mine = self._draw()

    def _draw(self) -> int:
        """A number that nobody else has; the byte stays locked while this process lives."""
        while True:
            number = random.SystemRandom().randrange(1, _HIGHEST)
            if self._locks(_ALONE, number):
                return number

    def gone(self, owner: int) -> bool:
        """Whether the process has ended. One that is only stopped has not. Two that look at once may both be told no."""
        if owner == self.mine:
            return False
        if not self._locks(_SHARED, owner):
            return False
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, owner)
        return True

    def _locks(self, how: int, number: int) -> bool:
        try:
            fcntl.lockf(self._file, how, 1, number)
        except (BlockingIOError, PermissionError):  # POSIX lets systems choose
            return False
        return True


_KNOWN: Final[dict[str, Owners]] = {}
_LOCKS: Final = [Lock()]


def owners_of(database: str) -> Owners:
    """The owners of a database as this process sees them; raises `StoreError` where the file beside it is not ours."""
    path = os.path.realpath(database) + "-owners"
    with _LOCKS[0]:
        if path not in _KNOWN:
            _KNOWN[path] = Owners(path)
        return _KNOWN[path]


def _forget_the_parents() -> None:
    """A child has its parent's descriptors and none of its locks. They stay open: nothing is gained by closing them."""
    _LOCKS[0] = Lock()
    _KNOWN.clear()


os.register_at_fork(after_in_child=_forget_the_parents)
