"""The values at which a policy changes its mind: literals of its own conditions, and their nearest neighbours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from policy_engine.base.values import MAX_INT, MIN_INT
from policy_engine.semantics.ast.expressions import (
    Binary,
    Call,
    Comprehension,
    Expr,
    Index,
    ListExpr,
    Literal,
    Name,
    Select,
    children,
)  # fmt: skip

Path: TypeAlias = tuple[str, ...]
"""`("args", "amount")`; the element of a list is `*`."""


def boundaries(conditions: Iterable[Expr]) -> dict[Path, list[Any]]:
    """For each path that a condition compares with a literal, the values worth trying there, without repetition."""
    found: dict[Path, list[Any]] = {}
    for condition in conditions:
        _collect(condition, {}, found)
    return found


def _collect(node: Expr, variables: dict[str, Path], found: dict[Path, list[Any]]) -> None:
    match node:
        case Binary(operator=operator, left=left, right=right):
            _note(left, _literals(right) if operator == "in" else _literal(right), variables, found)
            _note(right, _literal(left), variables, found)
        case Call(target=target, args=arguments) if target is not None:
            for argument in arguments:
                _note(target, _literal(argument), variables, found)
        case Comprehension(range=items, variables=(variable,)):
            path = _path(items, variables)
            if path:
                variables = {**variables, variable: (*path, "*")}
        case _:
            pass
    for child in children(node):
        _collect(child, variables, found)


def _note(node: Expr, literals: list[Any], variables: dict[str, Path], found: dict[Path, list[Any]]) -> None:
    path = _path(node, variables)
    if path and literals:
        kept = found.setdefault(path, [])
        for literal in literals:
            for value in neighbours(literal):
                if not any(type(value) is type(other) and value == other for other in kept):
                    kept.append(value)


def neighbours(literal: Any) -> Iterator[Any]:
    """The literal, and what stands just before and just after it."""
    yield literal
    if type(literal) is int:
        yield from (near for near in (literal - 1, literal + 1) if MIN_INT <= near <= MAX_INT)
    elif type(literal) is float and math.isfinite(literal):
        yield math.nextafter(literal, -math.inf)
        yield math.nextafter(literal, math.inf)
    elif type(literal) is str:
        yield literal + "x"
        yield "x" + literal
        if literal:
            yield literal[:-1]
            yield literal.swapcase()


def _literal(node: Expr) -> list[Any]:
    return [node.value] if isinstance(node, Literal) and type(node.value) in (int, float, str, bool) else []


def _literals(node: Expr) -> list[Any]:
    if isinstance(node, ListExpr):
        return [value for element in node.elements for value in _literal(element.value)]
    if isinstance(node, Literal) and isinstance(node.value, list | dict):
        return [value for value in node.value if type(value) in (int, float, str, bool)]
    return []


def _path(node: Expr, variables: dict[str, Path]) -> Path:
    steps: list[str] = []
    while True:
        match node:
            case Select(operand=operand, field=field):
                steps.append(field)
                node = operand
            case Index(operand=operand, index=Literal(value=str(field))):
                steps.append(field)
                node = operand
            case Index(operand=operand):
                steps.append("*")
                node = operand
            case Name(name=name):
                return (*variables.get(name, (name,)), *reversed(steps))
            case _:
                return ()
