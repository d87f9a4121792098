"""The record of the decision, kept before anything runs. What cannot be recorded does not run."""

from __future__ import annotations

from policy_engine.runtime.mediation.call import Call, Refused, refusal
from policy_engine.runtime.mediation.recording import write_decision
from policy_engine.runtime.mediation.stages.ask import use_answers

_UNRECORDED = "this call cannot be recorded now, so it was not made; try again later"


def begin(call: Call) -> None:
    """From here on the call counts as made."""
    if call.answers and call.enforced:
        use_answers(call, call.answers, "call")
    try:
        call.record = write_decision(call, call.decided, call.cause)
    except Exception as fault:
        told = f"{_UNRECORDED} ({type(fault).__name__})"
        raise Refused(refusal(call.policy, call.request.tool, "not_available", _UNRECORDED, told), "store") from None
    with call.run.lock:
        call.run.made += 1
