"""A host that decides, acts and records as the mediation does: the smallest one that `redo` can be judged by."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from policy_engine import Approval, Decision, Event, Outcome, Policy, Request
from policy_engine.audit.log import Audit
from policy_engine.base.obligations import plain_obligations
from policy_engine.base.values import datetime_of, timestamp_of
from policy_engine.runtime.ports.audit import Record


class Host:
    """One run of a policy, told to an audit. `at` is nanoseconds and moves on with every decision."""

    def __init__(self, audit: Audit, policy: Policy, run: str, *, at: int, principal: Any, agent: Any, context: Any) -> None:
        self.audit = audit
        self.policy = policy
        self.id = run
        self.at = at
        self.who = {"principal": principal, "agent": agent, "context": context}
        provision = policy.provision()
        audit.keep_policy(policy.digest, provision.sources, provision.about)
        self.run = policy.run(id=run)
        self.begun = policy._core.clock().nanos
        payloads = {name: getattr(value, "fields", value) for name, value in self.who.items()}
        body = {"policy": policy.digest, "attended": True, "started": self.begun}
        self.audit.append(Record("run.begun", at, run, None, body, payloads))

    def body(self, decision: Decision, seen: int) -> dict[str, Any]:
        body: dict[str, Any] = {
            "effect": decision.effect, "rules": list(decision.rules), "cause": "policy", "policy": decision.policy_digest,
            "enforced": True, "seen": seen, "entry": seen,
        }  # fmt: skip
        if decision.errors:
            body["errors"] = [[error.rule, error.kind, error.place] for error in decision.errors]
        if decision.observed:
            body["observed"] = list(decision.observed)
        if decision.degradation is not None:
            body["instead"] = decision.degradation.kind
        return body

    def recorded(self, decision: Decision) -> dict[str, Any]:
        found = [[one.function, list(one.args), one.value, one.error] for one in decision.recorded]
        return {"recorded": found} if found else {}

    def call(
        self, request: Request, result: Any = None, *, approvals: tuple[Approval, ...] = (), fails: str | None = None,
        cost: float = 0.0, id: str | None = None,
    ) -> Decision:  # fmt: skip
        """Decide a call, and where it is allowed let it return `result` or fail."""
        self.at += 1_000_000_000
        own = id or f"#{self.at}"
        moment = datetime_of(timestamp_of(datetime_of_nanos(self.at)))
        request = replace(request, id=own, at=moment, **self.who)
        seen = self.run.snapshot().length
        decision = self.policy.decide(request, run=self.run, approvals=approvals)
        status: Any = {"allow": "running", "escalate": "pending"}.get(decision.effect, "denied")
        self.run.record(request, Outcome(status=status), decision=decision)
        body = {"tool": request.tool, **self.body(decision, seen)}
        body["owes"], owed = plain_obligations(decision.obligations)
        payloads: dict[str, Any] = {**self.recorded(decision), "owed": owed}
        if decision.engine_args is not None:
            payloads["args"] = decision.engine_args
        if decision.engine_args is None or decision.engine_args != request.args:
            payloads["asked"] = request.args
        if approvals:
            payloads["approvals"] = list(approvals)
        if request.annotations or request.digest:
            payloads["tool"] = {"annotations": dict(request.annotations), "digest": request.digest}
        if request.input is not None:
            payloads["input"] = request.input
        digest = self.audit.append(Record("decision", timestamp_of(moment).nanos, self.id, f"{self.id}/{own}", body, payloads))
        if decision.effect == "allow":
            for approval in approvals:
                self.run.approval_used(approval)
            self.end(request, decision, result, fails, cost, digest)
        return decision

    def end(self, request: Request, decision: Decision, result: Any, fails: str | None, cost: float, record: str) -> None:
        outcome = Outcome(
            status="returned" if fails is None else "error", result=result if fails is None else None, error=fails, cost=cost,
            duration=timedelta(milliseconds=3),
        )  # fmt: skip
        seen = self.run.snapshot().length
        output = None if fails else self.policy.decide_result(request, outcome, decision=decision, run=self.run)
        self.run.record(request, outcome, decision=decision, output=output)
        body: dict[str, Any] = {
            "tool": request.tool, "status": outcome.status, "decision": record, "duration": 3_000_000, "cost": cost,
            "effect": "fail", "rules": [], "policy": self.policy.digest, "seen": seen, "entry": seen,
        }  # fmt: skip
        payloads: dict[str, Any] = {} if fails is None else {"error": fails}
        if output is not None:
            body.update(self.body(output, seen))
            body["labels"] = [[put.rule, put.label, put.path, put.add] for put in output.labels]
            payloads = {**self.recorded(output), "result": result}
            if output.allowed:
                payloads["shown"] = output.engine_result
        self.audit.append(Record("outcome", self.at + 5, self.id, f"{self.id}/{request.id}", body, payloads))

    def event(self, name: Any, **fields: Any) -> Decision:
        """Decide an event."""
        self.at += 1_000_000_000
        event = Event(name=name, fields=fields, at=datetime_of_nanos(self.at), **self.who)
        seen = self.run.snapshot().length
        decision = self.policy.decide_event(event, run=self.run)
        self.run.event(event, decision=decision)
        payloads = {"fields": fields, **self.recorded(decision)}
        if decision.allowed:
            payloads["shown"] = decision.engine_result
        body = {"name": name, **self.body(decision, seen)}
        self.audit.append(Record("event", self.at, self.id, None, body, payloads))
        return decision


def datetime_of_nanos(nanos: int) -> Any:
    """An aware moment; whole microseconds, as requests have them."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(nanos // 10**9, UTC) + timedelta(microseconds=nanos // 1000 % 10**6)
