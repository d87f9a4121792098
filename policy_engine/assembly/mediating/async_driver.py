"""Runs flows in a task, under asyncio or trio. What may wait for a disk or another process waits in a thread meanwhile."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from policy_engine.assembly.mediating.bounding import bounded
from policy_engine.assembly.mediating.pools import Pool
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

    async def drive(self, flow: Flow[T]) -> T:
        """What the flow returns or raises. Cancellation is told to the flow first, which gives back what it holds and records
        what it knows, and then goes on."""
        answer: Any = None
        fault: BaseException | None = None
        while True:
            ended, effect = await self._step(flow, answer, fault)
            if ended:
                return effect  # type: ignore[no-any-return]
            answer = fault = None
            if isinstance(effect, Attempt):
                answer = await self._attempt(effect)
            else:
                try:
                    answer = await self._waited(effect)
                except BaseException as stopped:
                    fault = stopped

    async def _waited(self, effect: Pause | Check) -> Any:
        if isinstance(effect, Check):
            return await anyio.to_thread.run_sync(partial(bounded, self._pool, effect.work, effect.seconds))
        return await self._sleep(effect.seconds)

    async def _step(self, flow: Flow[Any], answer: Any, fault: BaseException | None) -> tuple[bool, Any]:
        def step() -> tuple[bool, Effect | Any]:
            try:
                return False, flow.send(answer) if fault is None else flow.throw(fault)
            except StopIteration as ended:  # must not cross a thread or a coroutine as it is
                return True, ended.value

        if not self._threaded and self._bound is None:
            return step()
        work = step if self._bound is None else partial(bounded, self._pool, step, self._bound)
        with anyio.CancelScope(shield=True):
            ended = await anyio.to_thread.run_sync(work)
        return ended

    async def _attempt(self, effect: Attempt) -> Attempted:
        begun = time.monotonic_ns()
        within = nullcontext() if effect.span is None else effect.span.current()
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
        with anyio.move_on_after(effect.seconds):
            await anyio.to_thread.run_sync(job.done.wait, abandon_on_cancel=True)
        attempted = self._pool.end(job, begun)
        if attempted.status == "returned" and inspect.isawaitable(attempted.value):
            return Attempted("returned", await attempted.value, duration=time.monotonic_ns() - begun)
        return attempted
