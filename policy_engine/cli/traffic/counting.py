"""Limits over a recording: they are counted as a mediator would, in memory and at the moments that its lines tell.

What passes counts; what is denied or waits for a person does not. A call with an id holds its place until its outcome
arrives, and then counts what it really used. Breakers, timeouts and retries are about calls that run: nothing is played
of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from itertools import count
from typing import Final

from policy_engine.base.decision import Decision, Phase, RuleError
from policy_engine.base.request import Approval, Event, Outcome, Request
from policy_engine.base.values import Timestamp, timestamp_of
from policy_engine.runtime.details import FixedDetails
from policy_engine.runtime.engine import Policy
from policy_engine.runtime.trace.run import Run
from policy_engine.runtime.windows import demand_of
from policy_engine.stores.memory.counters import MemoryCounters

_LEASE: Final = 1 << 62
_MOST_ROUNDS: Final = 64
_UNCOUNTED: Final = "this cannot be counted, so it is refused"


class Counting:
    """The counters of one recording. Not thread-safe."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._counters = MemoryCounters()
        self._names = count()
        self._held: dict[tuple[str | None, str], tuple[str, list[str]]] = {}

    def call(self, request: Request, decision: Decision, run: Run | None, approvals: Sequence[Approval]) -> Decision:
        """The decision with its limits: as it is where there is room, else what the limit says instead."""
        name = f"call {next(self._names)}"
        made, counters = self._reserved(name, request, decision, run, approvals)
        if not counters:
            return made
        now = _moment(request.at)
        if made.effect != "allow":
            self._counters.refund(name, now=now)
        elif request.id is None:  # no outcome can arrive
            self._counters.commit(name, {}, now=now)
        else:
            self._held[None if run is None else run.id, request.id] = name, counters
        return made

    def would(self, request: Request, decision: Decision, run: Run | None, approvals: Sequence[Approval]) -> Decision:
        """What `call` would say, without counting it."""
        name = f"call {next(self._names)}"
        made, counters = self._reserved(name, request, decision, run, approvals)
        if counters:
            self._counters.refund(name, now=_moment(request.at))
        return made

    def outcome(self, request: Request, decision: Decision, outcome: Outcome, run: Run | None) -> None:
        """The call has ended: it used what its limits can tell now, or what was reserved."""
        found = self._held.pop((None if run is None else run.id, request.id or ""), None)
        if found is None:
            return
        name, counters = found
        spent = self._policy.bounds.settle(request, outcome, decision, run=run) if outcome.status == "returned" else {}
        rules = [one.rule for one in decision.reserves]
        amounts = {counter: spent[rule] for counter, rule in zip(counters, rules, strict=True) if rule in spent}
        self._counters.commit(name, amounts, now=_moment(outcome.at if outcome.at is not None else request.at))

    def event(self, event: Event, decision: Decision, run: Run | None, approvals: Sequence[Approval]) -> Decision:
        """The same of an event, which counts at once."""
        name = f"event {next(self._names)}"
        made, counters = self._reserved(name, event, decision, run, approvals)
        if counters:
            now = _moment(event.at)
            self._counters.commit(name, {}, now=now) if made.allowed else self._counters.refund(name, now=now)
        return made

    def _reserved(
        self, name: str, subject: Request | Event, decision: Decision, run: Run | None, approvals: Sequence[Approval]
    ) -> tuple[Decision, list[str]]:
        """The decision, and the counters of which something is held."""
        now, root = _moment(subject.at), name if run is None else run.id
        beyond: set[int] = set()
        try:
            for _ in range(_MOST_ROUNDS):
                owed = decision.reserves
                if not owed or decision.effect == "deny":
                    return decision, []
                demands = [demand_of(one, now=now, root=root, scope=(self._policy.name,)) for one in owed]
                full = self._counters.reserve(name, demands, now=now, lease=_LEASE, beyond=frozenset(beyond))
                if full is None:
                    return decision, [demand.counter for demand in demands]
                rule = owed[full.index].rule
                instead = self._policy.bounds.over_limit(subject, decision, rule, run=run, approvals=approvals)
                if instead.effect in ("deny", "reply") or any(ask.rule == rule for ask in instead.asks):
                    return instead, []
                if instead.degradation is decision.degradation:  # observed, or people have said so
                    beyond.add(full.index)
                decision = instead
        except Exception as fault:
            told = f"{_UNCOUNTED}: {fault}"
            details = FixedDetails(_UNCOUNTED, told, (RuleError("mediator", "not_available", told, "limits"),))
            named = subject.tool if isinstance(subject, Request) else subject.name
            phase: Phase = "call" if isinstance(subject, Request) else "event"
            decision = Decision("deny", phase, named, args=None, rules=(), details=details, policy_digest=self._policy.digest)
        return decision, []


def _moment(at: datetime | Timestamp | None) -> int:
    """Nanoseconds; lines that tell no moment happen now."""
    return time.time_ns() if at is None else timestamp_of(at).nanos
