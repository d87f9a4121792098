"""A condition taken apart: its conjuncts, which of them an index may decide, and what each reads for certain.

Called by `planning.py`. Taking apart changes nothing: `!(a || b)` is `!a && !b` in CEL, errors included.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from policy_engine.semantics.activation import ENVIRONMENT_NAMES
from policy_engine.semantics.ast.expressions import (
    And,
    Binary,
    Bind,
    Call,
    Comprehension,
    Conditional,
    Expr,
    Has,
    Index,
    ListExpr,
    Literal,
    MapExpr,
    Name,
    Negate,
    Not,
    OptionalMap,
    Or,
    Select,
    children,
)  # fmt: skip
from policy_engine.semantics.functions.catalogue import BY_NAME

Path: TypeAlias = tuple[str, ...]
READABLE: Final = frozenset(("args", "principal", *ENVIRONMENT_NAMES)) - {"run", "now"}
"""Roots that tables read. Not the run, whose value may cost much, and not the clock."""
_CHEAP_NODES: Final = 48
_CHEAP_CALLS: Final = frozenset(("startsWith", "endsWith", "contains", "matches", "size"))


def conjuncts(condition: Expr) -> tuple[Expr, ...]:
    """What must all hold for the condition to hold, in its order."""
    return tuple(_conjuncts(condition))


def _conjuncts(node: Expr) -> Iterator[Expr]:
    match node:
        case And():
            for operand in node.operands:
                yield from _conjuncts(operand)
        case Not(operand=Not(operand=inner)):
            yield from _conjuncts(inner)
        case Not(operand=Or(operands=operands)):
            for operand in operands:
                yield from _conjuncts(Not(operand, operand.span))
        case _:
            yield node


def decidable(parts: tuple[Expr, ...]) -> int:
    """How many of the first conjuncts an index may decide before the others.

    An evaluation that takes too many steps is an error that no `&&` hides. So what stands behind a conjunct that may
    take many is not looked at before it.
    """
    spent = 0
    for number, part in enumerate(parts):
        size = _size(part)
        spent += size
        if size > _CHEAP_NODES or spent > 4 * _CHEAP_NODES:
            return number + 1
    return len(parts)


def _size(node: Expr) -> int:
    """Nodes in the expression; very many where one of them may take long."""
    match node:
        case Comprehension() | Bind() | OptionalMap() | ListExpr() | MapExpr():
            own = 1 + _CHEAP_NODES if not isinstance(node, ListExpr) else 1
        case Call():
            own = 1 if node.function in _CHEAP_CALLS else 1 + _CHEAP_NODES
        case Binary(operator="+"):
            own = 8
        case _:
            own = 1
    return own + sum(_size(child) for child in children(node))


def path_of(node: Expr) -> Path | None:
    """The root and fields that a chain of selections names; None for anything else."""
    fields: list[str] = []
    while isinstance(node, Select) and not node.optional:
        fields.append(node.field)
        node = node.operand
    if not isinstance(node, Name) or node.name not in READABLE:
        return None
    return (node.name, *reversed(fields)) if fields else None


def needed(node: Expr) -> frozenset[Path]:
    """Paths without which the expression is an error for certain."""
    path = path_of(node)
    if path is not None:
        return frozenset((path,))
    match node:
        case Literal() | Name() | And() | Or() | Bind():
            strict: tuple[Expr, ...] = ()
        case Conditional():
            strict = (node.condition,)
        case Comprehension():
            strict = (node.range,)
        case OptionalMap():
            strict = (node.operand,)
        case Call(function="or" | "orValue"):
            strict = children(node)[:1]
        case Call() if node.function not in BY_NAME:  # the host's, and what the compiler put in the place of a fold
            strict = ()
        case Select() | Has() | Not() | Negate() | Binary() | Index() | Call() | ListExpr() | MapExpr():
            strict = children(node)
    return frozenset().union(*(needed(child) for child in strict))
