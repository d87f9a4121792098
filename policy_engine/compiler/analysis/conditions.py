"""A rule's guards as one condition, made once, so that its nodes are the same wherever the rule is looked at."""

from __future__ import annotations

from collections.abc import Iterator

from policy_engine.semantics.ast.expressions import And, Expr, Literal, Not
from policy_engine.semantics.ast.policy import (
    Breaker,
    ElseCall,
    ElseEscalate,
    ElseReply,
    ElseRetry,
    ElseSet,
    Escalation,
    Ladder,
    Limit,
    Otherwise,
    RedactChange,
    Rewriting,
    Rule,
    SetChange,
    Timeout,
    Validation,
)


class Conditions:
    """Keeps the condition of every rule. For `validate` it is the failure: guards hold and a requirement does not."""

    def __init__(self) -> None:
        self._kept: dict[int, Expr] = {}

    def of(self, rule: Rule) -> Expr:
        """`when && !unless && …`; the literal true for a rule without guards."""
        kept = self._kept.get(id(rule))
        if kept is None:
            kept = self._kept[id(rule)] = _condition(rule)
        return kept


def _condition(rule: Rule) -> Expr:
    guards = rule.guards
    operands: list[Expr] = [] if guards.when is None else [guards.when]
    operands += [Not(exception, exception.span) for exception in guards.unless]
    if isinstance(rule, Validation):
        required = _all(list(rule.requirements), rule)
        operands.append(Not(required, required.span))
    return _all(operands, rule)


def _all(operands: list[Expr], rule: Rule) -> Expr:
    if not operands:
        return Literal(True, rule.keyword_span)
    return operands[0] if len(operands) == 1 else And(tuple(operands), operands[0].span)


def expressions_of(rule: Rule) -> Iterator[Expr]:
    """Every expression that a rule holds beside its guards and requirements."""
    match rule:
        case Escalation():
            yield from ladder_expressions(rule.ladder)
        case Rewriting():
            for change in rule.changes:
                match change:
                    case SetChange():
                        yield change.value
                    case RedactChange():
                        if change.replacement is not None:
                            yield change.replacement
        case Validation() | Timeout() | Breaker():
            yield from outcome_expressions(rule.otherwise)
        case Limit():
            yield rule.bound
            yield from (part for part in (rule.of, rule.reserve) if part is not None)
            yield from rule.by
            yield from outcome_expressions(rule.otherwise)
        case _:
            pass


def ladder_expressions(ladder: Ladder) -> Iterator[Expr]:
    """Every expression in a ladder and what follows it."""
    yield from (tier.where for tier in ladder.tiers if tier.where is not None)
    yield from outcome_expressions(ladder.otherwise)


def outcome_expressions(otherwise: Otherwise | None) -> Iterator[Expr]:
    """Every expression in an `else`."""
    match otherwise:
        case ElseReply():
            yield otherwise.value
        case ElseSet():
            yield from (change.value for change in otherwise.changes)
        case ElseCall() if otherwise.arguments is not None:
            yield otherwise.arguments
        case ElseRetry():
            yield from outcome_expressions(otherwise.otherwise)
        case ElseEscalate():
            yield from ladder_expressions(otherwise.ladder)
        case _:
            pass
