"""A compiled policy made ready to run, tool by tool as they are used: code linked, validators built, verdicts kept.

Immutable after construction but for tables that only ever gain entries, so any number of threads may decide at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast

from policy_engine.base.decision import RuleError, Timeout, Window
from policy_engine.base.errors import EvaluationError
from policy_engine.base.lazily import Lazily
from policy_engine.base.values import Timestamp
from policy_engine.runtime.environment import DecisionEnvironment
from policy_engine.runtime.intake import Intake
from policy_engine.runtime.judging import Judge
from policy_engine.runtime.trace.folding.state import FoldProgram
from policy_engine.semantics.activation import Names
from policy_engine.semantics.artifact import (
    NO_RULES,
    CompiledLimit,
    CompiledPolicy,
    CompiledRule,
    CompiledTimeout,
    EventPlan,
    Section,
    ToolPlan,
)
from policy_engine.semantics.evaluation import batch_errors, interpreted
from policy_engine.semantics.index.masks import bits_of
from policy_engine.semantics.linking import link
from policy_engine.semantics.recording import Recordings

Evaluator = Callable[[Any, Any, Any], int]


@dataclass(frozen=True, slots=True)
class Stage:
    """One section of a plan with its generated evaluator; `evaluate` is None where the section has no rules."""

    section: Section
    evaluate: Evaluator | None

    def mask(self, args: Any, principal: Any, environment: DecisionEnvironment) -> int:
        """Which rules hold and which came to an error, see `artifact.Batch`."""
        return 0 if self.evaluate is None else self.evaluate(args, principal, environment)

    def matched(self, mask: int) -> list[CompiledRule]:
        """The rules whose bit is set and that are enforced."""
        return [rule for rule in self._rules(mask) if not rule.observe]

    def observed(self, mask: int) -> tuple[str, ...]:
        """The ids of `observe` rules whose bit is set."""
        return tuple(sorted({rule.id for rule in self._rules(mask) if rule.observe}))

    def failed(self, mask: int) -> list[CompiledRule]:
        """The enforced rules whose condition came to an error."""
        return [rule for rule in self._rules(mask >> len(self.section.rules)) if not rule.observe]

    def _rules(self, mask: int) -> list[CompiledRule]:
        rules = self.section.rules
        return [rules[bit] for bit in bits_of(mask & ~(-1 << len(rules)))] if mask else []

    def errors(
        self, mask: int, args: Any, principal: Any, environment: DecisionEnvironment
    ) -> tuple[RuleError, ...]:
        """What the errors in `mask` are, for `Decision.errors`."""
        if not mask >> len(self.section.rules):
            return ()
        found = batch_errors(self.section.batch, mask, args, principal, environment)
        names = Names(args, principal, environment)
        return tuple(
            rule_error(self.section.rules[index], self._as_written(index, error, names, environment))
            for index, error in found
        )

    def _as_written(
        self, index: int, error: EvaluationError, names: Names, environment: DecisionEnvironment
    ) -> EvaluationError:
        """The error that the condition as written comes to. State kept per call may hold another of several errors at
        once; where the run is too long to go through, that one is told."""
        condition, batch = self.section.rules[index].condition, self.section.batch
        if condition is batch.conditions[index]:
            return error
        try:
            interpreted(condition, names, environment, functions=batch.functions)
        except EvaluationError as written:
            return error if written.kind == "too_costly" else written
        return error


def rule_error(rule: CompiledRule, error: EvaluationError) -> RuleError:
    """An evaluation error as a decision lists it."""
    return RuleError(rule.id, error.kind, error.message, str(rule.span))


_NO_STAGE: Final = Stage(NO_RULES, None)


def _window(rule: CompiledRule) -> Window:
    window = cast(CompiledLimit, rule.execution).window
    return Window(window.kind, window.nanos, window.unit, window.zone)


def _timeout(rule: CompiledRule) -> Timeout:
    nanos = cast(CompiledTimeout, rule.execution).after_nanos
    return Timeout(rule.id, timedelta(microseconds=nanos // 1000))


@dataclass(frozen=True, slots=True)
class ReadyPlan:
    """A tool or event, ready to run. `windows` are those of the limits in their order, `times` the timeouts in theirs;
    `bounded` = there is any of either."""

    plan: ToolPlan | EventPlan
    rewrites: Stage
    decide: Stage
    result: Stage
    judge: Judge
    limits: Stage
    timeouts: Stage
    errors: Stage
    windows: tuple[Window, ...]
    times: tuple[Timeout, ...]
    bounded: bool


class Core:
    """What all phases share."""

    def __init__(self, policy: CompiledPolicy, clock: Callable[[], Timestamp]) -> None:
        self.policy = policy
        self.digest = policy.digest
        self.clock = clock
        self.namespace: Mapping[str, Any] = link(policy.code, policy.constants)
        self.folds = FoldProgram(policy.folds, self.namespace)
        self.intake = Intake(policy, clock, self.folds)
        self.tools = Lazily(policy.tools, lambda name: self._ready(policy.tools[name], grants_needed=True))
        self.events = Lazily(policy.events, lambda name: self._ready(policy.events[name], grants_needed=False))
        self.hints = all(layer.hint for layer in policy.layers)

    def recording(self, recordings: Recordings) -> Core:
        """The same for one decision, in which functions that are not pure are asked and recorded."""
        other = copy(self)
        other.intake = self.intake.recording(recordings)
        return other

    def _ready(self, plan: ToolPlan | EventPlan, *, grants_needed: bool) -> ReadyPlan:
        limits, timeouts = plan.limits.rules, plan.timeouts.rules
        return ReadyPlan(
            plan, self._stage(plan.rewrites), self._stage(plan.decide), self._stage(plan.result),
            Judge(plan.decide, self.policy.layers, grants_needed=grants_needed),
            limits=self._stage(plan.limits), timeouts=self._stage(plan.timeouts),
            errors=self._stage(plan.errors if isinstance(plan, ToolPlan) else NO_RULES),
            windows=tuple(_window(rule) for rule in limits), times=tuple(_timeout(rule) for rule in timeouts),
            bounded=bool(limits or timeouts),
        )  # fmt: skip

    def _stage(self, section: Section) -> Stage:
        if not section.rules:
            return _NO_STAGE
        return Stage(section, self.namespace[section.batch.function])
