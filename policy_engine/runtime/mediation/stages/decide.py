"""What the policy says of the call, and the attempt noted in the run: of two calls at once the second sees the first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from policy_engine.base.request import Outcome
from policy_engine.base.values import Timestamp
from policy_engine.runtime.mediation.call import Call, Refused, refusal
from policy_engine.runtime.mediation.digests import moment

_STATUS: Final[dict[str, Any]] = {"allow": "running", "escalate": "pending"}
_NOTED: Final = {status: Outcome(status=status) for status in ("running", "pending", "denied")}
_NOT_GIVEN = "this tool was not given to this agent"
_LATE = "the time for this run is over"
_ENDED = "this run has ended"


def decide(call: Call) -> None:
    """Decide with the answers there are, at this moment. Raises `Refused` for a deny."""
    run, clocks = call.run, call.world.clocks
    begun = clocks.monotonic()
    if not run.open:
        raise Refused(refusal(call.policy, call.request.tool, "not_available", _ENDED, _ENDED), "ended")
    if run.deadline is not None and begun >= run.deadline:
        raise Refused(refusal(call.policy, call.request.tool, "not_available", _LATE, _LATE), "deadline")
    if run.only is not None and call.request.tool not in run.only:
        told = f"{_NOT_GIVEN}: `{call.request.tool}` is not among the tools that run {run.id!r} was delegated"
        raise Refused(refusal(call.policy, call.request.tool, "undeclared", _NOT_GIVEN, told), "delegation")
    if call.decision is not None:  # decided again, later
        call.request = replace(call.request, at=moment(clocks.now()))
    with run.lock:
        call.state = run.state
        call.seen = run.history.length
        decision = call.given or call.policy.decide(call.request, run=run.history, approvals=call.answers)
        note(call, _STATUS.get(decision.effect, "denied") if call.enforced else "running", decision)
    call.settle(decision, "policy" if call.given is None else "instead")
    call.spent("decide", begun)
    if decision.effect == "deny" and call.enforced:
        raise Refused(decision, "policy")


def note(call: Call, status: Any, decision: Any = None) -> None:
    """Put what the call has come to into the run. Under its lock."""
    run, request, args = call.run, call.request, None if decision is None else decision.engine_args
    if args is None or type(request.at) is not Timestamp:
        call.entry = run.history.record(request, _NOTED[status], decision=decision)
    else:
        call.entry = run.history.attempt(request, args, status, request.at)
    run.note(f"{call.digest}{status}".encode())
