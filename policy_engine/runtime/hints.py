"""Hints: the nearest call that would pass, told to a refused agent so that it can recover.

One conjunct of one rule is changed in one argument, and the changed call is decided again before anything is shown.
Only literals of rules that carry `because` are told: their writer meant to speak to the agent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from policy_engine.base.values import MAX_INT, MIN_INT
from policy_engine.runtime.messages import shown
from policy_engine.runtime.paths import PathMismatch, replaced
from policy_engine.semantics.artifact import CompiledRule
from policy_engine.semantics.ast.expressions import (
    And,
    Binary,
    Expr,
    Has,
    Index,
    ListExpr,
    Literal,
    Name,
    Not,
    Or,
    Select,
)  # fmt: skip

_MOST_TRIES: Final = 24
"""Changed calls that are decided for one hint, at most."""
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Change:
    """One argument changed: `steps` below `args`, the `value` to try, and how to say it."""

    steps: tuple[str, ...]
    value: Any
    text: str


def call_hint(
    rules: tuple[CompiledRule, ...], mask: int, args: dict[str, Any], passes: Callable[[dict[str, Any]], bool]
) -> str | None:
    """The first change, in the order of rules and conjuncts, with which `passes` says the call would be allowed."""
    tries = 0
    for bit, rule in enumerate(rules):
        holds = bool(mask >> bit & 1)
        wanted = rule.kind == "allow"
        if rule.because is None or rule.observe or holds == wanted:
            continue
        for change in changes(rule.condition, wanted):
            tries += 1
            if tries > _MOST_TRIES:
                return None
            try:
                tried = _with(args, change)
            except PathMismatch:
                continue
            if _passes(passes, tried):
                return change.text
    return None


def _passes(passes: Callable[[dict[str, Any]], bool], tried: dict[str, Any]) -> bool:
    """A changed call that cannot be decided does not pass: whoever reads a hint never meets a fault of the engine."""
    try:
        return passes(tried)
    except Exception:
        return False


def _with(args: dict[str, Any], change: Change) -> dict[str, Any]:
    if change.value is _ABSENT:
        if len(change.steps) != 1:
            raise PathMismatch
        return {name: value for name, value in args.items() if name != change.steps[0]}
    tried: dict[str, Any] = replaced(args, change.steps, lambda _: change.value, create=True)
    return tried


def changes(condition: Expr, wanted: bool) -> Iterator[Change]:
    """Single changes that could make the condition come to `wanted`, each from one atom of it."""
    match condition:
        case Not():
            yield from changes(condition.operand, not wanted)
        case And() | Or():
            for operand in condition.operands:
                yield from changes(operand, wanted)
        case Has():
            steps = _argument(Select(condition.operand, condition.field, False, condition.span))
            if steps and not wanted:
                yield Change(steps, _ABSENT, f"without {_said(steps)}")
        case Binary(operator="in"):
            steps, options = _argument(condition.left), _options(condition.right)
            if steps and options and wanted:
                for option in options:
                    yield Change(steps, option, f"{_said(steps)} one of {', '.join(map(_quoted, options))}")
        case Binary():
            yield from _compared(condition, wanted)
        case Select() | Index():
            steps = _argument(condition)
            if steps:
                yield Change(steps, wanted, f"{_said(steps)} = {shown(wanted)}")
        case _:
            return


def _compared(node: Binary, wanted: bool) -> Iterator[Change]:
    operator, left, right = str(node.operator), node.left, node.right
    if isinstance(left, Literal):
        if operator not in _MIRRORED:
            return
        operator, left, right = _MIRRORED[operator], right, left
    steps = _argument(left)
    if not steps or not isinstance(right, Literal) or operator not in _OPPOSITE:
        return
    if not wanted:
        operator = _OPPOSITE[operator]
    literal = right.value
    if operator == "==" and type(literal) in (str, int, float, bool):
        yield Change(steps, literal, f"{_said(steps)} = {_quoted(literal)}")
    elif type(literal) in (int, float) and not (isinstance(literal, float) and math.isnan(literal)):
        yield from _bounded(steps, operator, literal)


def _bounded(steps: tuple[str, ...], operator: str, bound: float) -> Iterator[Change]:
    said = _said(steps)
    if operator == "<=":
        yield Change(steps, bound, f"{said} at most {shown(bound)}")
    elif operator == ">=":
        yield Change(steps, bound, f"{said} at least {shown(bound)}")
    elif operator in ("<", ">"):
        below = operator == "<"
        word = "less than" if below else "more than"
        whole = math.ceil(bound) - 1 if below else math.floor(bound) + 1
        if MIN_INT <= whole <= MAX_INT:
            yield Change(steps, whole, f"{said} {word} {shown(bound)}")
        near = math.nextafter(float(bound), -math.inf if below else math.inf)
        yield Change(steps, near, f"{said} {word} {shown(bound)}")


def _argument(node: Expr) -> tuple[str, ...]:
    """The path below `args` that an expression reads, or () if it reads something else."""
    steps: list[str] = []
    while True:
        match node:
            case Select(operand=operand, field=field, optional=False):
                steps.append(field)
                node = operand
            case Index(operand=operand, index=Literal(value=str(field)), optional=False):
                steps.append(field)
                node = operand
            case Name(name="args"):
                return tuple(reversed(steps))
            case _:
                return ()


def _options(node: Expr) -> list[Any]:
    """The literals of a list that was written out or put in for a param or group."""
    if isinstance(node, Literal) and isinstance(node.value, list):
        values = node.value
    elif isinstance(node, ListExpr) and all(isinstance(element.value, Literal) for element in node.elements):
        values = [element.value.value for element in node.elements if isinstance(element.value, Literal)]
    else:
        return []
    return values if all(type(value) in (str, int, float, bool) for value in values) else []


def _said(steps: tuple[str, ...]) -> str:
    return ".".join(("args", *steps))


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else shown(value)
