"""Every kind of expression and the family that translates it: the table of contents of the code generator."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import assert_never

from policy_engine.compiler.codegen import (
    arithmetic,
    bindings,
    calls,
    comparison,
    comprehensions,
    literals,
    logic,
    names,
)
from policy_engine.compiler.codegen.emitter import Constants, Emitter, ReadName
from policy_engine.compiler.codegen.knowledge import known
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
)  # fmt: skip
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.types import Type


def new_emitter(
    read_name: ReadName, constants: Constants, types: Mapping[Expr, Type], functions: Mapping[str, Function],
    context: ast.expr | None,
) -> Emitter:  # fmt: skip
    """An emitter for one generated function. `context` = code for the `EvaluationContext`, if the function has one."""
    return Emitter(
        translation=translate, knowledge=known, read_name=read_name, constants=constants, types=types,
        functions=functions, context=context,
    )  # fmt: skip


def translate(node: Expr, emitter: Emitter) -> ast.expr:
    """Python code for `node`; raises `LeftToTheInterpreter` for what is not translated."""
    match node:
        case Literal():
            return literals.literal(node, emitter)
        case ListExpr():
            return literals.list_expression(node, emitter)
        case MapExpr():
            return literals.map_expression(node, emitter)
        case Name():
            return names.name(node, emitter)
        case Select():
            return names.select(node, emitter)
        case Has():
            return names.has(node, emitter)
        case Index():
            return names.index(node, emitter)
        case And():
            return logic.conjunction(node, emitter)
        case Or():
            return logic.disjunction(node, emitter)
        case Not():
            return logic.negation(node, emitter)
        case Conditional():
            return logic.conditional(node, emitter)
        case Binary():
            return _binary(node, emitter)
        case Negate():
            return arithmetic.minus(node, emitter)
        case Call():
            return calls.function_call(node, emitter)
        case Comprehension():
            return comprehensions.comprehension(node, emitter)
        case Bind():
            return bindings.binding(node, emitter)
        case OptionalMap():
            return bindings.optional_map(node, emitter)
        case _:
            assert_never(node)


def _binary(node: Binary, emitter: Emitter) -> ast.expr:
    match node.operator:
        case "==" | "!=":
            return comparison.equality(node, emitter)
        case "<" | "<=" | ">" | ">=":
            return comparison.ordering(node, emitter)
        case "in":
            return comparison.membership(node, emitter)
        case "+" | "-" | "*" | "/" | "%":
            return arithmetic.arithmetic(node, emitter)
        case _:
            assert_never(node.operator)
