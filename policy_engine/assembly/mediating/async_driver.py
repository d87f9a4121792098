"""Runs flows in a task, under asyncio or trio. What may wait for a disk or another process waits in a thread meanwhile."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from policy_engine.assembly.mediating.bounding import bounded
from policy_engine.assembly.mediating.pools import Pool
from policy_engine.assembly.mediating.uninterrupted import uninterrupted
from policy_engine.runtime.mediation.effects import Attempt, Attempted, Check, Effect, Flow, Pause

T = TypeVar("T")


class AsyncDriver:
    """`sleep` waits (seconds). `threaded` = the stores may block, so that parts of a flow run in a thread. `bound` as in
    `SyncDriver`."""

    def __init__(
        self, pool: Pool, sleep: Callable[[float], Awaitable[None]] = anyio.sleep, *, threaded: bool = False,
        bound: float | None = None,
    ) -> None:  # fmt: skip
        self._pool = pool
        self._sleep = sleep
        self._threaded = threaded
        self._bound = bound

    async def drive(self, flow: Flow[T], name: str = "") -> T:
        """What the flow returns or raises; raises `CheckHangs`. `name` is what it decides about.

        Cancellation is told to the flow first, which gives back what it holds and records what it knows, and then goes on.
        """
        answer: Any = None
        fault: BaseException | None = None
        begun = False
        try:
            while True:
                ended, effect, stopped = await self._step(flow, answer, fault, name, begun)
                if ended:
                    if stopped is not None:
                        raise stopped
                    return effect  # type: ignore[no-any-return]
                answer, fault, begun = None, stopped, True
                if stopped is not None:
                    continue
                if isinstance(effect, Attempt):
                    answer = await self._attempt(effect)
                else:
                    try:
                        answer = await self._waited(effect, name)
                    except BaseException as cancelled:
                        fault = cancelled
        finally:
            with suppress(ValueError):  # it still runs, left behind, and is closed when it does not
                flow.close()

    async def _waited(self, effect: Pause | Check, name: str) -> Any:
        if not isinstance(effect, Check):
            return await self._sleep(effect.seconds)
        answer, stopped = await uninterrupted(partial(bounded, self._pool, name, effect.work, effect.seconds))
        if stopped is not None:
            raise stopped
        return answer

    async def _step(
        self, flow: Flow[Any], answer: Any, fault: BaseException | None, name: str, begun: bool
    ) -> tuple[bool, Any, BaseException | None]:
        """Whether the flow has ended, its effect or result, and what stopped this task meanwhile."""

        def step() -> tuple[bool, Effect | Any]:
            try:
                return False, flow.send(answer) if fault is None else flow.throw(fault)
            except StopIteration as ended:  # must not cross a thread or a coroutine as it is
                return True, ended.value

        if self._bound is not None:
            made, stopped = await uninterrupted(
                partial(bounded, self._pool, name, step, self._bound, flow, begun=begun)
            )
        elif self._threaded:
            made, stopped = await uninterrupted(step)
        else:
            made, stopped = step(), None
        return *made, stopped

    async def _attempt(self, effect: Attempt) -> Attempted:
        begun = time.monotonic_ns()
        within = nullcontext() if effect.within is None else effect.within
        try:
            with within:
                if not inspect.iscoroutinefunction(inspect.unwrap(effect.execute)):
                    return await self._in_thread(effect, begun)
                with anyio.move_on_after(effect.seconds) as scope:
                    value = await effect.execute(**effect.args)
                    return Attempted("returned", value, duration=time.monotonic_ns() - begun)
            if scope.cancelled_caught:
                return Attempted("timeout", duration=time.monotonic_ns() - begun)
            raise AssertionError("a scope ended without a value and without its time")
        except Exception as fault:
            return Attempted("error", error=fault, duration=time.monotonic_ns() - begun)
        except BaseException as stopped:  # the task is cancelled: the call was begun, and nobody knows how far it came
            return Attempted("cancelled", error=stopped, duration=time.monotonic_ns() - begun)

    async def _in_thread(self, effect: Attempt, begun: int) -> Attempted:
        """A sync tool in a thread of the pool; what it returns may still be awaited."""
        job = self._pool.begin(effect.tool, partial(effect.execute, **effect.args))
        if job is None:
            return Attempted("busy")
        try:
            with anyio.move_on_after(effect.seconds):
                await anyio.to_thread.run_sync(job.done.wait, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))
        except BaseException:  # this task is cancelled, the thread is not
            self._pool.end(job, begun)
            raise
        attempted = self._pool.end(job, begun)
        if attempted.status == "returned" and inspect.isawaitable(attempted.value):
            return Attempted("returned", await attempted.value, duration=time.monotonic_ns() - begun)
        return attempted
