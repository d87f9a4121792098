"""Events (`@input`, `@answer` …) and the results of calls: which plan decides them, and in what surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from policy_engine.base.decision import Ask, Decision, RuleError
from policy_engine.base.errors import MisfitError
from policy_engine.base.request import Approval, Event, Outcome, Request
from policy_engine.base.values import duration_of
from policy_engine.runtime.approvals import Desk, desk_for
from policy_engine.runtime.calls import said_of_misfit
from policy_engine.runtime.core import Core, ReadyPlan, Stage, rule_error
from policy_engine.runtime.details import FixedDetails, RuleDetails, Scene, no_hint
from policy_engine.runtime.intake import plain
from policy_engine.runtime.outputs import Output
from policy_engine.runtime.rewriting import RewriteFailed, rewrite
from policy_engine.semantics.artifact import CompiledRule

EVENT_ROOTS = {
    "@input": "input", "@step": "step", "@answer": "answer", "@run": "run", "@delegate": "delegate",
    "@resource": "resource", "@prompt": "prompt",
}  # fmt: skip
"""The name under which an event's fields are read."""


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
        return stopped
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
    return output.decide("event", event.name)


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
        refused = tuple(rule for rule, standing in standings if standing.kind in ("refused", "silent"))
        if refused:
            return _answer(core, name, scene, "deny", refused, (), seen)
        asks = tuple(standing.ask for _, standing in standings if standing.ask is not None)
        if asks:
            waiting = tuple(rule for rule, standing in standings if standing.kind == "waiting")
            return _answer(core, name, scene, "escalate", waiting, asks, seen)
    return None


def _answer(
    core: Core, name: str, scene: Scene, effect: Any, rules: tuple[CompiledRule, ...], asks: tuple[Ask, ...], seen: _Seen
) -> Decision:
    ids = tuple(sorted({rule.id for rule in rules}))
    fallback = "a person must approve this first" if effect == "escalate" else "this is not permitted"
    details = RuleDetails(core, scene, rules, fallback, (f"{effect} {', '.join(ids)}",), (), no_hint, seen.errors)
    return Decision(
        effect, "event", name, args=None, rules=ids, details=details, policy_digest=core.policy.digest,
        observed=tuple(sorted(set(seen.observed))), obligations=asks,
    )  # fmt: skip
