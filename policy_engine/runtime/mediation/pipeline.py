"""The way of a call on one screen: the stages before the tool runs, those after, and what becomes of each refusal.

    identify → decide → reserve → ask → admit → begin → execute → settle → check → end

Whatever a stage raises that is neither `Refused` nor `Waiting` is a fault of ours, and a refusal too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, TypeAlias

from policy_engine.base.refusals import NotRun, Suspended
from policy_engine.runtime.mediation.answering import answer, raised, timed_out
from policy_engine.runtime.mediation.call import Call, Refused, Waiting, refusal
from policy_engine.runtime.mediation.effects import Attempted, Flow
from policy_engine.runtime.mediation.recording import write_decision
from policy_engine.runtime.mediation.runs import Earlier
from policy_engine.runtime.mediation.spans import ended, spanned
from policy_engine.runtime.mediation.stages.admit import admit, release
from policy_engine.runtime.mediation.stages.ask import ask
from policy_engine.runtime.mediation.stages.begin import begin
from policy_engine.runtime.mediation.stages.check import check
from policy_engine.runtime.mediation.stages.decide import decide, note
from policy_engine.runtime.mediation.stages.end import end
from policy_engine.runtime.mediation.stages.execute import execute
from policy_engine.runtime.mediation.stages.identify import identify
from policy_engine.runtime.mediation.stages.reserve import commit, give_back, reserve
from policy_engine.runtime.mediation.stages.settle import settle

Stage: TypeAlias = Callable[[Call], "Flow[None] | None"]
STAGES: Final[tuple[Stage, ...]] = (decide, reserve, ask, admit, begin, execute, settle, check, end)
FREE: Final[tuple[Stage, ...]] = (decide, ask, begin, execute, check, end)
"""For a tool without limits, breakers and retries."""
AGAIN: Final[tuple[Stage, ...]] = (check, end)
"""For a call that was made, and whose result waited for people."""
_UNKNOWN: Final = ("timeout", "cancelled")
_FAULT: Final = "this call could not be mediated, so it is refused"
_FAULT_AFTER: Final = "the call was made, but its result could not be checked, so it cannot be shown"


def mediate(call: Call) -> Flow[Any]:
    """What the call returns, as the agent may see it. Raises what `answering` says."""
    asked, error = call, None
    if call.world.telemetry is not None:
        spanned(call)
    try:
        stages = FREE if call.policy.bounds.free(call.request.tool) else STAGES
        try:
            identify(call)
            known = call.identity  # from here on nobody else makes it
            if known is not None and (known.made is not None or known.earlier is not None):
                if known.earlier is not None:
                    _decided_again(call)
                    return known.earlier.value
                if not known.waiting:
                    _decided_again(call)
                    return answer(known.made)
                call, stages = known.made, AGAIN
            for stage in stages:
                flow = stage(call)
                if flow is not None:
                    yield from flow
        except Refused as refused:
            return (yield from _refused(call, refused))
        except Waiting as waiting:
            return _waits(call, waiting)
        except Exception as fault:
            return (yield from _refused(call, _faulty(call, fault)))
        except Suspended:
            raise
        except BaseException:  # the host's task or thread is stopped, or nobody drives this flow any more
            _stopped(call)
            raise
        output, attempted = call.output, call.attempted
        if output is not None and output.effect == "pass" and call.identity is None and attempted is not None:
            return attempted.value  # by far the most: what the two below come to
        late = _over(call)
        return answer(call) if late is None else (yield from _instead(call, late))
    except Suspended:
        raise
    except BaseException as stopped:
        error = type(stopped).__name__
        raise
    finally:
        if asked.identity is not None:
            asked.identity.busy = False
        if asked.span is not None:
            ended(asked, error)


def _decided_again(call: Call) -> None:
    """A call that has returned is decided again, not made again: neither counted nor noted twice."""
    decision = call.policy.decide(call.request, run=call.run.history)
    if decision.effect == "deny" and call.enforced:
        raise Refused(decision, "policy", started=True)


def _over(call: Call) -> Refused | None:
    """The call is over, and known by its id. Returns a refusal where another call is made instead of one that took too long."""
    identity, attempted = call.identity, call.attempted
    assert attempted is not None
    if identity is not None and attempted.status == "returned":
        identity.made, identity.waiting = call, False
    if identity is not None and attempted.status in _UNKNOWN and not call.policy.bounds.repeatable(call.request):
        identity.earlier = Earlier("unknown")  # an act that may have happened is not made again under its id
    if attempted.status == "timeout":
        late = timed_out(call)
        if late.degradation is not None and late.degradation.kind == "call":
            return Refused(late, "deadline", started=True)
    return None


def _refused(call: Call, refused: Refused) -> Flow[Any]:
    """Give back what was held, note and record the refusal, and do what the policy says instead."""
    if not refused.started and call.attempted is None:
        give_back(call)
        release(call)
        with call.run.lock:
            if refused.cause != "identity":
                note(call, "denied", refused.decision)
        try:
            write_decision(call, refused.decision, refused.cause, refused.wait)
        except Exception:  # nothing runs and nothing is told: the refusal stands
            call.world.unrecorded += 1
    elif call.attempted is not None:
        _unshown(call)
    instead = refused.decision.degradation
    if instead is not None and instead.kind == "call":
        return (yield from _instead(call, refused))
    raise raised(refused)


def _unshown(call: Call) -> None:
    """The tool was called and nobody sees what came of it: it is counted and recorded, and never made again under its id."""
    identity = call.identity
    assert call.attempted is not None
    try:
        settle(call)
    except Exception:
        commit(call, {})
    if identity is not None and call.attempted.status == "returned":
        identity.made, identity.waiting = call, True
    if not call.ended:
        with suppress(Refused):  # the log has failed; asked again, the call is recorded and shown
            end(call)


def _stopped(call: Call) -> None:
    """Whoever made the call is gone. What was not begun is given back; what was is recorded as far as it came."""
    try:
        if call.attempted is None and call.record:
            call.attempted = Attempted("cancelled", error=NotRun("nobody waited for it any more"))
        if call.attempted is not None:
            release(call)
            _unshown(call)
            return
        give_back(call)
        release(call)
        if call.decision is not None:
            write_decision(call, call.decision, call.cause)
    except Exception:  # what stopped the call goes on
        call.world.unrecorded += 1


def _instead(call: Call, refused: Refused) -> Flow[Any]:
    """`else call`: the other call, decided as a call of its own, once. Without its function the refusal stands."""
    found = call.policy.bounds.instead(call.request, refused.decision, run=call.run.history)
    other = None if found is None else call.world.wishes.tools.get(found[0].tool)
    if found is None or other is None or call.given is not None:
        raise raised(refused)
    request, decision = replace(found[0], id=f"{call.request.id}+"), found[1]
    if decision.effect != "allow":
        raise raised(refused)
    return (yield from mediate(
        Call(call.world, call.run, call.policy, call.mode, request, f"{call.name}+", other, given=decision)
    ))  # fmt: skip


def _waits(call: Call, waiting: Waiting) -> Any:
    """People were asked. A call is asked again later; a result that waits stays here until it is."""
    if call.attempted is None:
        try:
            write_decision(call, waiting.decision, call.cause)
        except Exception:  # the question stands, and the call has not run
            call.world.unrecorded += 1
    else:
        if call.identity is not None:
            call.identity.made, call.identity.waiting = call, True
        try:
            end(call)
        except Refused as refused:
            raise raised(refused) from None
    if call.identity is not None:
        call.identity.tries += 1
    raise raised(waiting)


def _faulty(call: Call, fault: Exception) -> Refused:
    started = call.attempted is not None
    said = _FAULT_AFTER if started else _FAULT
    told = f"{said} ({type(fault).__name__} in the mediator)"
    return Refused(refusal(call.policy, call.request.tool, "internal", said, told), "engine", started=started)
