"""Sync tools that may be abandoned: each tool has so many places, so that one that hangs cannot take down others.

A thread cannot be stopped. A call that misses its time goes on in its thread, counted; when all places of its tool are
taken by such calls, further ones do not begin. Threads are kept a while for the next call; they are daemons and hold up no exit.
"""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeAlias

from policy_engine.runtime.mediation.effects import Attempted

PLACES: Final = 32
"""Calls of one tool with a bound on their time that run at once, abandoned ones included."""
_MOST_IDLE: Final = 8
_IDLE_SECONDS: Final = 10.0


class Job:
    """One call in a thread of the pool. `done` is set when it ended; `late` = nobody waits for it any more: then `if_late`
    follows, in the same thread."""

    __slots__ = ("call", "context", "done", "error", "if_late", "late", "lock", "tool", "value")

    def __init__(self, tool: str, call: Callable[[], Any], if_late: Callable[[], object] | None = None) -> None:
        self.tool = tool
        self.call = call
        self.if_late = if_late
        self.context = contextvars.copy_context()
        self.done = threading.Event()
        self.lock = threading.Lock()
        self.late = False
        self.value: Any = None
        self.error: BaseException | None = None


Line: TypeAlias = "queue.SimpleQueue[Job | None]"
"""Where a thread waits for its next job; None = there is none any more."""


class Pool:
    """Threads for calls with a bound. `abandoned` tells, by tool, how many go on after their time."""

    def __init__(self, places: int = PLACES) -> None:
        """`places` for each tool."""
        self._places = places
        self._lock = threading.Lock()
        self._taken: dict[str, int] = {}
        self._abandoned: dict[str, int] = {}
        self._idle: list[Line] = []
        self._closed = False

    @property
    def abandoned(self) -> dict[str, int]:
        """Calls that go on after their time, by tool; a snapshot."""
        with self._lock:
            return {tool: count for tool, count in self._abandoned.items() if count}

    def run(
        self, tool: str, call: Callable[[], Any], seconds: float, if_late: Callable[[], object] | None = None, *,
        always: bool = False,
    ) -> Attempted:  # fmt: skip
        """Call it in a thread, and wait so long at most. `if_late` follows in the thread where nobody waits any more; `always`
        = also where all places are taken."""
        begun = time.monotonic_ns()
        job = self.begin(tool, call, if_late, always=always)
        if job is None:
            return Attempted("busy")
        try:
            self._await(job, seconds)
        except BaseException:  # this thread is stopped, the other one is not
            self.end(job, begun)
            raise
        return self.end(job, begun)

    def _await(self, job: Job, seconds: float) -> None:
        job.done.wait(seconds)

    def begin(
        self, tool: str, call: Callable[[], Any], if_late: Callable[[], object] | None = None, *, always: bool = False
    ) -> Job | None:
        """Start it in a thread; None where the tool's places are taken."""
        with self._lock:
            if self._taken.get(tool, 0) >= self._places and not always:
                return None
            self._taken[tool] = self._taken.get(tool, 0) + 1
            line = self._idle.pop() if self._idle else None
        job = Job(tool, call, if_late)
        if line is None:
            line = queue.SimpleQueue()
            try:
                threading.Thread(target=self._work, args=(line,), name="policy tool", daemon=True).start()
            except BaseException:
                self._leave(tool)
                raise
        line.put(job)
        return job

    def end(self, job: Job, begun: int) -> Attempted:
        """What came of it by now; one that has not ended is abandoned."""
        with job.lock:
            ended = job.done.is_set()
            job.late = not ended
        spent = time.monotonic_ns() - begun
        if not ended:
            with self._lock:
                count = self._abandoned[job.tool] = self._abandoned.get(job.tool, 0) + 1
            return Attempted("timeout", duration=spent, abandoned=count)
        if job.error is not None:
            return Attempted("error", error=job.error, duration=spent)
        return Attempted("returned", job.value, duration=spent)

    def close(self) -> None:
        """Let idle threads end, and those that work when they are done."""
        with self._lock:
            self._closed, idle = True, self._idle
            self._idle = []
        for line in idle:
            line.put(None)

    def _next(self, line: Line) -> Job | None:
        """The next job of a thread; None where it was idle for too long."""
        try:
            return line.get(timeout=_IDLE_SECONDS)
        except queue.Empty:
            with self._lock:
                if line in self._idle:
                    self._idle.remove(line)
                    return None
            return line.get()  # somebody has just chosen this thread

    def _work(self, line: Line) -> None:
        while (job := self._next(line)) is not None:
            try:
                job.value = job.context.run(job.call)
            except BaseException as fault:  # it ends here, whatever it is: this thread is ours
                job.error = fault
            with job.lock:
                job.done.set()
                late = job.late
            if late and job.if_late is not None:
                with suppress(BaseException):
                    job.if_late()
            self._leave(job.tool, late)
            del job
            with self._lock:
                if self._closed or len(self._idle) >= _MOST_IDLE:
                    return
                self._idle.append(line)

    def _leave(self, tool: str, late: bool = False) -> None:
        with self._lock:
            _less(self._taken, tool)
            if late:
                _less(self._abandoned, tool)


def _less(counts: dict[str, int], name: str) -> None:
    """One less, and nothing kept of names that count nothing: agents may invent tools without end."""
    counts[name] -= 1
    if not counts[name]:
        del counts[name]
