"""Helpers for declaring functions: overloads in one line, bodies that meet only the kinds of values they are for.

Called by each library of this folder. `typed` promises that a body never sees another number or kind of arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from policy_engine.base.errors import EvaluationError
from policy_engine.semantics.functions.declaration import Example, Overload
from policy_engine.semantics.operations import no_overload
from policy_engine.semantics.types import RecordField, RecordType, Type


def takes(*params: Type, to: Type) -> Overload:
    """The signature `(params…) -> to`; for a method the receiver comes first."""
    return Overload(params, to)


def record(name: str, **fields: Type) -> RecordType:
    """The record that a function gives, with these fields."""
    return RecordType(name, tuple(RecordField(field, kind, required=True) for field, kind in sorted(fields.items())))


def examples(*pairs: tuple[str, str]) -> tuple[Example, ...]:
    """Examples as pairs of an expression and what it comes to."""
    return tuple(Example(expression, value) for expression, value in pairs)


def typed(name: str, body: Callable[..., Any], *signatures: tuple[type, ...]) -> Callable[..., Any]:
    """`body`, called only with arguments of exactly these Python classes; anything else is `no_such_overload`."""
    allowed = frozenset(signatures)

    def call(*arguments: Any) -> Any:
        if tuple(map(type, arguments)) not in allowed:
            no_overload(name, *arguments)
        return body(*arguments)

    return call


def counted(name: str, body: Callable[..., Any], *counts: int) -> Callable[..., Any]:
    """`body`, called only with one of these numbers of arguments; it looks at their kinds itself."""

    def call(*arguments: Any) -> Any:
        if len(arguments) not in counts:
            no_overload(name, *arguments)
        return body(*arguments)

    return call


def invalid(message: str) -> EvaluationError:
    """The error of an argument that has the right type and still means nothing."""
    return EvaluationError("invalid_argument", message)
