"""What a failed attempt means: whether another may follow, and for which breakers it counts.

A tool is tried again only where it is declared read-only or idempotent: a second attempt of anything else could act twice.
Of several retry rules that match, the one with the most tries counts; of those the one with the longest first pause, then the
first by id. The guards of a breaker say which failures count for it: one that comes to an error counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from policy_engine.base.decision import RuleError
from policy_engine.base.request import Request
from policy_engine.runtime.bounds.scenes import Case
from policy_engine.runtime.core import ReadyPlan
from policy_engine.runtime.details import errors_of
from policy_engine.runtime.intake import plain
from policy_engine.semantics.artifact import CompiledBreaker, CompiledRetry, CompiledRule, ToolPlan
from policy_engine.semantics.index.masks import bits_of

_REPEATABLE: Final = ("readOnlyHint", "idempotentHint")


@dataclass(frozen=True, slots=True)
class CallError:
    """A failed attempt as rules read it (`error`). `attempt` counts from 1; `retryable` = the host thinks it may pass."""

    kind: str
    message: str
    attempt: int
    retryable: bool


@dataclass(frozen=True, slots=True)
class FailureVerdict:
    """What follows a failed attempt. `retry` None = it was the last; else try again, by rule `retry_rule`.

    `breakers` are all enforced ones of the tool, each with whether this failure counts for it. `observed` are `observe`
    rules that matched: they would have tried again, or counted.
    """

    retry: CompiledRetry | None
    retry_rule: str | None
    breakers: tuple[tuple[str, CompiledBreaker, bool], ...]
    observed: tuple[str, ...] = ()
    errors: tuple[RuleError, ...] = ()


def repeatable(plan: ToolPlan, request: Request) -> bool:
    """Whether the tool, or the host for this call, is declared read-only or idempotent."""
    if not request.annotations and not plan.annotations:
        return False
    return any(_says(hints, word) for hints in (plan.annotations, request.annotations) for word in _REPEATABLE)


def _says(hints: Mapping[str, Any], word: str) -> bool:
    return isinstance(hints, Mapping) and hints.get(word) is True


def breakers_of(ready: ReadyPlan) -> tuple[tuple[str, CompiledBreaker], ...]:
    """The enforced breakers of a tool, by id."""
    rules = ready.errors.section.rules
    if not rules:
        return ()
    return tuple(
        (rule.id, rule.execution) for rule in rules if isinstance(rule.execution, CompiledBreaker) and not rule.observe
    )


def judged(case: Case, request: Request, plan: ToolPlan, error: CallError) -> FailureVerdict:
    """The verdict on one failed attempt; raises `MisfitError` for an error that is none."""
    stage, scene = case.ready.errors, case.scene
    fields = {"kind": error.kind, "message": error.message, "attempt": error.attempt, "retryable": error.retryable}
    scene.environment.error = plain(fields, "error")
    mask = stage.mask(scene.args, scene.principal, scene.environment)
    rules = stage.section.rules
    matching = {rules[bit].id for bit in bits_of(mask & ~(-1 << len(rules)))} if mask else set()
    retries = [rule for rule in rules if rule.id in matching and not rule.observe and _tries(rule) > 0]
    chosen = max(retries, key=_order, default=None) if repeatable(plan, request) else None
    again = chosen.execution if chosen is not None and _tries(chosen) >= error.attempt else None
    return FailureVerdict(
        again if isinstance(again, CompiledRetry) else None,
        chosen.id if chosen is not None and again is not None else None,
        tuple((rule, breaker, rule in matching) for rule, breaker in breakers_of(case.ready)),
        stage.observed(mask),
        errors_of(((stage, mask),), scene, ()),
    )  # fmt: skip


def unjudged(ready: ReadyPlan, errors: tuple[RuleError, ...]) -> FailureVerdict:
    """Where a failure cannot be judged: not tried again, and counted by every breaker."""
    return FailureVerdict(None, None, tuple((rule, breaker, True) for rule, breaker in breakers_of(ready)), (), errors)


def _tries(rule: CompiledRule) -> int:
    return rule.execution.times if isinstance(rule.execution, CompiledRetry) else 0


def _order(rule: CompiledRule) -> tuple[int, int]:
    """Most tries, longest first pause; `max` keeps the first by id."""
    retry = rule.execution
    return (retry.times, retry.first_nanos) if isinstance(retry, CompiledRetry) else (0, 0)
