"""The outcome: noted in the run, recorded in the audit. What cannot be recorded is not shown."""

from __future__ import annotations

from typing import Any

from policy_engine.base.decision import Decision
from policy_engine.base.values import Timestamp
from policy_engine.runtime.mediation.call import UNREAD, Call, Refused, refusal
from policy_engine.runtime.mediation.recording import write_outcome
from policy_engine.runtime.mediation.stages.check import data_of, outcome_of, told

_UNRECORDED = "the call was made, but its outcome cannot be recorded, so its result cannot be shown"


def end(call: Call) -> None:
    """The last stage of a call that ran."""
    attempted, output, run = call.attempted, call.output, call.run
    assert attempted is not None
    if not call.noted:
        with run.lock:
            call.seen = run.history.length
            call.entry = _noted(call, output)
            run.note(f"{call.digest}{attempted.status}".encode())
        call.noted = True
    labels = [] if output is None or not output.obligations else labels_of(output)
    failure, data = (None, call.data) if attempted.status == "returned" else (told(call), None)
    if data is UNREAD:
        data = data_of(call)
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


def _noted(call: Call, output: Decision | None) -> int:
    """The entry in the run's history; in the fewest steps for a result that passed as it was."""
    history, request, args = call.run.history, call.request, call.decided.engine_args
    if output is None or output.effect != "pass" or output.obligations or args is None or type(request.at) is not Timestamp:
        return history.record(request, outcome_of(call), decision=call.decided, output=output)
    return history.attempt(request, args, "returned", request.at, output.engine_result)
