"""Events (`@input`, `@answer` …) and the results of calls: which plan decides them, and in what surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from policy_engine.base.decision import Ask, Decision, Degradation, Effect, RuleError, decision_of
from policy_engine.base.errors import EvaluationError, MisfitError
from policy_engine.base.request import Approval, Event, Outcome, Request
from policy_engine.base.values import duration_of
from policy_engine.runtime import degradation
from policy_engine.runtime.approvals import Desk, desk_for
from policy_engine.runtime.bounds.reserving import bounded
from policy_engine.runtime.bounds.scenes import EVENT_ROOTS
from policy_engine.runtime.calls import said_of_misfit
from policy_engine.runtime.core import Core, ReadyPlan, Stage, rule_error
from policy_engine.runtime.details import FixedDetails, RuleDetails, Scene, errors_of, no_hint
from policy_engine.runtime.intake import plain
from policy_engine.runtime.outputs import Output
from policy_engine.runtime.rewriting import RewriteFailed, rewrite
from policy_engine.semantics.artifact import CompiledRule
from policy_engine.semantics.schema.normalise import normalise_any


def decide_result(
    core: Core, request: Request, outcome: Outcome, view: Any | None, approvals: Sequence[Approval], attempt: int
) -> Decision:
    """What the agent may see of a call's result. `request.args` are the decided arguments."""
    try:
        ready = core.tools.get(request.tool)
        if ready is None:
            raise MisfitError("tool", "is not known: no schema or rule lists it")
        args = core.intake.args(request.tool, request.args)
        principal = core.intake.record("principal", request.principal)
        environment = core.intake.environment(request, view)
        value = plain(outcome.result, "result")
    except MisfitError as fault:
        return _unfit_output(core, "result", request.tool, fault)
    environment.result = value
    environment.call = {"duration": duration_of(outcome.duration), "cost": float(outcome.cost)}
    scene = Scene(args, principal, environment)
    desk = desk_for(core, request.tool, scene, {"args": args, "result": value}, approvals)
    return Output(core, ready.result, "result", value, scene, desk, attempt).decide("result", request.tool)


PASSED: Final = FixedDetails("passed", "pass")


def passed_at_once(core: Core, decision: Decision, result: Any) -> Decision | None:
    """The result phase of a decided call whose tool has no rules there; None = it takes the long way."""
    tool, args = decision.tool, decision.engine_args
    try:
        if args is None or core.tools[tool].result.evaluate is not None:
            return None
        value = normalise_any(result)
    except (MisfitError, KeyError):
        return None
    return decision_of("pass", "result", tool, args, (), PASSED, core.digest, (), (), None, value)


def _unfit_output(core: Core, phase: Any, name: str, fault: MisfitError) -> Decision:
    error = RuleError("request", "misfit", fault.problem, fault.path)
    said = said_of_misfit(fault.path, fault.problem)
    details = FixedDetails(said, f"{fault.path}: {fault.problem}", (error,))
    effect: Any = "withhold" if phase == "result" else "deny"
    return Decision(effect, phase, name, args=None, rules=(), details=details, policy_digest=core.policy.digest)


def decide_event(core: Core, event: Event, view: Any | None, approvals: Sequence[Approval], attempt: int) -> Decision:
    """The decision about an event: `deny` or `escalate` if a rule says so, else what its validations and rewrites make of it."""
    ready = core.events.get(event.name)
    try:
        principal = core.intake.record("principal", event.principal)
        environment = core.intake.environment(event, view)
        root = EVENT_ROOTS.get(event.name)
        if root is None or ready is None:
            raise MisfitError("event", "is not one the language knows")
        fields = plain(dict(event.fields), root)
    except MisfitError as fault:
        return _unfit_output(core, "event", event.name, fault)
    if root != "run":
        setattr(environment, root, fields)
    scene = Scene({}, principal, environment)
    desk = desk_for(core, event.name, scene, fields, approvals)
    seen = _Seen.of(ready.decide, scene)
    stopped = _stopped(core, ready, event.name, scene, desk, seen)
    if stopped is not None:
        return _held(core, ready, scene, stopped)
    changes = _Seen.of(ready.rewrites, scene)
    seen = seen.and_then(changes)
    unsure = tuple(ready.rewrites.failed(changes.mask))
    if unsure:
        return _answer(core, event.name, scene, "deny", unsure, (), seen)
    rules = ready.rewrites.matched(changes.mask)
    try:
        fields = rewrite(root, fields, rules, core.namespace, scene.args, scene.principal, scene.environment)
    except RewriteFailed as fault:
        faults = tuple(rule_error(rule, error) for rule, error in fault.faults)
        return _answer(core, event.name, scene, "deny", fault.rules, (), replace(seen, errors=(*seen.errors, *faults)))
    if root != "run":
        setattr(environment, root, fields)
    output = Output(core, ready.result, root, fields, scene, desk, attempt)
    output.observed = seen.observed
    output.effects.extend(("redact", rule) for rule in rules)
    output.faults.extend(seen.errors)
    return _held(core, ready, scene, output.decide("event", event.name))


def _held(core: Core, ready: ReadyPlan, scene: Scene, decision: Decision) -> Decision:
    """The decision with what limits and timeouts demand of an event that passes or is asked about."""
    if not ready.bounded or decision.effect not in ("pass", "redact", "escalate"):
        return decision
    found = bounded(core.namespace, ready, scene)
    observed = tuple(sorted({*decision.observed, *found.observed}))
    if found.refusing:
        errors = (*decision.errors, *errors_of(found.masks, scene, found.faults))
        return _answer(core, decision.tool, scene, "deny", found.refusing, (), _Seen(0, observed, errors))
    details = cast(RuleDetails, decision.details)
    details = replace(details, masks=(*details.masks, *found.masks), faults=(*details.faults, *found.faults))
    return decision.with_bounds((*decision.obligations, *found.obligations), observed, details)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a stage came to, kept at once: the fields it looked at may be rewritten before anybody reads its errors."""

    mask: int
    observed: tuple[str, ...]
    errors: tuple[RuleError, ...]

    @classmethod
    def of(cls, stage: Stage, scene: Scene) -> _Seen:
        mask = stage.mask(scene.args, scene.principal, scene.environment)
        errors = stage.errors(mask, scene.args, scene.principal, scene.environment)
        return cls(mask, stage.observed(mask), errors)

    def and_then(self, other: _Seen) -> _Seen:
        return _Seen(self.mask, (*self.observed, *other.observed), (*self.errors, *other.errors))


def _stopped(
    core: Core, ready: ReadyPlan, name: str, scene: Scene, desk: Desk, seen: _Seen
) -> Decision | None:
    verdict = ready.judge.verdict(seen.mask)
    if verdict.effect == "deny":
        return _answer(core, name, scene, "deny", verdict.deciding, (), seen)
    if verdict.effect == "escalate":
        standings = [(rule, desk.standing(rule)) for rule in verdict.asks]
        ended = tuple(rule for rule, standing in standings if standing.kind in ("refused", "silent"))
        if ended:
            refused = any(standing.kind == "refused" for _, standing in standings)
            silent = [(rule, standing.otherwise) for rule, standing in standings if standing.kind == "silent"]
            return _ended(core, name, scene, ended, (ended[0], None) if refused else degradation.strictest(silent), seen)
        asks = tuple(standing.ask for _, standing in standings if standing.ask is not None)
        if asks:
            waiting = tuple(rule for rule, standing in standings if standing.kind == "waiting")
            return _answer(core, name, scene, "escalate", waiting, asks, seen)
    return None


def _ended(
    core: Core, name: str, scene: Scene, rules: tuple[CompiledRule, ...], ending: degradation.Ending, seen: _Seen
) -> Decision:
    """A ladder ended: refuse, or reply where its `else` says so and nobody refused."""
    rule, otherwise = ending
    if otherwise is None or otherwise.kind != "reply":  # an event cannot become another one
        return _answer(core, name, scene, "deny", rules, (), seen)
    try:
        instead = degradation.worked_out(core.namespace, rule, otherwise, scene)
    except EvaluationError as fault:
        return _answer(core, name, scene, "deny", rules, (), replace(seen, errors=(*seen.errors, rule_error(rule, fault))))
    return _answer(core, name, scene, "reply", rules, (), seen, instead)


_FALLBACKS: Final = {"escalate": "a person must approve this first", "reply": "this was replaced"}
"""What is said where no deciding rule has a `because`; a refusal has its own words."""


def _answer(
    core: Core, name: str, scene: Scene, effect: Effect, rules: tuple[CompiledRule, ...], asks: tuple[Ask, ...],
    seen: _Seen, instead: Degradation | None = None,
) -> Decision:  # fmt: skip
    ids = tuple(sorted({rule.id for rule in rules}))
    fallback = _FALLBACKS.get(effect, "this is not permitted")
    details = RuleDetails(core, scene, rules, fallback, (f"{effect} {', '.join(ids)}",), (), no_hint, seen.errors)
    return Decision(
        effect, "event", name, args=None, rules=ids, details=details, policy_digest=core.policy.digest,
        observed=tuple(sorted(set(seen.observed))), obligations=asks, degradation=instead,
    )  # fmt: skip
