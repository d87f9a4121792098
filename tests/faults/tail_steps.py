"""Each step that a ledger takes with its tail and its database, one of which goes wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from policy_engine.stores.sqlite import tail as tails
from policy_engine.stores.sqlite.database import Database

Wrong = Callable[[str, Callable[[], Any]], Any]
"""What happens at the step instead: gets its name, and how to take it."""


class Steps:
    """Counts steps, and lets the one with the number `at` go wrong, or those of a name."""

    def __init__(self, at: int, wrong: Wrong) -> None:
        self.taken: list[str] = []
        self._at = at
        self._wrong = wrong
        self._named = ""

    def also(self, name: str) -> None:
        """Steps of that name go wrong, whatever their number."""
        self._named = name

    def take(self, name: str, step: Callable[[], Any]) -> Any:
        """Take a step, or what goes wrong there."""
        self.taken.append(name)
        return self._wrong(name, step) if len(self.taken) == self._at or name == self._named else step()

    @property
    def reached(self) -> bool:
        """Whether the wrong step was taken."""
        return len(self.taken) >= self._at


class _Os:
    """The module `os`, each of whose calls on files is a step."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        found = getattr(os, name)
        if name not in ("open", "write", "pwrite", "pread", "ftruncate", "fsync", "unlink", "lseek"):
            return found
        return lambda *args: self._steps.take(name, lambda: found(*args))


@contextmanager
def stepped(steps: Steps) -> Iterator[None]:
    """While what a ledger does is counted."""
    write, flock = Database.write, tails.flock

    @contextmanager
    def transaction(self: Database, **options: Any) -> Iterator[Any]:
        steps.take("begin", lambda: None)
        with write(self, **options) as connection:
            yield connection
            steps.take("commit", lambda: None)
        steps.take("committed", lambda: None)

    def locked(fd: int, kind: int) -> None:
        if kind == tails.LOCK_UN:
            return flock(fd, kind)
        return steps.take("flock", lambda: flock(fd, kind))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "write", transaction)
        patch.setattr(tails, "flock", locked)
        patch.setattr(tails, "os", _Os(steps))
        yield
