"""The outcome: noted in the run, recorded in the audit. What cannot be recorded is not shown."""

from __future__ import annotations

from policy_engine.runtime.mediation.call import Call, Refused, refusal
from policy_engine.runtime.mediation.recording import write_outcome
from policy_engine.runtime.mediation.stages.check import outcome_of, told

_UNRECORDED = "the call was made, but its outcome cannot be recorded, so its result cannot be shown"


def end(call: Call) -> None:
    """The last stage of a call that ran."""
    attempted, run = call.attempted, call.run
    assert attempted is not None
    outcome, output = outcome_of(call), call.output
    if not call.noted:
        with run.lock:
            call.seen = run.history.length
            call.entry = run.history.record(call.request, outcome, decision=call.decided, output=output)
            run.note(f"{call.digest}{attempted.status}".encode())
        call.noted = True
    put_on = () if output is None or not output.obligations else output.labels
    labels = [[put.rule, put.label, put.path, put.add] for put in put_on]
    failure = None if attempted.status == "returned" else told(call)
    try:
        write_outcome(call, output, outcome.cost, labels, outcome.result, failure)
    except Exception as fault:
        told_ = f"{_UNRECORDED} ({type(fault).__name__})"
        decision = refusal(call.policy, call.request.tool, "not_available", _UNRECORDED, told_)
        raise Refused(decision, "store", started=True) from None
    call.noted, call.ended = False, True
