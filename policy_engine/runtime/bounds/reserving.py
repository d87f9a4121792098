"""What a call or event owes before it may run: an amount of each limit that matches it, and the time it may take.

Called for what would pass or be asked about; a call that is refused anyway reserves nothing. A limit whose condition,
bound, amount or key comes to an error refuses: nobody could tell whether it is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from policy_engine.base.decision import Obligation, Reserve, RuleError, Timeout
from policy_engine.base.errors import EvaluationError
from policy_engine.runtime.core import ReadyPlan, Stage, rule_error
from policy_engine.runtime.details import Scene
from policy_engine.runtime.keys import item_text, key_text
from policy_engine.semantics.artifact import CompiledLimit, CompiledRule, Value
from policy_engine.semantics.evaluation import run_value
from policy_engine.semantics.index.masks import bits_of
from policy_engine.semantics.operations import NUMBERS, spoken_type


@dataclass(slots=True)
class Bounded:
    """What limits and timeouts came to. `refusing` are the limits that came to an error, unless they only observe: those are
    in `observed`, for they would have refused. `masks` tell the errors of conditions, `faults` all others. Never changed: not
    frozen only because that would cost each call time."""

    obligations: tuple[Obligation, ...]
    refusing: tuple[CompiledRule, ...]
    masks: tuple[tuple[Stage, int], ...]
    faults: tuple[RuleError, ...]
    observed: tuple[str, ...]
    plain: bool
    """Whether nothing came to an error."""


def bounded(namespace: Mapping[str, Any], ready: ReadyPlan, scene: Scene) -> Bounded:
    """The obligations of what the scene shows: reserves in the order of their rules' ids, then the timeout."""
    limits = ready.limits
    mask = limits.mask(scene.args, scene.principal, scene.environment)
    rules = limits.section.rules
    reserves: list[Obligation] = []
    failing: list[CompiledRule] = []
    faults: list[RuleError] = []
    for bit in bits_of(mask & ~(-1 << len(rules))) if mask else ():
        rule = rules[bit]
        if mask >> (len(rules) + bit) & 1:
            failing.append(rule)
            continue
        try:
            reserves.append(_reserve(namespace, ready, bit, scene))
        except EvaluationError as fault:
            failing.append(rule)
            faults.append(rule_error(rule, fault))
    shortest, timed = timeout(ready, scene)
    owed = reserves if shortest is None else [*reserves, shortest]
    masks = ((limits, mask), (ready.timeouts, timed))
    if not failing:
        plain = not (mask >> len(rules) or timed >> len(ready.timeouts.section.rules))
        return Bounded(tuple(owed), (), masks, (), (), plain)
    refusing = tuple(rule for rule in failing if not rule.observe)
    told = tuple(sorted({rule.id for rule in failing if rule.observe}))
    return Bounded(tuple(owed), refusing, masks, tuple(faults), told, False)


def timeout(ready: ReadyPlan, scene: Scene) -> tuple[Timeout | None, int]:
    """The shortest time that is enforced (of equal ones the first by id), and the mask of the section. A timeout whose
    condition is an error applies."""
    stage = ready.timeouts
    mask = stage.mask(scene.args, scene.principal, scene.environment)
    rules, shortest = stage.section.rules, None
    for bit in bits_of(mask & ~(-1 << len(rules))) if mask else ():
        time = ready.times[bit]
        if not rules[bit].observe and (shortest is None or time.after < shortest.after):
            shortest = time
    return shortest, mask


def _reserve(namespace: Mapping[str, Any], ready: ReadyPlan, bit: int, scene: Scene) -> Reserve:
    rule = ready.limits.section.rules[bit]
    limit = cast(CompiledLimit, rule.execution)

    def value_of(value: Value) -> Any:
        return run_value(namespace, value, scene.args, scene.principal, scene.environment)

    bound = number(value_of(limit.bound), "the bound of a limit")
    amount, item = _amount(limit, value_of)
    keys = tuple(key_text(value_of(key)) for key in limit.by)
    return Reserve(rule.id, amount, keys, bound, ready.windows[bit], item, limit.settles, rule.observe)


def _amount(limit: CompiledLimit, value_of: Callable[[Value], Any]) -> tuple[float, str | None]:
    """What is held: one, a new value of `of distinct`, the sum of `of`, or what is reserved until that is known."""
    if limit.of is None:
        return 1.0, None
    if limit.distinct:
        return 1.0, item_text(value_of(limit.of))
    if not limit.settles:
        return amount(value_of(limit.of), "what a limit sums"), None
    if limit.reserve is None:
        raise EvaluationError("internal", "a limit sums what is not known yet, and reserves nothing")
    return amount(value_of(limit.reserve), "what a limit reserves"), None


def number(value: Any, what: str) -> float:
    """A finite number; raises `EvaluationError`."""
    if type(value) not in NUMBERS:
        raise EvaluationError("no_such_overload", f"{what} is a number, and this is {spoken_type(value)}")
    if not math.isfinite(value):
        raise EvaluationError("invalid_argument", f"{what} is a finite number, and this is none")
    return float(value)


def amount(value: Any, what: str) -> float:
    """A finite number that is not negative; raises `EvaluationError`. (Negative amounts would give back what others spent.)"""
    found = number(value, what)
    if found < 0:
        raise EvaluationError("invalid_argument", f"{what} is not negative, and this is")
    return found
