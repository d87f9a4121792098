"""What becomes of a call or event that a limit, a timeout or a breaker stops: the rule's `else`, and people's answers.

The same forms follow a ladder's silence (`calls.py`), and mean the same here: `set` and `call` are decided again as calls of
their own, once, and what cannot be worked out is a deny.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple, cast

from policy_engine.base.decision import Ask, Decision, Degradation, RuleError
from policy_engine.base.errors import EvaluationError
from policy_engine.base.request import Request
from policy_engine.runtime import degradation
from policy_engine.runtime.approvals import desk_for
from policy_engine.runtime.bounds.scenes import Case
from policy_engine.runtime.calls import decide_call
from policy_engine.runtime.core import Core, rule_error
from policy_engine.runtime.details import FixedDetails, SmallerDetails
from policy_engine.semantics.artifact import CompiledOtherwise, CompiledRule


class Stop(NamedTuple):
    """Why something is stopped: what the agent is told where the rule has no `because`, and what the operator is told."""

    said: str
    told: str


OVER_LIMIT = Stop("a limit for this is reached", "over the limit")
TOO_LATE = Stop("this took too long; it may have happened all the same", "out of time")
BROKEN = Stop("this does not work at the moment; try again later", "open breaker")
_ASKED = "a person must approve this first"


def over(case: Case, rule: CompiledRule) -> Decision:
    """Beyond a limit: refuse, or ask if the limit says so, and pass once people have approved."""
    if rule.ladder is None:
        return ended(case, rule, rule.otherwise, OVER_LIMIT)
    standing = desk_for(case.core, case.name, case.scene, case.bound, case.approvals).standing(rule)
    if standing.kind == "met" and case.decision is not None:
        return case.decision
    if standing.kind == "waiting" and standing.ask is not None:
        return _asked(case, rule, standing.ask)
    return ended(case, rule, standing.otherwise if standing.kind == "silent" else None, OVER_LIMIT)


def _asked(case: Case, rule: CompiledRule, ask: Ask) -> Decision:
    """`escalate`, beside whoever else is asked already."""
    decision = case.decision
    others = decision if decision is not None and decision.effect == "escalate" else None
    own = case.details("escalate", rule, _ASKED, OVER_LIMIT.told, ())
    rules = (rule.id,) if others is None else tuple(sorted({*others.rules, rule.id}))
    details: Any = own
    if others is not None:
        details = FixedDetails(f"{others.reason}; {own.reason()}", f"{others.detail}; {own.detail()}", others.errors)
    owed = () if decision is None else decision.obligations
    return Decision(
        "escalate", "event" if _is_event(case) else "call", case.name, args=None if _is_event(case) else case.scene.args,
        rules=rules, details=details, policy_digest=case.core.policy.digest, observed=case.observed,
        obligations=(*(one for one in owed if type(one) is Ask), ask, *(one for one in owed if type(one) is not Ask)),
    )  # fmt: skip


def ended(case: Case, rule: CompiledRule, otherwise: CompiledOtherwise | None, stop: Stop) -> Decision:
    """What the `else` of a rule comes to; nothing, or what cannot be done, is a deny."""
    once = case.decision is not None and case.decision.degradation is not None
    if otherwise is None or otherwise.kind == "deny" or once:
        return _stopped(case, rule, stop)
    try:
        instead = degradation.worked_out(case.core.namespace, rule, otherwise, case.scene)
    except EvaluationError as fault:
        return _stopped(case, rule, stop, faults=(rule_error(rule, fault),))
    if instead.kind == "reply":
        return _stopped(case, rule, stop, instead)
    if _is_event(case):
        return _stopped(case, rule, stop)
    decision = fallback(case.core, cast(Request, case.subject), instead, case.view)
    if decision.effect != "allow":
        return _stopped(case, rule, stop)
    if instead.kind == "call":
        return _stopped(case, rule, stop, replace(instead, args=decision.args))
    return Decision(
        "allow", "call", case.name, args=decision.engine_args, rules=decision.rules,
        details=decision.details if case.decision is None else SmallerDetails(case.decision.details, decision.details),
        policy_digest=case.core.policy.digest, observed=tuple(sorted({*case.observed, *decision.observed})),
        obligations=decision.obligations, degradation=instead,
    )  # fmt: skip


def fallback(core: Core, request: Request, instead: Degradation, view: Any | None) -> Decision:
    """The smaller or other call, decided as a call of its own whose own degradations deny."""
    other = replace(request, tool=instead.tool or request.tool, args=instead.args or {})
    return decide_call(core, other, view, (), degrade=False)


def _stopped(
    case: Case, rule: CompiledRule, stop: Stop, instead: Degradation | None = None, faults: tuple[RuleError, ...] = ()
) -> Decision:
    event = _is_event(case)
    reply = event and instead is not None
    return Decision(
        "reply" if reply else "deny", "event" if event else "call", case.name, args=None if event else case.scene.args,
        rules=(rule.id,), details=case.details("reply" if reply else "deny", rule, stop.said, stop.told, faults),
        policy_digest=case.core.policy.digest, observed=case.observed, degradation=instead,
    )  # fmt: skip


def _is_event(case: Case) -> bool:
    return not isinstance(case.subject, Request)
