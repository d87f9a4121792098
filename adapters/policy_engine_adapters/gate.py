"""One call on its way through a policy: what every adapter does, whatever its framework.

`begin` decides and records the attempt in one step, so that of two parallel calls the second sees the first; `finish`
decides about the result. Raises nothing of its own; what the host's callables raise goes to the host, and nothing runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Lock
from typing import Any, TypeAlias
from uuid import uuid4

from policy_engine import Agent, Approval, Decision, Event, Outcome, Policy, Principal, Request, Run

Who: TypeAlias = Principal | Mapping[str, Any] | None
WhoOrAsk: TypeAlias = Who | Callable[..., Who]
Actor: TypeAlias = Agent | Mapping[str, Any] | str | None
AgentOrAsk: TypeAlias = Actor | Callable[..., Actor]
ContextOrAsk: TypeAlias = Mapping[str, Any] | Callable[..., Mapping[str, Any]]
Approvals: TypeAlias = Callable[[Request], Sequence[Approval]]
"""Gives the answers that people have given about a call so far."""

_NEEDS_A_MEDIATOR = (
    "this policy has limits, timeouts, retries or breakers, and deciding alone keeps none of them: "
    "give a Mediator of the policy instead of the policy"
)


@dataclass(frozen=True)
class Passage:
    """A call that was decided. `started` is on the monotonic clock, in seconds."""

    request: Request
    decision: Decision
    run: Run | None
    started: float


class Gate:
    """A policy with the host's answers to who asks. Thread-safe; one an adapter."""

    def __init__(
        self,
        policy: Policy,
        *,
        principal: WhoOrAsk = None,
        agent: AgentOrAsk = None,
        context: ContextOrAsk | None = None,
        approvals: Approvals | None = None,
    ) -> None:
        """`principal`, `agent` and `context` are values, or functions of what the framework knows, asked each time.

        Raises `ValueError` for a policy that needs a mediator: nobody here would count its limits.
        """
        if policy.mediated:
            raise ValueError(_NEEDS_A_MEDIATOR)
        self.policy = policy
        self._principal = principal
        self._agent = agent
        self._context = context
        self._approvals = approvals
        self._lock = Lock()
        self._in_flight: set[tuple[int, str]] = set()
        self._used: set[tuple[Any, ...]] = set()

    def begin(
        self,
        tool: str,
        args: Any,
        run: Run | None,
        *,
        id: str | None = None,
        annotations: Mapping[str, Any] | None = None,
        knows: tuple[Any, ...] = (),
    ) -> Passage:
        """Decide a call, and record in the run that it is denied, pending or running."""
        request = self._request(tool, args, annotations or {}, knows)
        given = tuple(self._approvals(request)) if self._approvals is not None else ()
        with self._lock:
            request = replace(request, id=self._free(run, id))
            approvals = [approval for approval in given if _key(approval) not in self._used]
            decision = self.policy.decide(request, run=run, approvals=approvals)
            if approvals and decision.effect == "allow":
                self._spend(request, run, approvals)
            if run is not None:
                status = _STATUS.get(decision.effect, "denied")
                run.record(request, Outcome(status=status), decision=decision)
                if status == "running":
                    self._in_flight.add((id_of(run), str(request.id)))
        return Passage(request, decision, run, time.perf_counter())

    def finish(self, passage: Passage, result: Any) -> Decision:
        """Decide what the agent may see of a result (plain data), and record it."""
        outcome = Outcome(result=result, duration=_since(passage))
        output = self.policy.decide_result(passage.request, outcome, decision=passage.decision, run=passage.run)
        self._record(passage, outcome, output)
        return output

    def failed(self, passage: Passage, error: str) -> None:
        """Record that the call raised, or answered with an error."""
        self._record(passage, Outcome(status="error", error=error, duration=_since(passage)), None)

    def paused(self, passage: Passage) -> None:
        """The framework suspended the call and will make it again under the same id."""
        with self._lock:
            self._in_flight.discard((id_of(passage.run), str(passage.request.id)))

    def event(
        self, name: Any, fields: Mapping[str, Any], run: Run | None, *, attempt: int = 0, knows: tuple[Any, ...] = ()
    ) -> Decision:
        """Decide an event such as `@answer`, and record it."""
        event = Event(
            name=name, fields=fields, principal=_asked(self._principal, knows), agent=_asked(self._agent, knows),
            context=_asked(self._context, knows) or {},
        )  # fmt: skip
        decision = self.policy.decide_event(event, run=run, attempt=attempt)
        if run is not None:
            run.event(event, decision=decision)
        return decision

    def remember(self, tool: str, args: Any, id: str, outcome: Outcome, run: Run, knows: tuple[Any, ...] = ()) -> None:
        """Put a call into a run that was made and judged before, in another process."""
        run.record(replace(self._request(tool, args, {}, knows), id=id), outcome)

    # ------------------------------------------------------------------ details
    def _request(self, tool: str, args: Any, annotations: Mapping[str, Any], knows: tuple[Any, ...]) -> Request:
        return Request(
            tool=tool, args=args, principal=_asked(self._principal, knows), agent=_asked(self._agent, knows),
            context=_asked(self._context, knows) or {}, annotations=annotations,
        )  # fmt: skip

    def _record(self, passage: Passage, outcome: Outcome, output: Decision | None) -> None:
        if passage.run is not None:
            passage.run.record(passage.request, outcome, decision=passage.decision, output=output)
            self.paused(passage)

    def _free(self, run: Run | None, id: str | None) -> str:
        """The framework's id of the call, unless a call of that id still runs: its record must not be replaced."""
        if id is None or (id_of(run), id) in self._in_flight:
            return f"{id or 'call'}-{uuid4().hex}"
        return id

    def _spend(self, request: Request, run: Run | None, approvals: Sequence[Approval]) -> None:
        """Approvals that let the call pass do not count again, in any run: those of rules that ask without them."""
        rules = {ask.rule for ask in self.policy.decide(request, run=run).asks}
        for approval in approvals:
            if approval.rule in rules:
                self._used.add(_key(approval))
                if run is not None:
                    run.approval_used(approval)


_STATUS: dict[str, Any] = {"allow": "running", "escalate": "pending"}


def id_of(run: Run | None) -> int:
    """A key for a run that lives as long as the passage that holds it."""
    return id(run)


def _key(approval: Approval) -> tuple[Any, ...]:
    """What makes an answer this one: whoever gives the same answer to the same question gives it once."""
    approver = str(approval.approver.get("id", ""))
    return approval.rule, approval.queue, approval.digest, approval.expires, approval.answer, approver


def _asked(given: Any, knows: tuple[Any, ...]) -> Any:
    return given(*knows) if callable(given) else given


def _since(passage: Passage) -> timedelta:
    return timedelta(seconds=time.perf_counter() - passage.started)
