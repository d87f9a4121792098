"""A shop whose ports can be made to go wrong, and hosts in threads and in tasks that use it in the same words.

Time passes for a port that hangs only as a test says: a part of a flow is left behind once its port says that it hangs, not
after some milliseconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any

from anyio.from_thread import BlockingPortal

from policy_engine import Mediator, Policy, Principal
from policy_engine.assembly.approvers import Approvers
from policy_engine.assembly.mediating.pools import Job, Pool
from policy_engine.assembly.mediating.stores import Stores
from policy_engine.runtime.ports.notifier import Notice
from policy_engine.stores.memory.approvals import MemoryApprovals
from policy_engine.stores.memory.counters import MemoryCounters
from policy_engine.stores.memory.history import MemoryHistory
from policy_engine.stores.memory.ledger import MemoryLedger

from .faulty import Faulty, How

PORTS = ("counters", "approvals", "ledger", "log", "history", "telemetry", "notifier")
USER = Principal(id="u1", tenant="acme")
_NEVER = 1 << 60


class Hang:
    """What a port does that hangs: says so, and waits until the test is over."""

    def __init__(self) -> None:
        self.count = 0
        self.over = threading.Event()

    def __call__(self) -> None:
        self.count += 1
        assert self.over.wait(60)


class PatientPool(Pool):
    """Waits as long as it takes, but not for what hangs; what has been left behind is listed."""

    def __init__(self, hang: Hang, *, queues: bool) -> None:
        """`queues`: others wait behind what hangs, because the port does one thing at a time."""
        super().__init__()
        self._hang = hang
        self._queues = queues

    def _await(self, job: Job, seconds: float) -> None:
        before = self._hang.count
        for _ in range(30_000):
            if job.done.wait(0.002 if before == 0 else 0.02):
                return
            if self._hang.count > before or (before and self._queues):
                return


class Notices:
    """Keeps what people are told."""

    def __init__(self) -> None:
        self.told: list[Notice] = []

    def tell(self, notice: Notice) -> None:
        self.told.append(notice)


class Spans:
    """Telemetry whose spans ask it for everything, so that it can go wrong in all of it."""

    def __init__(self) -> None:
        self.via: Any = self

    def begin(self, operation: str, name: str, attributes: Mapping[str, Any]) -> Any:
        return _Span(self.via)

    def current(self) -> AbstractContextManager[Any]:
        return _nothing()

    def tell(self, attributes: Mapping[str, Any]) -> None:
        """Nobody looks."""

    def end(self, error: str | None = None) -> None:
        """Nobody looks."""


class _Span:
    def __init__(self, via: Any) -> None:
        self.current, self.tell, self.end = via.current, via.tell, via.end


@contextmanager
def _nothing() -> Iterator[None]:
    yield


class Shop:
    """A mediator over stores in memory; the port `port` goes wrong at its call number `at`, once it was armed."""

    def __init__(
        self, policy: Policy, port: str | None, how: How, *, nonsense: Any = None, late: bool = False,
        approvers: Approvers | None = None, **options: Any,
    ) -> None:  # fmt: skip
        self.hang = Hang()
        self.pool = PatientPool(self.hang, queues=port in ("ledger", "history"))
        self.counters, self.approvals, self.ledger = MemoryCounters(), MemoryApprovals(), MemoryLedger()
        self.notices, self.spans = Notices(), Spans()
        self.faulty: Any = None

        def of(name: str, real: Any) -> Any:
            if name != port:
                return real
            self.faulty = Faulty(real, at=_NEVER, how=how, delay=self.hang, nonsense=nonsense, late=late)
            return self.faulty

        stores = Stores(
            of("counters", self.counters), of("approvals", self.approvals), of("ledger", self.ledger),
            of("history", MemoryHistory()), False, lambda: None,
        )  # fmt: skip
        self.spans.via = of("telemetry", self.spans)
        self.mediator = Mediator(
            policy, stores, payloads="whole", telemetry=self.spans.via, notifier=of("notifier", self.notices),
            approvers=approvers, check_within=timedelta(minutes=1), sleep=lambda seconds: None, async_sleep=_asleep, **options,
        )  # fmt: skip
        self.mediator._world.log = of("log", self.mediator._world.log)
        for driver in (self.mediator._drivers.sync, self.mediator._drivers.tasks):
            driver._pool = self.pool

    def close(self) -> None:
        """Leave no thread behind."""
        self.hang.over.set()
        if self.faulty is not None:
            self.faulty._at = _NEVER
        self.pool.close()
        self.mediator.close()

    def arm(self, at: int) -> None:
        """From now on, call number `at` of the port goes wrong."""
        if self.faulty is not None:
            self.faulty.arm(at)

    def calm(self) -> None:
        """Nothing hangs any more, and nothing goes wrong; what was left behind has ended."""
        self.hang.over.set()
        for _ in range(10_000):
            if not self.pool.abandoned:
                break
            time.sleep(0.001)
        assert self.pool.abandoned == {}
        if self.faulty is not None:
            self.faulty._at = _NEVER


async def _asleep(seconds: float) -> None:
    """No time passes."""


class SyncHost:
    """Uses a mediator from a thread."""

    def do(self, function: Callable[..., Any], *args: Any, **named: Any) -> Any:
        return function(*args, **named)

    @contextmanager
    def inside(self, handle: Any) -> Iterator[Any]:
        with handle as run:
            yield run

    def tool(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return function


class AsyncHost:
    """Uses a mediator from tasks of an event loop that runs elsewhere."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal

    def do(self, function: Callable[..., Any], *args: Any, **named: Any) -> Any:
        async def awaited() -> Any:
            return await function(*args, **named)

        return self._portal.call(awaited)

    @contextmanager
    def inside(self, handle: Any) -> Iterator[Any]:
        run = self._portal.call(handle.__aenter__)
        try:
            yield run
        except BaseException as fault:
            self._portal.call(handle.__aexit__, type(fault), fault, None)
            raise
        else:
            self._portal.call(handle.__aexit__, None, None, None)

    def tool(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def awaited(**args: Any) -> Any:
            return function(**args)

        return awaited


