"""A bare policy as adapters use it: decides and records, and keeps no limits, times or breakers; a mediator does.

A call is decided and its attempt recorded in one step, so that of two parallel calls the second sees the first. Raises
nothing of its own but refusals; what the host's callables raise goes to the host, and nothing runs.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Lock
from typing import Any
from uuid import uuid4

from policy_engine import (
    Approval,
    Decision,
    Denied,
    Event,
    Outcome,
    Pending,
    Policy,
    Request,
    Run,
    Suspended,
    message_of,
)
from policy_engine_adapters.protocol import AnyRun, Approvals, Asker, Caller, GuardedRun, Past

_NEEDS_A_MEDIATOR = (
    "this policy has limits, timeouts, retries or breakers, and deciding alone keeps none of them: "
    'write `guarded(Mediator(policy, store="sqlite:///state.db"), …)` instead of `guarded(policy, …)`'
)


@dataclass(frozen=True)
class Passage:
    """A call that was decided. `started` is on the monotonic clock, in seconds."""

    request: Request
    decision: Decision
    run: Run | None
    started: float


class Gate:
    """Implements `protocol.Guard`."""

    def __init__(self, policy: Policy, approvals: Approvals | None = None) -> None:
        """Raises `ValueError` for a policy that needs a mediator: nobody here would count its limits."""
        if policy.mediated:
            raise ValueError(_NEEDS_A_MEDIATOR)
        self.policy = policy
        self._approvals = approvals
        self._lock = Lock()
        self._in_flight: set[tuple[int, str]] = set()
        self._used: set[tuple[Any, ...]] = set()

    def begin(self, who: Asker, *, key: str | None, attended: bool, past: Sequence[Past]) -> GuardedRun:
        """A run in memory, which has had this past."""
        run = self.policy.run(id=key, attended=attended)
        for one in past:
            if isinstance(one, Event):
                event = replace(one, principal=who.principal, agent=who.agent, context=who.context or {})
                run.event(event, decision=self.policy.decide_event(event, run=run))
            else:
                request, outcome = one
                run.record(_asked_by(who, request), outcome)
        return PolicyRun(self, run)

    def caller(self, given: AnyRun | None) -> Caller:
        """Within the host's run, or without any history."""
        if given is not None and not isinstance(given, Run):
            raise TypeError("this run is a mediator's: write `guarded(mediator, …)`, or give a run of the policy")
        return PolicyRun(self, given)

    # ------------------------------------------------------------------ the way of a call
    def admit(self, request: Request, run: Run | None) -> Passage:
        """Decide a call, and record in the run that it is denied, pending or running. Raises `Denied` or `Pending`."""
        given = tuple(self._approvals(request)) if self._approvals is not None else ()
        with self._lock:
            request = replace(request, id=self._free(run, request.id))
            approvals = [approval for approval in given if _key(approval) not in self._used]
            decision = self.policy.decide(request, run=run, approvals=approvals)
            if approvals and decision.effect == "allow":
                self._spend(request, run, approvals)
            if run is not None:
                status = _STATUS.get(decision.effect, "denied")
                run.record(request, Outcome(status=status), decision=decision)
                if status == "running":
                    self._in_flight.add((id(run), str(request.id)))
        if decision.effect != "allow":
            raise (Pending if decision.effect == "escalate" else Denied)(message_of(decision), decision)
        return Passage(request, decision, run, time.perf_counter())

    def finish(self, passage: Passage, result: Any, to_data: Callable[[Any], Any]) -> Any:
        """Decide what the agent may see of a result, record it, and return that."""
        outcome = Outcome(result=_plain(result, to_data), duration=_since(passage))
        output = self.policy.decide_result(passage.request, outcome, decision=passage.decision, run=passage.run)
        self._record(passage, outcome, output)
        if output.effect == "pass":
            return result
        if output.effect == "redact":
            return output.result
        if output.effect == "reply":
            return message_of(output)
        raise (Pending if output.effect == "escalate" else Denied)(message_of(output), output)

    def failed(self, passage: Passage, fault: BaseException) -> None:
        """Record that the call raised; a suspended one will be made again under its id, and goes on till then."""
        if isinstance(fault, Suspended):
            self._landed(passage)
        else:
            outcome = Outcome(status="error", error=f"{type(fault).__name__}: {fault}", duration=_since(passage))
            self._record(passage, outcome, None)

    # ------------------------------------------------------------------ details
    def _record(self, passage: Passage, outcome: Outcome, output: Decision | None) -> None:
        if passage.run is not None:
            passage.run.record(passage.request, outcome, decision=passage.decision, output=output)
            self._landed(passage)

    def _landed(self, passage: Passage) -> None:
        with self._lock:
            self._in_flight.discard((id(passage.run), str(passage.request.id)))

    def _free(self, run: Run | None, wanted: str | None) -> str:
        """The framework's id of the call, unless a call of that id still runs: its record must not be replaced."""
        if wanted is None or (id(run), wanted) in self._in_flight:
            return f"{wanted or 'call'}-{uuid4().hex}"
        return wanted

    def _spend(self, request: Request, run: Run | None, approvals: Sequence[Approval]) -> None:
        """Approvals that let the call pass do not count again, in any run: those of rules that ask without them."""
        rules = {ask.rule for ask in self.policy.decide(request, run=run).asks}
        for approval in approvals:
            if approval.rule in rules:
                self._used.add(_key(approval))
                if run is not None:
                    run.approval_used(approval)


class PolicyRun:
    """Implements `protocol.GuardedRun` over a run in memory, or over none."""

    def __init__(self, gate: Gate, run: Run | None) -> None:
        """`run` None = nothing is remembered."""
        self._gate = gate
        self._run = run
        self._attempts = 0

    def serves(self, who: Asker) -> bool:
        """Each call is decided for whoever asks for it."""
        return True

    def call(
        self, who: Asker, tool: str, args: Any, execute: Callable[..., Any], *, to_data: Callable[[Any], Any],
        id: str | None = None, annotations: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        """Decide, run, judge."""
        request = Request(tool=tool, args=args, id=id, annotations=annotations or {})
        passage = self._gate.admit(_asked_by(who, request), self._run)
        try:
            result = execute(**(passage.decision.args or {}))
        except BaseException as fault:
            self._gate.failed(passage, fault)
            raise
        if inspect.isawaitable(result):
            return self._awaited(passage, result, to_data)
        return self._gate.finish(passage, result, to_data)

    async def call_async(
        self, who: Asker, tool: str, args: Any, execute: Callable[..., Any], *, to_data: Callable[[Any], Any],
        id: str | None = None, annotations: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        """The same for a coroutine function."""
        return await self.call(who, tool, args, execute, to_data=to_data, id=id, annotations=annotations)

    async def _awaited(self, passage: Passage, coming: Any, to_data: Callable[[Any], Any]) -> Any:
        try:
            result = await coming
        except BaseException as fault:  # cancellation too: the call was begun
            self._gate.failed(passage, fault)
            raise
        return self._gate.finish(passage, result, to_data)

    def input(self, who: Asker, text: str, *, users: bool) -> str:
        """Decided as `@input`, and recorded."""
        fields = {"text": text, "source": "user" if users else "agent", "verified": users}
        return str(self._event(who, "@input", fields)["text"])

    def step(self, who: Asker, text: str, tokens: int) -> None:
        """Decided as `@step`, and recorded."""
        self._event(who, "@step", {"kind": "model", "text": text, "tokens": tokens, "cost": 0.0})

    def answer(self, who: Asker, text: str, data: Any) -> Any:
        """Decided as `@answer`: of an answer that is sent back this run knows how often it was."""
        attempt, self._attempts = self._attempts, 0
        try:
            return self._event(who, "@answer", {"text": text, "data": data}, attempt)
        except Denied as refused:
            if refused.decision.effect == "retry":
                self._attempts = attempt + 1
            if refused.decision.effect == "reply":
                return str(refused)
            raise

    def close(self) -> None:
        """It is only forgotten."""

    def snapshot(self) -> Any:
        """The run as rules see it now; None where nothing is remembered."""
        return None if self._run is None else self._run.snapshot()

    def _event(self, who: Asker, name: Any, fields: Mapping[str, Any], attempt: int = 0) -> Any:
        event = Event(name=name, fields=fields, principal=who.principal, agent=who.agent, context=who.context or {})
        decision = self._gate.policy.decide_event(event, run=self._run, attempt=attempt)
        if self._run is not None:
            self._run.event(event, decision=decision)
        if decision.allowed:
            return decision.result if decision.effect == "redact" else fields
        raise (Pending if decision.effect == "escalate" else Denied)(message_of(decision), decision)


_STATUS: dict[str, Any] = {"allow": "running", "escalate": "pending"}


def _asked_by(who: Asker, request: Request) -> Request:
    return replace(request, principal=who.principal, agent=who.agent, context=who.context or {})


def _plain(result: Any, to_data: Callable[[Any], Any]) -> Any:
    """The result as data, or something that is none, so that the result is withheld: the call has happened."""
    try:
        return to_data(result)
    except Exception:
        return object()


def _key(approval: Approval) -> tuple[Any, ...]:
    """What makes an answer this one: whoever gives the same answer to the same question gives it once."""
    approver = str(approval.approver.get("id", ""))
    return approval.rule, approval.queue, approval.digest, approval.expires, approval.answer, approver


def _since(passage: Passage) -> timedelta:
    return timedelta(seconds=time.perf_counter() - passage.started)
