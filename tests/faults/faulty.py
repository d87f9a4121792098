"""A port that goes wrong at its Nth call: it fails, takes long, or answers nonsense. For any port, of tests only.

    for at in itertools.count(1):
        store = Faulty(MemoryCounters(), at=at, how="fail")
        …                                   # what must end in a refusal, whatever goes wrong
        if not store.struck:
            break                           # there are fewer than `at` calls: all have been tried
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from threading import Lock
from typing import Any, Literal as OneOf

How = OneOf["fail", "delay", "lie"]


class Fault(Exception):
    """What a faulty port raises. Its message is a secret: it must not reach an agent."""

    def __init__(self) -> None:
        super().__init__("secret-of-the-store: disk /dev/sda1 is on fire")


class Nonsense:
    """An answer that no port gives. Whatever is asked of it is an error, its truth and its equality too."""

    def __getattr__(self, name: str) -> Any:
        raise Fault

    def __bool__(self) -> bool:
        raise Fault

    def __eq__(self, other: object) -> bool:
        raise Fault

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Any:
        raise Fault

    def __repr__(self) -> str:
        return "secret-of-the-store: nonsense"


class Faulty:
    """Wraps a port. The call number `at` (from 1, of all its methods, or of `only` those) goes wrong; with `lasting`, so do
    all later ones.

    `fail` raises `error` and does nothing, or, with `late`, does what was asked first: the answer was lost on its way.
    `delay` does what was asked after `delay` was called (sleeping 30 seconds, unless the test gives something better, such as
    waiting for an event). `lie` does nothing and answers `nonsense`; give a plausible one to see whether it is believed.
    """

    def __init__(
        self, port: Any, *, at: int, how: How, only: Collection[str] | None = None, lasting: bool = False, late: bool = False,
        error: Callable[[], BaseException] = Fault, delay: Callable[[], object] = lambda: time.sleep(30),
        nonsense: Any = None,
    ) -> None:  # fmt: skip
        self._port = port
        self._at = at
        self._how = how
        self._only = only
        self._lasting = lasting
        self._late = late
        self._error = error
        self._delay = delay
        self._nonsense = Nonsense() if nonsense is None else nonsense
        self._lock = Lock()
        self.calls: list[str] = []

    @property
    def struck(self) -> bool:
        """Whether the call that goes wrong was made."""
        return len(self.calls) >= self._at

    def arm(self, at: int) -> None:
        """Count anew: the call number `at` from now on goes wrong."""
        self.calls = []
        self._at = at

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found) or name.startswith("_") or (self._only is not None and name not in self._only):
            return found

        def call(*args: Any, **named: Any) -> Any:
            with self._lock:
                self.calls.append(name)
                number = len(self.calls)
            if number == self._at or (self._lasting and number > self._at):
                return self._go_wrong(found, args, named)
            return found(*args, **named)

        return call

    def _go_wrong(self, method: Callable[..., Any], args: Any, named: Any) -> Any:
        match self._how:
            case "fail":
                if self._late:
                    method(*args, **named)
                raise self._error()
            case "delay":
                self._delay()
                return method(*args, **named)
            case "lie":
                return self._nonsense() if callable(self._nonsense) else self._nonsense
            case _:
                raise AssertionError(self._how)
