"""What an expression is checked against, and what the check answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from policy_engine.compiler.cel.checker.facts import NO_FACTS, Facts
from policy_engine.semantics.ast.expressions import Expr
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.types import Type


@dataclass(frozen=True, slots=True)
class Scope:
    """The names and functions an expression can use.

    `elsewhere`: names that exist only in other phases, with the reason («`result` is known after the call»).
    `container`: the CEL container names are also looked up in. `overrides`: result types of functions replaced, as
    `labels` by a list of the declared labels.
    """

    names: Mapping[str, Type]
    functions: Mapping[str, Function]
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    container: str | None = None
    overrides: Mapping[str, Type] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """An expression with its types. `when_true` and `when_false`: what is known once it came to that value.

    A node that is checked twice with unlike types (a `let` used at two places) is `dyn`; a node in error likewise.
    """

    type: Type
    types: Mapping[Expr, Type]
    when_true: Facts = NO_FACTS
    when_false: Facts = NO_FACTS
