"""A policy file as nested plain tuples without positions: equal for files that mean the same text. For tests and caches."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, get_args

from policy_engine.base.source import Span
from policy_engine.semantics.ast.expressions import Expr, shape
from policy_engine.semantics.ast.policy import PolicyFile

_EXPRESSIONS = get_args(Expr)


def shape_of_file(file: PolicyFile) -> tuple[Any, ...]:
    """The whole file: header and items in order."""
    return (shape_of(file.header), tuple(shape_of(item) for item in file.items))


def shape_of(node: Any) -> Any:
    """One node of the policy language, or any part of one."""
    if isinstance(node, _EXPRESSIONS):
        return shape(node)
    if isinstance(node, tuple):
        return tuple(shape_of(part) for part in node)
    if is_dataclass(node) and not isinstance(node, type):
        parts = [(field.name, getattr(node, field.name)) for field in fields(node)]
        return (type(node).__name__, *((name, shape_of(part)) for name, part in parts if not isinstance(part, Span)))
    return node
