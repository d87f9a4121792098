"""Work in a thread that no cancellation tears apart: whoever waits is told of it when the work has ended.

A shield keeps anyio's own cancellation away, but not `task.cancel()` of asyncio, by which most hosts cancel.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


async def uninterrupted(work: Callable[[], T]) -> tuple[T, BaseException | None]:
    """What `work` returns, or raises, in a thread; and the cancellation that came meanwhile, which the caller must raise.

    Work that a cancellation came before is done all the same: it is a part of something that was begun.
    """
    job = _Job(work)
    stopped: BaseException | None = None
    while not job.ended.is_set():
        try:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(job)
        except Exception:  # there is no thread to be had: what was begun is ended all the same
            job()
        except BaseException as cancelled:
            stopped = stopped or cancelled
    if job.fault is not None:
        raise stopped or job.fault
    return job.value, stopped


class _Job(Generic[T]):
    """Does its work once; whoever asks again waits until it is done."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self.ended = threading.Event()
        self.value: Any = None
        self.fault: BaseException | None = None

    def __call__(self) -> None:
        with self._lock:
            if self.ended.is_set():
                return
            try:
                self.value = self._work()
            except BaseException as fault:
                self.fault = fault
            finally:
                self.ended.set()
