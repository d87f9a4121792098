"""What the agent may see of what came back: validated, redacted, labelled; sent back for another try; shown to people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from policy_engine.base.decision import Decision
from policy_engine.base.request import Approval, Outcome
from policy_engine.runtime.mediation.call import UNREAD, Call, Refused, Waiting
from policy_engine.runtime.mediation.effects import Flow, Pause
from policy_engine.runtime.mediation.stages.ask import pause, stand, tell_host, use_answers
from policy_engine.runtime.mediation.stages.execute import execute

_MOST_ROUNDS: Final = 1000
_NEVER_AGAIN: Final = 1 << 30
"""An attempt beyond every `up to N times`: for tools that must not run twice, what follows the retries follows at once."""


def check(call: Call) -> Flow[None] | None:
    """Fills `call.output`. A result that passes at once, by far the most, needs no flow."""
    if call.attempted is None or call.attempted.status != "returned":
        return None
    begun = call.world.clocks.monotonic()
    call.output = output = call.policy.passed(call.decided, data_of(call))
    if output is not None:  # no rule looks at it
        call.spent("check", begun)
        return None
    call.output = output = judge(call)
    return _settled(call) if output.effect in ("retry", "escalate") and call.enforced else None


def judge(call: Call, approvals: tuple[Approval, ...] = (), attempt: int | None = None) -> Decision:
    """The result phase's decision."""
    clocks = call.world.clocks
    begun = clocks.monotonic()
    if attempt is None:
        attempt = 0 if call.policy.bounds.repeatable(call.request) else _NEVER_AGAIN
    call.attempt, call.checked = attempt, approvals
    decision = call.policy.decide_result(
        call.request, outcome_of(call), decision=call.decided, run=call.run.history, approvals=approvals, attempt=attempt
    )
    call.spent("check", begun)
    return decision


def outcome_of(call: Call) -> Outcome:
    """What came of the last attempt; worked out once."""
    if call.outcome is None:
        attempted = call.attempted
        assert attempted is not None
        spent = timedelta(0, 0, attempted.duration // 1000)
        if attempted.status != "returned":
            call.outcome = Outcome(status="error", error=told(call), duration=spent)
        else:
            call.outcome = Outcome(result=data_of(call), duration=spent, cost=cost_of(call))
    return call.outcome


def data_of(call: Call) -> Any:
    """What the last attempt returned, as data; worked out once."""
    if call.data is UNREAD:
        assert call.attempted is not None
        to_data = call.to_data or call.world.wishes.to_data
        call.data = call.attempted.value if to_data is None else plain(call.attempted.value, to_data)
    return call.data


def plain(value: Any, to_data: Callable[[Any], Any]) -> Any:
    """The result as data, or something that is none, so that it is withheld: the call has happened."""
    try:
        return to_data(value)
    except Exception:
        return object()


def cost_of(call: Call) -> float:
    """What the call cost, in the host's unit; raises nothing: a cost that cannot be told is not zero, but not a number."""
    wishes = call.world.wishes
    if wishes.cost is None or call.attempted is None:
        return 0.0
    try:
        return float(wishes.cost(call.request.tool, call.attempted.value))
    except Exception:
        return float("nan")


def told(call: Call) -> str:
    """The failure in words, for the history of the run."""
    attempted = call.attempted
    fault = None if attempted is None else attempted.error
    return "timeout" if fault is None else f"{type(fault).__name__}: {fault}"


def _settled(call: Call) -> Flow[None]:
    approvals: tuple[Approval, ...] = ()
    attempt = 0 if call.policy.bounds.repeatable(call.request) else _NEVER_AGAIN
    looks = steps = 0
    asked: tuple[tuple[str, int], ...] = ()
    while steps < _MOST_ROUNDS:
        output = call.output
        assert output is not None
        if output.effect == "retry":
            attempt, steps = attempt + 1, steps + 1
            yield from execute(call)
            if call.attempted is None or call.attempted.status != "returned":
                call.output = None
                return
        elif output.effect == "escalate":
            standing = stand(call, output, approvals)
            fresh = standing.answers != approvals
            if not fresh and call.world.wishes.pending == "raise":
                raise Waiting(output)
            if not fresh:
                asked = tell_host(call.world, standing, asked)
                yield Pause(pause(looks))
                looks += 1
                if (left := call.run.left()) is not None and left <= 0:
                    raise Refused(output, "deadline", started=True)
            steps += fresh
            approvals = standing.answers
        else:
            if approvals:
                use_answers(call, approvals, "result")
            return
        call.output = judge(call, approvals, attempt)
