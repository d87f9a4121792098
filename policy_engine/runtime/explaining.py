"""One decision in full: every rule that targets the call, its condition, and what it came to. By the reference interpreter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal as OneOf

from policy_engine.base.decision import Decision
from policy_engine.base.errors import EvaluationError, MisfitError
from policy_engine.base.request import Approval, Request
from policy_engine.runtime.calls import decide_call
from policy_engine.runtime.core import Core, Stage
from policy_engine.runtime.details import Scene
from policy_engine.semantics.activation import Names
from policy_engine.semantics.artifact import CompiledRule
from policy_engine.semantics.evaluation import interpreted


@dataclass(frozen=True, slots=True)
class RuleExplanation:
    """What became of one rule. `place` is `file:line:column`; `error` says why `came_to` is `error`."""

    rule: str
    kind: str
    layer: str
    observed: bool
    came_to: OneOf["true", "false", "error"]
    error: str | None
    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision and everything that led to it. `defaults` = (layer, its default) from the policy upwards."""

    decision: Decision
    rules: tuple[RuleExplanation, ...]
    defaults: tuple[tuple[str, str], ...]


def explain_call(core: Core, request: Request, view: Any | None, approvals: Sequence[Approval]) -> Explanation:
    """Decide the call, then interpret every targeted rule on its own."""
    decision = decide_call(core, request, view, approvals)
    defaults = tuple((layer.name, layer.default) for layer in core.policy.layers)
    ready = core.tools.get(request.tool)
    if ready is None or decision.engine_args is None:
        return Explanation(decision, (), defaults)
    try:
        principal = core.intake.record("principal", request.principal)
        scene = Scene(decision.engine_args, principal, core.intake.environment(request, view))
        original = core.intake.args(request.tool, request.args)
    except MisfitError:
        return Explanation(decision, (), defaults)
    before = Scene(original, scene.principal, scene.environment)
    rules = [_explained(core, ready.rewrites, rule, before) for rule in ready.rewrites.section.rules]
    rules += [_explained(core, ready.decide, rule, scene) for rule in ready.decide.section.rules]
    for stage in (ready.limits, ready.timeouts):
        rules += [_explained(core, stage, rule, scene) for rule in stage.section.rules]
    return Explanation(decision, tuple(rules), defaults)


def _explained(core: Core, stage: Stage, rule: CompiledRule, scene: Scene) -> RuleExplanation:
    came_to: OneOf["true", "false", "error"]
    error = None
    try:
        names = Names(scene.args, scene.principal, scene.environment)
        functions = stage.section.batch.functions
        # As decided: questions about history are answered from state, however long the run is.
        condition = stage.section.batch.conditions[stage.section.rules.index(rule)]
        value = interpreted(condition, names, scene.environment, functions=functions)
        came_to = "true" if value is True else "false" if value is False else "error"
        if came_to == "error":
            error = "the condition is not a boolean"
    except EvaluationError as fault:
        came_to, error = "error", fault.message
    layer = core.policy.layers[rule.layer].name
    return RuleExplanation(
        rule.id, rule.kind, layer, rule.observe, came_to, error, str(rule.span), rule.span.text
    )
