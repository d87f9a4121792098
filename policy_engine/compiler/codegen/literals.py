"""Values that are written down: literals, lists, maps."""

from __future__ import annotations

import ast
import math
from typing import Any

from policy_engine.base.values import UInt
from policy_engine.compiler.codegen import build
from policy_engine.compiler.codegen.emitter import Constants, Emitter
from policy_engine.semantics.ast.expressions import Expr, ListExpr, Literal, MapExpr


def literal(node: Literal, emitter: Emitter) -> ast.expr:
    """A constant in the code where Python has one, else a named constant of the module."""
    return written(node.value, emitter.constants)


def written(value: Any, constants: Constants) -> ast.expr:
    """Code for a constant value. Lists and maps are shared: engine values are never changed."""
    kind = type(value)
    if value is None or kind in (bool, int, str, bytes) or (kind is float and math.isfinite(value)):
        return build.constant(value)
    key = (kind, value) if kind is UInt else None
    return build.load(constants.add("constant", value, key))


def list_expression(node: ListExpr, emitter: Emitter) -> ast.expr:
    """A list display; with `?x` elements a row of one-or-no-element lists, unpacked in place."""
    parts: list[ast.expr] = []
    for element in node.elements:
        code = emitter.value(element.value)
        parts.append(ast.Starred(build.call("optional_items", code), ast.Load()) if element.optional else code)
    return build.display(parts)


def map_expression(node: MapExpr, emitter: Emitter) -> ast.expr:
    """A dict display where the keys are different texts; else the prelude checks the keys' kinds and repetition."""
    keys = [literal_text(entry.key) for entry in node.entries]
    if None not in keys and len(set(keys)) == len(keys) and not any(entry.optional for entry in node.entries):
        values = [emitter.value(entry.value) for entry in node.entries]
        return ast.Dict([build.constant(key) for key in keys], values)
    rows = [
        build.tuple_of(emitter.value(entry.key), emitter.value(entry.value), build.constant(entry.optional))
        for entry in node.entries
    ]
    return build.call("make_map", build.tuple_of(*rows))


def literal_text(node: Expr) -> str | None:
    """The text of a string literal."""
    return node.value if isinstance(node, Literal) and type(node.value) is str else None


def constant_items(node: Expr) -> list[Any] | None:
    """The values of a list that is known when the policy is compiled, written out or put in as one literal."""
    if isinstance(node, Literal) and type(node.value) is list:
        return node.value
    if isinstance(node, ListExpr):
        values = []
        for element in node.elements:
            if element.optional or not isinstance(element.value, Literal):
                return None
            values.append(element.value.value)
        return values
    return None
