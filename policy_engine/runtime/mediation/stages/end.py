"""The outcome: noted in the run, recorded in the audit. What cannot be recorded is not shown."""

from __future__ import annotations

from typing import Any

from policy_engine.base.decision import Decision
from policy_engine.base.request import Outcome
from policy_engine.base.values import Timestamp
from policy_engine.runtime.mediation.call import Call, Refused, refusal
from policy_engine.runtime.mediation.recording import write_outcome
from policy_engine.runtime.mediation.stages.check import data_of, outcome_of, told

_UNRECORDED = "the call was made, but its outcome cannot be recorded, so its result cannot be shown"


def end(call: Call) -> None:
    """The last stage of a call that ran."""
    attempted, output, run = call.attempted, call.output, call.run
    assert attempted is not None
    outcome = None if _passed_as_it_was(call) else outcome_of(call)  # which may ask the host, so not under the lock
    if not call.noted:
        with run.lock:
            call.seen = run.history.length
            call.entry = _noted(call, outcome)
            run.note(f"{call.digest}{attempted.status}".encode())
        call.noted = True
    labels = [] if output is None or not output.obligations else labels_of(output)
    failure, data = (None, data_of(call)) if attempted.status == "returned" else (told(call), None)
    cost = 0.0 if call.world.wishes.cost is None else outcome_of(call).cost
    try:
        write_outcome(call, output, cost, labels, data, failure)
    except Exception as fault:
        told_ = f"{_UNRECORDED} ({type(fault).__name__})"
        decision = refusal(call.policy, call.request.tool, "not_available", _UNRECORDED, told_)
        raise Refused(decision, "store", started=True) from None
    call.noted, call.ended = False, True


def labels_of(output: Decision) -> list[list[Any]]:
    """The labels that rules put on a result, as they are recorded."""
    return [[put.rule, put.label, put.path, put.add] for put in output.labels]


def _passed_as_it_was(call: Call) -> bool:
    """Whether the agent sees the result unchanged and unlabelled: by far the most are noted in the fewest steps."""
    output = call.output
    return (
        output is not None and output.effect == "pass" and not output.obligations
        and call.decided.engine_args is not None and type(call.request.at) is Timestamp
    )  # fmt: skip


def _noted(call: Call, outcome: Outcome | None) -> int:
    """The entry in the run's history. Without an outcome, the result passed as it was."""
    history, output, args, at = call.run.history, call.output, call.decided.engine_args, call.request.at
    if outcome is None and output is not None and args is not None and type(at) is Timestamp:
        return history.attempt(call.request, args, "returned", at, output.engine_result)
    return history.record(call.request, outcome or outcome_of(call), decision=call.decided, output=output)
