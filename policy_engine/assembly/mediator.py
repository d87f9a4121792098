"""`Mediator`: a policy between agents and their tools, with everything it stands on plugged in.

    with Mediator(policy, store="sqlite:///state.db") as mediator:
        with mediator.run(principal=Principal(id="u1"), agent="support-bot", input="refund order 7") as run:
            result = run.call("crm.refund", {"id": "7", "amount": 50.0}, execute=refund)

`async with mediator.run(…) as run` gives the same with `await`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Literal as OneOf, Self, TypeAlias

import anyio

from policy_engine.assembly.approvers import Approvers
from policy_engine.assembly.asking import desk
from policy_engine.assembly.loading import Paths, load
from policy_engine.assembly.mediating import modes, reloading
from policy_engine.assembly.mediating.async_driver import AsyncDriver
from policy_engine.assembly.mediating.backoff import jittered
from policy_engine.assembly.mediating.clocks import machine_clocks
from policy_engine.assembly.mediating.failures import retryable as usually_retryable
from policy_engine.assembly.mediating.guarded_telemetry import GuardedTelemetry
from policy_engine.assembly.mediating.handles import Drivers, RunHandle
from policy_engine.assembly.mediating.modes import Switch
from policy_engine.assembly.mediating.pools import PLACES, Pool
from policy_engine.assembly.mediating.provisioning import provisioned
from policy_engine.assembly.mediating.stores import Stores, opened
from policy_engine.assembly.mediating.sync_driver import SyncDriver
from policy_engine.assembly.mediating.ticking import Ticker, tick
from policy_engine.assembly.watching import WatchedLog
from policy_engine.audit.log import Audit
from policy_engine.audit.signing import Signer
from policy_engine.base.request import Agent, Principal
from policy_engine.runtime.engine import Policy
from policy_engine.runtime.mediation.lifecycle import Start
from policy_engine.runtime.mediation.past import Past
from policy_engine.runtime.mediation.world import Mode, Pending as PendingStyle, Wishes, World
from policy_engine.runtime.ports.audit import AuditLog, Watcher
from policy_engine.runtime.ports.notifier import Notifier
from policy_engine.runtime.ports.telemetry import Telemetry

_TICK_SECONDS: Final = 5.0
Durability: TypeAlias = OneOf["process", "fsync"]
Payloads: TypeAlias = OneOf["masked", "whole", "digests"]


class Mediator:
    """A policy at work. Thread-safe; one a process is enough, and several processes may share one SQLite store.

    `store`: `memory://`, `sqlite:///PATH`, or `Stores` of your own. `durability`: what a record survives, the death of the
    process or the loss of power. `payloads`: whether arguments and results are kept without secrets, whole, or as digests.
    """

    def __init__(
        self,
        policy: Policy,
        store: str | Stores = "memory://",
        *,
        durability: Durability = "process",
        payloads: Payloads = "masked",
        signer: Signer | None = None,
        approvers: Approvers | None = None,
        notifier: Notifier | None = None,
        host_key: bytes | None = None,
        pending: PendingStyle = "raise",
        tools: Mapping[str, Callable[..., Any]] | None = None,
        retryable: Callable[[BaseException], bool] = usually_retryable,
        to_data: Callable[[Any], Any] | None = None,
        cost: Callable[[str, Any], float] | None = None,
        check_within: timedelta | None = None,
        places_per_tool: int = PLACES,
        mode: Mode = "enforce",
        telemetry: Telemetry | None = None,
        watchers: Sequence[Watcher] = (),
        clock: Callable[[], datetime] | None = None,
        monotonic: Callable[[], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        async_sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        """`approvers` are the people who may answer, with their keys; `notifier` tells them; `host_key` marks what the host
        says of its user, so that it counts in other processes too. `pending`: a call that waits for people raises `Pending`
        (`"raise"`), waits (`"wait"`), or hands its open questions to a function and waits. `tools` are functions by name, for
        `else call` and for calls without `execute`.

        `retryable` says of a failure that another try may mend it, `to_data` makes plain data of results, `cost` tells what a
        call cost. `check_within` bounds deciding and checking itself, `places_per_tool` the calls of one tool that may go on
        after their time. `mode="observe"` decides and records without refusing. Clocks and sleeps are for tests.
        Raises what opening the store raises, and where the policy's sources cannot be kept.
        """
        self.closed = False
        self._stores = stores = opened(store, durability=durability) if isinstance(store, str) else store
        self._approvers = approvers
        self._audit = Audit(stores.ledger, payloads=payloads, signer=signer)
        log: AuditLog = WatchedLog(self._audit, watchers) if watchers else self._audit
        clocks = machine_clocks(clock, monotonic)
        self.people = desk(
            stores.approvals, new_id=clocks.new_id, approvers=approvers, notifier=notifier, host_key=host_key
        )
        wishes = Wishes(
            pending=pending, retryable=retryable, to_data=to_data, cost=cost, tools=dict(tools or {}), backoff=jittered
        )
        guarded = None if telemetry is None else GuardedTelemetry(telemetry)
        self._world = World(self._bound(policy), stores.counters, self.people, log, guarded, clocks, wishes, mode)
        self._pool = pool = Pool(places_per_tool)
        bound = None if check_within is None else check_within.total_seconds()
        self._drivers = Drivers(
            SyncDriver(pool, sleep, bound), AsyncDriver(pool, async_sleep, threaded=stores.blocking, bound=bound)
        )
        provisioned(self._world, self._world.policy)
        self._ticker = None if notifier is None else Ticker(self._world, _TICK_SECONDS)
        if mode == "observe":
            modes.record_mode(self._world, mode, "host", None)

    def _bound(self, policy: Policy) -> Policy:
        """The policy, keeping its histories where everything else is kept."""
        return policy.kept_in(self._stores.history) if policy.compiled.histories else policy

    @property
    def policy(self) -> Policy:
        """The policy in force for calls that begin now."""
        return self._world.policy

    @property
    def audit(self) -> Audit:
        """The record of everything that happened here."""
        return self._audit

    @property
    def mode(self) -> Mode:
        """Whether refusals count."""
        return self._world.mode

    @property
    def unrecorded(self) -> int:
        """Refusals and other news that the log did not keep, because it failed; not 0 is a reason to look at the store."""
        return self._world.unrecorded

    @property
    def abandoned(self) -> dict[str, int]:
        """Sync calls that go on after their time, by tool."""
        return self._pool.abandoned

    def run(
        self,
        *,
        principal: Principal | Mapping[str, Any] | None = None,
        agent: Agent | Mapping[str, Any] | str | None = None,
        input: str | None = None,
        context: Mapping[str, Any] | None = None,
        id: str | None = None,
        task: str | None = None,
        resume: bool = False,
        attended: bool = True,
        within: timedelta | None = None,
        conversation: str | None = None,
        past: Sequence[Past] = (),
    ) -> RunHandle:
        """A run to be entered: `with` for threads, `async with` for tasks.

        `input` is what the user asked, in their own words; `task` names what is to be done, so that runs can be compared;
        `attended` = the user can be asked; `within` bounds the whole run.

        `conversation` is the host's name of what this run is a part of: limits per run count over all runs of it. `past` is what
        happened in it before: `@input` events, and calls (a request and what came of it). Rules read it; nothing else
        follows from it.

        `resume=True` goes on with run `id` of the same principal where another process left it: with its history, its time and
        the calls it knows; entering it raises `NotResumable` where the log does not tell enough.
        """
        start = Start(
            principal=principal, agent=agent, input=input, context=context, id=id, task=task, resume=resume, attended=attended,
            within=within, conversation=conversation, past=tuple(past),
        )  # fmt: skip
        return RunHandle(self._world, self._drivers, start, ledger=self._stores.ledger)

    def reload(self, policy: Policy | Paths, **options: Any) -> Policy:
        """Put another version in force for calls that begin from now on; `options` are those of `load`.

        Raises `PolicyError` or `OSError` for one that does not load: the old one then stays in force, and the audit says so.
        """
        return reloading.reload(
            self._world, lambda: self._bound(policy if isinstance(policy, Policy) else load(policy, **options))
        )

    def switch(self, wanted: Switch) -> None:
        """Enforce or observe from now on. Raises `NotAuthorised` unless an approver of the queue `operators` signed for it."""
        modes.switch(self._world, self._approvers, wanted)

    def tick(self) -> None:
        """Move questions whose tier's time is over to the next. Done by itself every few seconds where there is a `notifier`."""
        tick(self._world)

    def close(self) -> None:
        """Sign the end of the audit, if it is signed, and let go of the stores. Once is enough; no call passes after it."""
        if not self.closed:
            self.closed = True
            if self._ticker is not None:
                self._ticker.stop()
            self._pool.close()
            self._audit.close()
            self._stores.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
