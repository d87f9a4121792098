"""Rewrites: `set` and `redact`, on arguments before the decision and on results after the call.

Every value reads the original; writes are applied from the lowest layer to the highest, so that the highest layer's
write to a path or its parent is what stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policy_engine.base.errors import EvaluationError
from policy_engine.runtime.environment import DecisionEnvironment
from policy_engine.runtime.paths import PathMismatch, emptied, replaced
from policy_engine.semantics.artifact import CompiledRule, RedactStep, SetStep, Step
from policy_engine.semantics.evaluation import run_value


class RewriteFailed(Exception):
    """A rewrite could not be worked out or applied; the call must not go on. `kind` and `message` as in EvaluationError."""

    def __init__(self, rule: CompiledRule, error: EvaluationError) -> None:
        super().__init__(rule.id)
        self.rule = rule
        self.error = error


def rewrite(
    root: str,
    value: Any,
    rules: list[CompiledRule],
    namespace: Mapping[str, Any],
    args: Any,
    principal: Any,
    environment: DecisionEnvironment,
) -> Any:
    """`value` (what the name `root` stands for) as the matching rewrite rules leave it; raises `RewriteFailed`."""
    changed = value
    for rule in sorted(rules, key=lambda one: one.layer):
        for step in rule.steps:
            if step.path.root == root:
                changed = _applied(rule, step, changed, namespace, args, principal, environment)
    return changed


def _applied(
    rule: CompiledRule,
    step: Step,
    value: Any,
    namespace: Mapping[str, Any],
    args: Any,
    principal: Any,
    environment: DecisionEnvironment,
) -> Any:
    try:
        return apply_step(step, value, namespace, args, principal, environment)
    except EvaluationError as fault:
        raise RewriteFailed(rule, fault) from None
    except PathMismatch:
        error = EvaluationError("no_such_field", "the path of a rewrite does not fit the value it meets")
        raise RewriteFailed(rule, error) from None


def apply_step(
    step: Step, value: Any, namespace: Mapping[str, Any], args: Any, principal: Any, environment: DecisionEnvironment
) -> Any:
    """One `set` or `redact`; raises `EvaluationError` or `PathMismatch`."""
    if isinstance(step, SetStep):
        new = run_value(namespace, step.value, args, principal, environment)
        return replaced(value, step.path.steps, lambda _: new, create=True)
    assert isinstance(step, RedactStep)
    if step.replacement is None:
        return replaced(value, step.path.steps, emptied, create=False)
    cover = run_value(namespace, step.replacement, args, principal, environment)
    return replaced(value, step.path.steps, lambda _: cover, create=False)
