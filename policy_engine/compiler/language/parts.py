"""Clauses on their way into a rule: what the parser has read of one item before its kind puts the parts together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as OneOf, TypeAlias

from policy_engine.base.source import Span
from policy_engine.semantics.ast.expressions import Expr
from policy_engine.semantics.ast.policy import (
    Backoff,
    Ladder,
    Otherwise,
    RedactChange,
    SetChange,
    Window,
    Word,
)


@dataclass(frozen=True, slots=True)
class GuardPart:
    """`when EXPR` or `unless EXPR`."""

    kind: OneOf["when", "unless"]
    condition: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class NotePart:
    """`because TEXT`, `detail TEXT`, `tags TEXT, TEXT`."""

    kind: OneOf["because", "detail", "tags"]
    words: tuple[Word, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class RequirePart:
    """`require EXPR`."""

    condition: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class AmountPart:
    """`of distinct EXPR reserve EXPR`."""

    value: Expr
    distinct: bool
    reserve: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class ByPart:
    """`by EXPR, EXPR`."""

    keys: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class BackoffPart:
    """`backoff 200ms..5s`."""

    backoff: Backoff
    span: Span


Part: TypeAlias = (
    GuardPart | NotePart | RequirePart | AmountPart | ByPart | BackoffPart | Ladder | Otherwise | SetChange
    | RedactChange | Window
)  # fmt: skip
