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

Fault = tuple[CompiledRule, EvaluationError]


class RewriteFailed(Exception):
    """Rewrites could not be worked out or applied; the call must not go on. `faults` are all of them, with their rules."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(", ".join(rule.id for rule, _ in faults))
        self.faults = faults

    @property
    def rules(self) -> tuple[CompiledRule, ...]:
        """The rules that failed."""
        return tuple(rule for rule, _ in self.faults)


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
    faults: list[Fault] = []
    for rule in sorted(rules, key=lambda one: one.layer):
        try:
            for step in rule.steps:
                if step.path.root == root:
                    changed = apply_step(step, changed, namespace, args, principal, environment)
        except EvaluationError as fault:
            faults.append((rule, fault))
        except PathMismatch:
            error = EvaluationError("no_such_field", "the path of a rewrite does not fit the value it meets")
            faults.append((rule, error))
    if faults:
        raise RewriteFailed(tuple(faults))
    return changed


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
