"""Ask the breakers: after too many failures calls are refused at once, until a probe succeeds."""

from __future__ import annotations

from policy_engine.runtime.mediation.believing import believed_admission, believed_state
from policy_engine.runtime.mediation.call import Call, Refused, refusal
from policy_engine.runtime.mediation.recording import write_breaker
from policy_engine.runtime.mediation.world import LEASE_NANOS
from policy_engine.semantics.artifact import CompiledBreaker

_UNKNOWN = "it cannot be told whether this tool is well; try again later"


def admit(call: Call) -> None:
    """Raises `Refused` where a breaker of the tool is open."""
    clocks = call.world.clocks
    for rule, breaker in call.policy.bounds.breakers(call.request.tool):
        name = breaker_name(call, rule)
        try:
            admission = believed_admission(call.world.counters.admit(
                name, call.name, now=clocks.now(), probe_after=breaker.probe_nanos, lease=LEASE_NANOS
            ))  # fmt: skip
        except Exception as fault:
            release(call)
            told = f"{_UNKNOWN} ({type(fault).__name__})"
            raise Refused(refusal(call.policy, call.request.tool, "not_available", _UNKNOWN, told), "store") from None
        if admission.state == "open" and call.enforced:
            release(call)
            broken = call.policy.bounds.broken(call.request, call.decided, rule, run=call.run.history)
            raise Refused(broken, "breaker", admission.wait)
        call.breakers += (rule,)


def breaker_name(call: Call, rule: str) -> str:
    """The name of a breaker's state: the policy's, so that two policies over one store do not share it."""
    return f"{call.policy.name}\x1f{rule}"


def report(call: Call, verdicts: dict[str, tuple[CompiledBreaker, bool | None]]) -> None:
    """Tell the breakers that let the call through what came of it: failed, well, or nobody knows."""
    admitted, call.breakers = call.breakers, ()
    for rule in admitted:
        breaker, failed = verdicts[rule]
        try:
            state = believed_state(call.world.counters.report(
                breaker_name(call, rule), call.name, failed, now=call.world.clocks.now(),
                failures=breaker.failures, within=breaker.within_nanos,
            ))  # fmt: skip
        except Exception:  # the tool has run; a breaker that cannot be told stays as it is, and its probe's place comes free
            call.limits += ((rule, "not told"),)
        else:
            if failed is not None:
                write_breaker(call, rule, state)


def release(call: Call) -> None:
    """The call does not run after all: places of probes are free again."""
    if call.breakers:
        known = dict(call.policy.bounds.breakers(call.request.tool))
        report(call, {rule: (known[rule], None) for rule in call.breakers})
