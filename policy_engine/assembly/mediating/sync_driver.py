"""Runs flows in the caller's thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from types import CoroutineType
from typing import Any, TypeVar

from policy_engine.assembly.mediating.bounding import bounded
from policy_engine.assembly.mediating.pools import Pool
from policy_engine.runtime.mediation.effects import Attempt, Attempted, Check, Effect, Flow, Pause

T = TypeVar("T")


class SyncDriver:
    """`sleep` waits (seconds); `pool` holds calls with a bound on their time. `bound`: seconds for each part of a flow
    between two effects, that is for deciding and checking; None = without end."""

    def __init__(self, pool: Pool, sleep: Callable[[float], None] = time.sleep, bound: float | None = None) -> None:
        self._pool = pool
        self._sleep = sleep
        self.bound = bound

    def drive(self, flow: Flow[T], name: str = "") -> T:
        """What the flow returns or raises; raises `CheckHangs`. `name` is what it decides about."""
        answer: Any = None
        fault: BaseException | None = None
        begun = False
        try:
            while True:
                try:
                    if self.bound is None:
                        effect: Effect = flow.send(answer) if fault is None else flow.throw(fault)
                    else:
                        effect = self._step(flow, answer, fault, name, begun)
                except StopIteration as ended:
                    return ended.value  # type: ignore[no-any-return]
                answer, fault, begun = None, None, True
                if isinstance(effect, Attempt):
                    answer = self._attempt(effect)
                else:
                    try:
                        answer = self._waited(effect, name)
                    except BaseException as stopped:
                        fault = stopped
        finally:
            try:
                flow.close()
            except ValueError:  # it still runs, left behind, and is closed when it does not
                answer = None

    def _waited(self, effect: Pause | Check, name: str) -> Any:
        if isinstance(effect, Check):
            return bounded(self._pool, name, effect.work, effect.seconds)
        return self._sleep(effect.seconds)

    def _step(self, flow: Flow[Any], answer: Any, fault: BaseException | None, name: str, begun: bool) -> Effect:
        def step() -> Effect:
            return flow.send(answer) if fault is None else flow.throw(fault)

        assert self.bound is not None
        return bounded(self._pool, name, step, self.bound, flow, begun=begun)

    def _attempt(self, effect: Attempt) -> Attempted:
        begun = time.monotonic_ns()
        try:
            if effect.within is None and effect.seconds is None:
                attempted = Attempted("returned", effect.execute(**effect.args), None, time.monotonic_ns() - begun)
            else:
                attempted = self._within(effect, begun)
        except Exception as raised:
            return Attempted("error", error=raised, duration=time.monotonic_ns() - begun)
        except BaseException as stopped:
            return Attempted("cancelled", error=stopped, duration=time.monotonic_ns() - begun)
        if isinstance(attempted.value, CoroutineType):
            attempted.value.close()
            problem = f"{effect.tool} is a coroutine function; call it in `async with mediator.run(…)`"
            return Attempted("error", error=TypeError(problem), duration=attempted.duration)
        return attempted

    def _within(self, effect: Attempt, begun: int) -> Attempted:
        """In what the host wants it in, and in its time."""
        with nullcontext() if effect.within is None else effect.within:
            if effect.seconds is not None:
                return self._pool.run(effect.tool, lambda: effect.execute(**effect.args), effect.seconds)
            return Attempted("returned", effect.execute(**effect.args), None, time.monotonic_ns() - begun)
