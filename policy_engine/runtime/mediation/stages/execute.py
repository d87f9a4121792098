"""Run the tool with exactly the decided arguments: in its time, again where a rule says so, counted by its breakers."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from policy_engine.base.refusals import Suspended
from policy_engine.base.values import NANOS_PER_SECOND
from policy_engine.runtime.bounds.failing import CallError
from policy_engine.runtime.mediation.call import UNREAD, Call, Refused
from policy_engine.runtime.mediation.effects import Attempt, Attempted, Flow, Pause
from policy_engine.runtime.mediation.recording import write_leak
from policy_engine.runtime.mediation.stages.admit import admit, release, report
from policy_engine.runtime.mediation.stages.reserve import commit
from policy_engine.semantics.artifact import CompiledRetry

_MOST_TRIES: Final = 1000
_MICROSECOND: Final = timedelta(microseconds=1)


def execute(call: Call) -> Flow[None]:
    """Fills `call.attempted` with what came of the last attempt."""
    execute, args = call.execute, call.decided.args
    assert execute is not None
    if args is None or not call.enforced:
        args = dict(call.request.args) if not isinstance(call.request.args, str | bytes) else (args or {})
    untimed = call.run.deadline is None and not call.decided.obligations
    begun = call.world.clocks.monotonic()
    try:
        for _ in range(_MOST_TRIES):
            call.tries += 1
            within = None if call.span is None else call.span.current()
            seconds = None if untimed else _seconds(call)
            attempted: Attempted = yield Attempt(call.request.tool, execute, args, seconds, within)
            call.attempted, call.outcome, call.data = attempted, None, UNREAD
            if attempted.abandoned:
                write_leak(call, attempted.abandoned)
            if attempted.status == "returned" and not call.breakers:
                return
            if isinstance(attempted.error, Suspended):
                release(call)
                commit(call, {})
                raise attempted.error
            again = _judged(call, attempted)
            if again is None or not (yield from _paused(call, again)):
                return
    finally:
        call.spent("execute", begun)


def _seconds(call: Call) -> float | None:
    """The shortest of what the policy allows an attempt and what is left of the run."""
    nanos = [left] if (left := call.run.left()) is not None else []
    if call.enforced and (owed := call.decided.timeout) is not None:
        nanos.append(owed.after // _MICROSECOND * 1000)
    return max(0.0, min(nanos) / 1e9) if nanos else None


def _judged(call: Call, attempted: Attempted) -> CompiledRetry | None:
    """Tell the breakers, and find the rule for another try. None = this was the last."""
    if attempted.status in ("cancelled", "busy"):
        release(call)
        return None
    if attempted.status == "returned":
        if call.breakers:
            known = dict(call.policy.bounds.breakers(call.request.tool))
            report(call, {rule: (known[rule], False) for rule in call.breakers})
        return None
    if not call.policy.bounds.has_error_rules(call.request.tool):
        return None
    error = error_of(call, attempted)
    verdict = call.policy.bounds.on_error(call.request, call.decided, error, run=call.run.history)
    report(call, {rule: (breaker, failed) for rule, breaker, failed in verdict.breakers})
    if verdict.retry is None or call.tries > verdict.retry.times or not call.enforced:
        return None
    return verdict.retry


def error_of(call: Call, attempted: Attempted) -> CallError:
    """The failure as rules read it."""
    fault = attempted.error
    if attempted.status == "timeout" or fault is None:
        return CallError("timeout", "the call did not end in its time", call.tries, True)
    return CallError(type(fault).__name__, str(fault), call.tries, call.world.wishes.retryable(fault))


def _paused(call: Call, retry: CompiledRetry) -> Flow[bool]:
    """Wait before another try; False where the time of the run would be over, or a breaker has opened meanwhile."""
    first, last = retry.first_nanos / NANOS_PER_SECOND, retry.last_nanos / NANOS_PER_SECOND
    seconds = call.world.wishes.backoff(call.tries, first, last)
    left = call.run.left()
    if left is not None and left <= seconds * NANOS_PER_SECOND:
        return False
    try:
        yield Pause(seconds)
    except BaseException as stopped:
        call.attempted = Attempted("cancelled", error=stopped)
        return False
    try:
        admit(call)
    except Refused:
        return False
    return True
