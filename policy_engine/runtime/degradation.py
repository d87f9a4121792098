"""What happens instead of a call whose ladder ended in silence: choosing the strictest end and working it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from policy_engine.base.decision import Degradation
from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import outward
from policy_engine.runtime.details import Scene
from policy_engine.runtime.messages import shown
from policy_engine.runtime.paths import PathMismatch
from policy_engine.runtime.rewriting import apply_step
from policy_engine.semantics.artifact import CompiledOtherwise, CompiledRule
from policy_engine.semantics.ast.expressions import shape
from policy_engine.semantics.evaluation import run_value

Ending = tuple[CompiledRule, CompiledOtherwise | None]


def strictest(endings: Sequence[Ending]) -> Ending:
    """The end in force when several ladders ended: deny, then reply, then set or call; two different ones, deny.

    Returns the rule it comes from, and None for deny.
    """
    for rule, otherwise in endings:
        if otherwise is None or otherwise.kind == "deny":
            return rule, None
    replies = [ending for ending in endings if ending[1] is not None and ending[1].kind == "reply"]
    strongest = replies or list(endings)
    rule, chosen = strongest[0]
    if any(_meaning(other) != _meaning(chosen) for _, other in strongest):
        return rule, None
    return rule, chosen


def _meaning(otherwise: CompiledOtherwise | None) -> object:
    if otherwise is None:
        return None
    steps = tuple((step.path.root, step.path.steps, shape(step.value.expression)) for step in otherwise.steps)
    return (otherwise.kind, shape(otherwise.value.expression) if otherwise.value else None, steps, otherwise.tool)


def worked_out(
    namespace: Mapping[str, Any], rule: CompiledRule, otherwise: CompiledOtherwise, scene: Scene
) -> Degradation:
    """The text, arguments or other call that `reply`, `set` or `call` stands for; raises `EvaluationError`."""
    value = None
    if otherwise.value is not None:
        value = run_value(namespace, otherwise.value, scene.args, scene.principal, scene.environment)
    if otherwise.kind == "reply":
        return Degradation(rule.id, "reply", text=shown(value))
    if otherwise.kind == "call":
        arguments = scene.args if otherwise.value is None else value
        if not isinstance(arguments, dict):
            raise EvaluationError("no_such_overload", "`else call … with` needs a map of arguments")
        return Degradation(rule.id, "call", tool=otherwise.tool, args=outward(arguments))
    if otherwise.kind == "set":
        changed = scene.args
        try:
            for step in otherwise.steps:
                changed = apply_step(step, changed, namespace, scene.args, scene.principal, scene.environment)
        except PathMismatch:
            message = "the path of `else set` does not fit the arguments"
            raise EvaluationError("no_such_field", message) from None
        return Degradation(rule.id, "set", args=outward(changed))
    raise EvaluationError("internal", f"`else {otherwise.kind}` cannot follow an escalation of a call")
