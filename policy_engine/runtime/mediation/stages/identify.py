"""Who the call is: the same id with the same arguments is the same call, with others it is refused."""

from __future__ import annotations

from policy_engine.runtime.mediation.call import Call, Refused, refusal
from policy_engine.runtime.mediation.digests import bytes_of
from policy_engine.runtime.mediation.runs import KnownCall

_TWICE = "a call of this id was made before, with other arguments; give each call an id of its own"
_MADE = {
    "hidden": "this call was made before this run was resumed, and its result cannot be shown again",
    "unknown": "this call was begun before and may have been made; nobody knows what came of it. Ask again under another id",
}
_RUNNING = "this call is already running; wait for its result"


def identify(call: Call) -> None:
    """Find the call among those of the run; `call.digest` is that of tool and arguments."""
    run, request = call.run, call.request
    call.digest = run.digest(request.tool, bytes_of(request.args))
    if not call.named or request.id is None:
        return
    with run.lock:
        known = run.calls.get(request.id)
        if known is None:
            known = run.calls[request.id] = KnownCall(call.digest, call.name, f"{call.name}@{call.world.clocks.new_id()}")
        problem = _TWICE if known.digest != call.digest else _RUNNING if known.busy else None
        if problem is None and known.earlier is not None:
            problem = _MADE.get(known.earlier.status)
        if problem is None:
            known.busy = True
    if problem is not None:
        told = f"call id {request.id!r} of run {run.id!r}: {problem}"
        raise Refused(refusal(call.policy, request.tool, "invalid_argument", problem, told), "identity")
    call.identity, call.name = known, known.name
