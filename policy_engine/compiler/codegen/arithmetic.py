"""`+ - * / %` and the minus sign. Declared ints and doubles run bare, ints with a check of the result's range.

Division of ints cuts towards zero, which Python's does not: it goes through the exact definition, as does all that is
not declared. Division of doubles is bare: Python raises for a zero, and the interpreter gives the infinity.
"""

from __future__ import annotations

import ast
from typing import Final

from policy_engine.base.values import MAX_INT, MIN_INT
from policy_engine.compiler.codegen import build
from policy_engine.compiler.codegen.emitter import Emitter
from policy_engine.compiler.codegen.kinds import DOUBLES, INTS
from policy_engine.semantics.ast.expressions import Binary, Negate

_BARE: Final[dict[str, type[ast.operator]]] = {"+": ast.Add, "-": ast.Sub, "*": ast.Mult, "/": ast.Div}
_HELPERS: Final = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "remainder"}


def arithmetic(node: Binary, emitter: Emitter) -> ast.expr:
    """A binary operation on numbers, texts, lists, timestamps or durations."""
    left, right = emitter.value(node.left), emitter.value(node.right)
    kinds = emitter.kinds(node.left) | emitter.kinds(node.right)
    if kinds == DOUBLES and node.operator in _BARE:
        return build.binary(left, _BARE[node.operator](), right)
    if kinds == INTS and node.operator in ("+", "-", "*"):
        return _in_range(build.binary(left, _BARE[node.operator](), right), emitter)
    return build.call(_HELPERS[node.operator], left, right)


def minus(node: Negate, emitter: Emitter) -> ast.expr:
    """`-operand`."""
    kinds = emitter.kinds(node.operand)
    code = emitter.value(node.operand)
    if kinds == DOUBLES:
        return ast.UnaryOp(ast.USub(), code)
    if kinds == INTS:
        return _in_range(ast.UnaryOp(ast.USub(), code), emitter)
    return build.call("negate", code)


def _in_range(result: ast.expr, emitter: Emitter) -> ast.expr:
    """The result, if it is an int of 64 bits."""
    seen = emitter.fresh("number")
    bounds = [build.bind(seen, result), build.constant(MAX_INT)]
    fits = ast.Compare(build.constant(MIN_INT), [ast.LtE(), ast.LtE()], bounds)
    return build.choose(fits, build.load(seen), build.divert())
