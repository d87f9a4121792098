"""What the host gets: the result as the agent may see it, or an exception whose message is for the agent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from policy_engine.base.decision import Decision
from policy_engine.base.refusals import BreakerOpen, DeadlineExceeded, Denied, LimitReached, Pending
from policy_engine.base.wording import message_of
from policy_engine.runtime.mediation.call import Call, Refused, Waiting, refusal

_BUSY = "too many calls of this tool have not ended; try again later"


def answer(call: Call) -> Any:
    """The result, the tool's own exception, or a refusal."""
    attempted, output = call.attempted, call.output
    assert attempted is not None
    if attempted.status == "timeout":
        late = timed_out(call)
        raise DeadlineExceeded(message_of(late), late, started=True)
    if attempted.status == "busy":
        raise Denied(_BUSY, refusal(call.policy, call.request.tool, "too_costly", _BUSY, _BUSY))
    if attempted.error is not None:
        raise attempted.error
    if output is None or not call.enforced or output.effect == "pass":
        return attempted.value
    if output.effect == "redact":
        return output.result
    if output.effect == "reply" and output.degradation is not None and output.degradation.text is not None:
        return output.degradation.text
    raise (Pending if output.effect == "escalate" else Denied)(message_of(output), output)


def timed_out(call: Call) -> Decision:
    """What a call is whose time was over: a refusal, with what the policy says instead."""
    return call.policy.bounds.timed_out(call.request, call.decided, run=call.run.history)


def raised(stopped: Refused | Waiting) -> Exception:
    """The public exception."""
    decision = stopped.decision
    message = message_of(decision)
    if isinstance(stopped, Waiting):
        return Pending(message, decision)
    wait = waited(stopped.wait)
    if stopped.cause == "limit":
        return LimitReached(told_when(message, decision, wait), decision, wait)
    if stopped.cause == "breaker":
        return BreakerOpen(told_when(message, decision, wait), decision, wait or timedelta(0))
    if stopped.cause == "deadline":
        return DeadlineExceeded(message, decision, started=stopped.started)
    return Denied(message, decision)


def waited(nanos: int | None) -> timedelta | None:
    """A wait as callers read it, rounded up."""
    return None if nanos is None else timedelta(microseconds=-(-nanos // 1000))


def told_when(message: str, decision: Decision, wait: timedelta | None) -> str:
    """A message with when to try again, unless the policy's own words stand in for all."""
    if wait is None or (decision.degradation is not None and decision.degradation.kind == "reply"):
        return message
    return f"{message} Try again in {spoken(wait)}."


def spoken(wait: timedelta) -> str:
    """A duration as people say it, rounded up: `45 seconds`, `12 minutes`, `3 hours`."""
    seconds = max(1, -(-wait // timedelta(seconds=1)))
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            count = -(-seconds // size)
            return f"{count} {word}s"
    return f"{seconds} second{'s' if seconds != 1 else ''}"
