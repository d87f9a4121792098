"""Calls of the host's functions under a deadline, each in a thread of its own. Called by `host_functions`.

A thread cannot be stopped: one that misses its deadline goes on, counted and bounded. Once all places are taken by such
calls, further ones are refused at once, which is an error in their conditions, never a wait without end.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from policy_engine.base.errors import EvaluationError

MOST_AT_ONCE: Final = 32
"""Calls of one function that run at the same time, those beyond their deadline included."""


class Deadlined:
    """One function with its deadline. `running` and `missed` tell how it does."""

    def __init__(self, name: str, call: Callable[..., Any], deadline: timedelta) -> None:
        self._name = name
        self._call = call
        self._deadline = deadline
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._lock = threading.Lock()
        self.running = 0
        self.missed = 0

    def __call__(self, *arguments: Any) -> Any:
        """What the function returns in time; raises `EvaluationError` if it does not, or raises itself."""
        end = time.monotonic() + self._deadline.total_seconds()
        if not self._places.acquire(timeout=self._deadline.total_seconds()):
            raise EvaluationError("not_available", f"`{self._name}` is busy with {MOST_AT_ONCE} calls that have not ended")
        answer = _Answer()
        try:
            context = contextvars.copy_context()
            work = threading.Thread(
                target=lambda: context.run(self._work, answer, arguments), name=f"policy function {self._name}", daemon=True
            )
            with self._lock:
                self.running += 1
            work.start()
        except BaseException:
            self._ended()
            raise
        if not answer.ready.wait(max(0.0, end - time.monotonic())):
            with self._lock:
                self.missed += 1
            raise EvaluationError("not_available", f"`{self._name}` did not answer within {self._deadline}")
        if answer.failure is not None:
            raise EvaluationError("not_available", f"`{self._name}` failed ({answer.failure})")
        return answer.value

    def _work(self, answer: _Answer, arguments: tuple[Any, ...]) -> None:
        try:
            answer.value = self._call(*arguments)
        except BaseException as fault:  # it ends here, whatever it is: this thread is ours
            answer.failure = type(fault).__name__
        finally:
            self._ended()
            answer.ready.set()

    def _ended(self) -> None:
        with self._lock:
            self.running -= 1
        self._places.release()


class _Answer:
    """What came back from the thread."""

    __slots__ = ("failure", "ready", "value")

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.value: Any = None
        self.failure: str | None = None
