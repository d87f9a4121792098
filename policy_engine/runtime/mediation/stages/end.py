"""The outcome: noted in the run, recorded in the audit. What cannot be recorded is not shown."""

from __future__ import annotations

from typing import Any

from policy_engine.base.decision import Decision
from policy_engine.runtime.mediation.call import Call, Refused, refusal
from policy_engine.runtime.mediation.recording import write_outcome
from policy_engine.runtime.mediation.stages.check import outcome_of, told

_UNRECORDED = "the call was made, but its outcome cannot be recorded, so its result cannot be shown"


def end(call: Call) -> None:
    """The last stage of a call that ran."""
    attempted, run = call.attempted, call.run
    assert attempted is not None
    outcome, output = call.outcome or outcome_of(call), call.output
    if not call.noted:
        with run.lock:
            call.seen = run.history.length
            call.entry = run.history.record(call.request, outcome, decision=call.decided, output=output)
            run.note(f"{call.digest}{attempted.status}".encode())
        call.noted = True
    labels = [] if output is None or not output.obligations else labels_of(output)
    failure = None if attempted.status == "returned" else told(call)
    try:
        write_outcome(call, output, outcome.cost, labels, outcome.result, failure)
    except Exception as fault:
        told_ = f"{_UNRECORDED} ({type(fault).__name__})"
        decision = refusal(call.policy, call.request.tool, "not_available", _UNRECORDED, told_)
        raise Refused(decision, "store", started=True) from None
    call.noted, call.ended = False, True


def labels_of(output: Decision) -> list[list[Any]]:
    """The labels that rules put on a result, as they are recorded."""
    return [[put.rule, put.label, put.path, put.add] for put in output.labels]
