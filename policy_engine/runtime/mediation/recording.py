"""What the mediation writes into the audit: a decision before a call runs, an outcome after, and what happens beside.

Bodies hold no values that an agent, a user or a tool chose; those are payloads (`base/records.py`).
"""

from __future__ import annotations

from typing import Any

from policy_engine.base.decision import Decision
from policy_engine.base.obligations import plain_obligations
from policy_engine.base.records import BreakerBody, Cause, DecisionBody, EventBody, LeakBody, OutcomeBody, Status
from policy_engine.base.request import Approval
from policy_engine.base.values import Timestamp, timestamp_of
from policy_engine.runtime.events import PASSED
from policy_engine.runtime.mediation.believing import DIGEST_LENGTH, Nonsense
from policy_engine.runtime.mediation.call import Call
from policy_engine.runtime.mediation.people.desk import Standing
from policy_engine.runtime.mediation.runs import MediatedRun
from policy_engine.runtime.ports.audit import Record, record_of


def write_decision(call: Call, decision: Decision, cause: Cause, wait: int | None = None) -> str:
    """The decision about a call, before it runs or instead. Returns the record's digest; raises what the log raises."""
    body: DecisionBody = {
        "tool": call.request.tool, "effect": decision.effect, "rules": list(decision.rules), "cause": cause,
        "policy": decision.policy_digest, "event": call.digest, "state": call.state, "enforced": call.enforced,
        "tries": 0 if call.identity is None else call.identity.tries, "seen": call.seen, "entry": call.entry,
    }  # fmt: skip
    _besides(body, decision)
    _timed(body, call)
    if call.limits:
        body["limits"] = [list(one) for one in call.limits]
    if decision.degradation is not None:
        body["instead"] = decision.degradation.kind
    if wait is not None:
        body["wait"] = wait
    if decision.effect != "allow" and call.enforced and decision.hint is not None:
        body["hinted"] = True
    args = decision.engine_args
    payloads: dict[str, Any] = {} if args is None else {"args": args}
    if args is None or args != call.request.args:
        payloads["asked"] = call.request.args
    if decision.obligations:
        body["owes"], payloads["owed"] = plain_obligations(decision.obligations)
    if call.request.annotations or call.request.digest is not None:
        payloads["tool"] = {"annotations": dict(call.request.annotations), "digest": call.request.digest}
    if call.answers:
        approved = sorted({str(one.approver.get("id")) for one in call.answers if one.answer == "approved"})
        if approved:
            body["approvers"] = approved
        payloads["approvals"] = [approval_data(one) for one in call.answers]
    if decision.recorded:
        payloads["recorded"] = [[one.function, list(one.args), one.value, one.error] for one in decision.recorded]
    at = call.request.at
    moment = at.nanos if type(at) is Timestamp else call.world.clocks.now() if at is None else timestamp_of(at).nanos
    return write(call.run, record_of(("decision", moment, call.run.id, call.name, body, payloads)))


def write_outcome(call: Call, output: Decision | None, cost: float, labels: list[list[Any]], data: Any, told: str | None) -> str:
    """What came of a call that ran. `data` is the result as data, `told` the failure in words."""
    attempted = call.attempted
    assert attempted is not None
    status: Status = "unknown" if attempted.status == "busy" else attempted.status
    body: OutcomeBody = {
        "tool": call.request.tool, "status": status, "decision": call.record, "tries": call.tries,
        "duration": attempted.duration, "cost": cost, "effect": "fail" if output is None else output.effect,
        "rules": [] if output is None else list(output.rules), "policy": call.policy.digest, "seen": call.seen,
        "entry": call.entry, "attempt": call.attempt,
    }  # fmt: skip
    if attempted.error is not None or status == "timeout":
        body["error"] = "timeout" if attempted.error is None else type(attempted.error).__name__
    if output is not None and output.details is not PASSED:
        _besides(body, output)
        if labels:
            body["labels"] = labels
    _timed(body, call)
    if call.limits:
        body["limits"] = [list(one) for one in call.limits]
    payloads: dict[str, Any] = {}
    if status == "returned":
        payloads["result"] = data
        if output is not None and output.effect == "redact":
            payloads["shown"] = output.engine_result
        if output is not None and output.recorded:
            payloads["recorded"] = [[one.function, list(one.args), one.value, one.error] for one in output.recorded]
    if call.checked:
        payloads["approvals"] = [approval_data(one) for one in call.checked]
    if told is not None:
        payloads["error"] = told
    return write(call.run, record_of(("outcome", call.world.clocks.now(), call.run.id, call.name, body, payloads)))


def write_event(
    run: MediatedRun, name: str, decision: Decision, body: EventBody, fields: Any, approvals: tuple[Approval, ...], at: int
) -> str:
    """An event and what was decided about it."""
    _besides(body, decision)
    payloads: dict[str, Any] = {"fields": fields}
    if decision.allowed:
        payloads["shown"] = decision.engine_result
    if approvals:
        payloads["approvals"] = [approval_data(one) for one in approvals]
    if decision.recorded:
        payloads["recorded"] = [[one.function, list(one.args), one.value, one.error] for one in decision.recorded]
    return write(run, Record("event", at, run.id, None, body, payloads))


def write_people(call: Call, standing: Standing, now: int) -> None:
    """Who was asked and who answered, once each."""
    for event in standing.events:
        kind: Any = "ask" if "tier" in event else "answer"
        write(call.run, Record(kind, now, call.run.id, call.name, event, {}))


def write_breaker(call: Call, rule: str, state: Any) -> None:
    """A breaker that has opened is news; that one is closed is, where it was not before."""
    world = call.world
    if state == world.breakers.get(rule, "closed"):
        return
    world.breakers[rule] = state
    body: BreakerBody = {"rule": rule, "state": state}
    _beside(call, Record("breaker", world.clocks.now(), call.run.id, call.name, body))


def write_leak(call: Call, abandoned: int) -> None:
    """A sync call goes on after its time."""
    body: LeakBody = {"tool": call.request.tool, "abandoned": abandoned}
    _beside(call, Record("leak", call.world.clocks.now(), call.run.id, call.name, body))


def _beside(call: Call, record: Record) -> None:
    """Something worth knowing that decides nothing."""
    try:
        write(call.run, record)
    except Exception:
        call.world.unrecorded += 1


def write(run: MediatedRun, record: Record) -> str:
    """Append to the log; a digest that is none is a log that lies, and a `ValueError`."""
    digest = run.world.log.append(record)
    if type(digest) is not str or len(digest) != DIGEST_LENGTH:
        raise Nonsense("the log gave no digest")
    bytes.fromhex(digest)
    return digest


def _timed(body: Any, call: Call) -> None:
    """What stages took since the call's last record: each is told once."""
    if call.took:
        body["took"], call.took = call.took, {}


def _besides(body: Any, decision: Decision) -> None:
    if decision.observed:
        body["observed"] = list(decision.observed)
    errors = decision.details.errors()
    if errors:
        body["errors"] = [[error.rule, error.kind, error.place] for error in errors]


def approval_data(approval: Approval) -> dict[str, Any]:
    """An approval as engine values."""
    return {
        "rule": approval.rule, "queue": approval.queue, "digest": approval.digest, "answer": approval.answer,
        "expires": timestamp_of(approval.expires), "approver": dict(approval.approver), "id": approval.id,
    }  # fmt: skip
