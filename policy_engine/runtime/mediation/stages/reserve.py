"""Hold what the call may use of its limits: everything, or nothing and a refusal, a question, or a smaller call."""

from __future__ import annotations

from collections.abc import Mapping

from policy_engine.base.decision import Decision
from policy_engine.runtime.mediation.believing import believed_full, believed_silence
from policy_engine.runtime.mediation.call import Call, Refused, refusal
from policy_engine.runtime.mediation.world import LEASE_NANOS
from policy_engine.runtime.ports.counters import Full
from policy_engine.runtime.windows import demand_of

_NO_COUNTERS = "this call cannot be counted now; try again later"
_MOST_ROUNDS = 64


def reserve(call: Call) -> None:
    """Hold the amounts of `call.decision`. May exchange the decision: for a question to people, or for a smaller call."""
    if not call.decided.obligations:
        call.reserves = ()
        if call.held:
            give_back(call)
        return
    begun = call.world.clocks.monotonic()
    for _ in range(_MOST_ROUNDS):
        call.reserves = call.decided.reserves
        if not call.reserves:
            give_back(call)
            break
        full = _hold(call)
        if full is None:
            break
        if not _over(call, full):
            break
    else:
        raise Refused(_uncounted(call, "the limits of this call could not be settled"), "limit")
    if call.reserves:
        call.spent("reserve", begun)


def give_back(call: Call) -> None:
    """The call did not run: nothing of it counts."""
    if call.held:
        call.held = False
        world = call.world
        if not world.unsettled.settle(world.counters, call.name, None, world.clocks.now()):
            call.limits += (("refund", "failed"),)


def commit(call: Call, amounts: Mapping[str, float]) -> None:
    """The call ran: what it held is spent, as `amounts` by counter where they are known. Held again, it counts once."""
    if call.held:
        call.held = False
        world = call.world
        if not world.unsettled.settle(world.counters, call.name, amounts, world.clocks.now()):
            call.limits += (("commit", "failed"),)


def hold(call: Call, until: int) -> None:
    """A person thinks until then at most: places are free meanwhile, amounts are not."""
    if call.held:
        try:
            silence = call.world.counters.hold(call.name, until=until, now=call.world.clocks.now())  # type: ignore[func-returns-value]
            believed_silence(silence)
        except Exception as fault:
            give_back(call)
            raise Refused(_uncounted(call, type(fault).__name__), "store") from None


def _hold(call: Call) -> Full | None:
    now = call.world.clocks.now()
    scope = (call.policy.name,)  # not its digest: a new version goes on counting
    demands = [demand_of(owed, now=now, root=call.run.root, scope=scope) for owed in call.reserves]
    call.counters = [demand.counter for demand in demands]
    call.run.first.per_run.update(
        demand.counter for demand, owed in zip(demands, call.reserves, strict=True) if owed.window.kind == "run"
    )
    beyond = {index for index, owed in enumerate(call.reserves) if owed.observe or not call.enforced} | call.beyond
    world = call.world
    if world.unsettled.calls:
        world.unsettled.forget(call.name)
        world.unsettled.again(world.counters, now)
    before, call.held = call.held or (call.identity is not None and call.identity.tries > 0), True
    try:
        answer = world.counters.reserve(call.name, demands, now=now, lease=LEASE_NANOS, beyond=frozenset(beyond))
        full = believed_full(answer, len(demands))
    except Exception as fault:
        raise Refused(_uncounted(call, type(fault).__name__), "store") from None
    call.held = full is None or before
    return full


def _over(call: Call, full: Full) -> bool:
    """What becomes of a call beyond a limit. True: try to hold again, with what has changed."""
    rule = call.reserves[full.index].rule
    call.limits += ((rule, full.wait),)
    history = call.run.history
    instead = call.policy.bounds.over_limit(call.request, call.decided, rule, run=history, approvals=call.answers)
    if instead.effect == "deny":
        raise Refused(instead, "limit", full.wait)
    if any(ask.rule == rule for ask in instead.asks):
        call.settle(instead, "limit")
        return False
    if instead.degradation is not None and instead.degradation is not call.decided.degradation:
        call.settle(instead, "limit")
        return True
    call.beyond |= {full.index}
    return True


def _uncounted(call: Call, told: str) -> Decision:
    return refusal(call.policy, call.request.tool, "not_available", _NO_COUNTERS, f"{_NO_COUNTERS} ({told})")
