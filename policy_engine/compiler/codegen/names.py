"""Names, fields and indexes, and `has`.

A missing field of a dict raises, and so does a text key into anything that is no dict: `value["field"]` needs no guard.
`"x" in value` and `value[0]` do: texts answer both.
"""

from __future__ import annotations

import ast

from policy_engine.compiler.codegen import build
from policy_engine.compiler.codegen.emitter import Emitter, LeftToTheInterpreter
from policy_engine.compiler.codegen.kinds import LISTS, MAPS, STRINGS, Kinds
from policy_engine.semantics.ast.expressions import Has, Index, Literal, Name, Select
from policy_engine.semantics.functions.catalogue import TYPE_VALUES


def name(node: Name, emitter: Emitter) -> ast.expr:
    """A macro's variable, or what the function was given under that name."""
    local = None if node.rooted else emitter.scope.get(node.name)
    return emitter.read_name(node.name) if local is None else local.read()


def select(node: Select, emitter: Emitter) -> ast.expr:
    """`operand.field` and `operand.?field`."""
    if _names_a_type(node, emitter):
        raise LeftToTheInterpreter
    operand = emitter.value(node.operand)
    if node.optional:
        return build.call("optional_select", operand, build.constant(node.field))
    if not _subscriptable(operand, emitter.kinds(node.operand)):
        return build.call("select", operand, build.constant(node.field))
    return build.subscript(operand, build.constant(node.field))


def _subscriptable(operand: ast.expr, kinds: Kinds) -> bool:
    """Whether `operand[…]` is worth writing: not where it can only fail, nor on displays, where Python would warn."""
    return bool(kinds & (MAPS | LISTS)) and isinstance(operand, ast.Name | ast.Subscript | ast.Attribute | ast.Call)


def _names_a_type(node: Select, emitter: Emitter) -> bool:
    """Whether this is `google.protobuf.Timestamp` or another dotted name that is a value by itself."""
    words, inner = [node.field], node.operand
    while isinstance(inner, Select):
        words.append(inner.field)
        inner = inner.operand
    if not isinstance(inner, Name) or (inner.name in emitter.scope and not inner.rooted):
        return False
    return ".".join((inner.name, *reversed(words))) in TYPE_VALUES


def has(node: Has, emitter: Emitter) -> ast.expr:
    """`has(operand.field)`."""
    operand, field = emitter.value(node.operand), build.constant(node.field)
    kinds = emitter.kinds(node.operand)
    if kinds and kinds <= MAPS | {"null"}:
        return build.compare(field, ast.In(), operand)
    if kinds == {"optional"}:
        return build.call("has_field", operand, field)
    seen = emitter.fresh("operand")
    guard = build.of_class(build.bind(seen, operand), "dict")
    return build.choose(guard, build.compare(field, ast.In(), build.load(seen)), build.divert())


def index(node: Index, emitter: Emitter) -> ast.expr:
    """`operand[index]` and `operand[?index]`."""
    operand, position = emitter.value(node.operand), emitter.value(node.index)
    if node.optional:
        return build.call("optional_index", operand, position)
    kinds, key = emitter.kinds(node.operand), emitter.kinds(node.index)
    if not _subscriptable(operand, kinds):
        return build.call("index", operand, position)
    if key == STRINGS:
        return build.subscript(operand, position)
    whole = isinstance(node.index, Literal) and type(node.index.value) is int and node.index.value >= 0
    if whole and kinds and kinds <= LISTS | {"null"}:
        return build.subscript(operand, position)
    return build.call("index", operand, position)
