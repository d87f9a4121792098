"""What a call really used of the limits that could not know it before."""

from __future__ import annotations

from typing import cast

from policy_engine.base.decision import RuleError
from policy_engine.base.errors import EvaluationError
from policy_engine.base.request import Outcome
from policy_engine.base.values import duration_of
from policy_engine.runtime.bounds.reserving import amount
from policy_engine.runtime.bounds.scenes import Case
from policy_engine.runtime.core import rule_error
from policy_engine.runtime.intake import plain
from policy_engine.semantics.artifact import CompiledLimit
from policy_engine.semantics.evaluation import run_value


class Spent(dict[str, float]):
    """The amounts by rule. A rule that is not in it keeps what was reserved, for the reason among `errors`."""

    def __init__(self, amounts: dict[str, float], errors: tuple[RuleError, ...]) -> None:
        super().__init__(amounts)
        self.errors = errors


def spent(case: Case, outcome: Outcome) -> Spent:
    """What the reserves of the case's decision came to; raises `MisfitError` for a result that is no value."""
    if case.decision is None:
        return Spent({}, ())
    environment = case.scene.environment
    environment.result = plain(outcome.result, "result")
    environment.call = {"duration": duration_of(outcome.duration), "cost": float(outcome.cost)}
    held = {reserve.rule for reserve in case.decision.reserves if reserve.settles}
    amounts: dict[str, float] = {}
    errors: list[RuleError] = []
    for rule in case.ready.limits.section.rules:
        limit = cast(CompiledLimit, rule.execution)
        if rule.id not in held or limit.of is None or not limit.settles:
            continue
        try:
            value = run_value(case.core.namespace, limit.of, case.scene.args, case.scene.principal, environment)
            amounts[rule.id] = amount(value, "what a limit sums")
        except EvaluationError as fault:
            errors.append(rule_error(rule, fault))
    return Spent(amounts, tuple(errors))
