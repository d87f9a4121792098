"""`==`, `!=`, `<` … and `in`: Python's own operators where they mean what CEL means, guarded or helped elsewhere.

The traps: `True == 1`, `True < 2`, `[1] < [2]`, `nan in [nan]`, `"a" in "abc"`, and unhashable values in a set test
(those raise, which is fine).
"""

from __future__ import annotations

import ast
import math
from typing import Any, Final

from policy_engine.base.values import UInt
from policy_engine.compiler.codegen import build
from policy_engine.compiler.codegen.emitter import Emitter
from policy_engine.compiler.codegen.kinds import LISTS, MAPS, STRINGS, agrees, elements, kinds, mixes, rounds
from policy_engine.compiler.codegen.literals import constant_items
from policy_engine.semantics.ast.expressions import Binary, Expr, Literal

_ORDERINGS: Final[dict[str, type[ast.cmpop]]] = {"<": ast.Lt, "<=": ast.LtE, ">": ast.Gt, ">=": ast.GtE}
_HELPERS: Final = {"<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal"}
_SET_KINDS: Final = (str, int, bytes, type(None), float, UInt)
_ROUNDED_FROM: Final = 2**53
_UNORDERED: Final = frozenset({"list", "opaque"})
"""Kinds that Python may order though CEL does not."""


def equality(node: Binary, emitter: Emitter) -> ast.expr:
    """`left == right` and `left != right`."""
    code = _equal(node.left, node.right, emitter)
    return build.negate(code) if node.operator == "!=" else code


def _equal(left: Expr, right: Expr, emitter: Emitter) -> ast.expr:
    if agrees(emitter.known(left), emitter.known(right)):
        return build.compare(emitter.value(left), ast.Eq(), emitter.value(right))
    for constant, other in ((right, left), (left, right)):
        if isinstance(other, Literal):
            continue
        if isinstance(constant, Literal) and (type(constant.value) is bool or _is_small(constant)):
            return _equal_constant(constant.value, other, emitter)
    a, b = emitter.fresh("left"), emitter.fresh("right")
    alike = build.compare(
        build.attribute(build.bind(a, emitter.value(left)), "__class__"), ast.Is(),
        build.attribute(build.bind(b, emitter.value(right)), "__class__"),
    )  # fmt: skip
    scalar = build.compare(build.attribute(build.load(a), "__class__"), ast.In(), build.load("SCALARS"))
    return build.choose(
        build.both(alike, scalar),
        build.compare(build.load(a), ast.Eq(), build.load(b)),
        build.call("equals", build.load(a), build.load(b)),
    )


def _equal_constant(constant: Any, other: Expr, emitter: Emitter) -> ast.expr:
    code = emitter.value(other)
    if type(constant) is bool:
        if isinstance(code, ast.Constant):  # a bound value put in; Python warns about `1 is True`
            return build.constant(code.value is constant)
        return build.compare(code, ast.Is(), build.constant(constant))
    if constant not in (0, 1) or "bool" not in emitter.kinds(other):
        return build.compare(code, ast.Eq(), _number(constant, emitter))
    seen = emitter.fresh("side")
    same = build.compare(build.load(seen), ast.Eq(), _number(constant, emitter))
    return build.both(build.not_of_class(build.bind(seen, code), "bool"), same)


def _number(value: Any, emitter: Emitter) -> ast.expr:
    if type(value) is float and not math.isfinite(value):
        return build.load(emitter.constants.add("constant", value))
    return build.constant(value)


def ordering(node: Binary, emitter: Emitter) -> ast.expr:
    """`<`, `<=`, `>`, `>=`. Python raises for what it cannot order; bools, lists and objects of ours need the guard."""
    left, right = emitter.kinds(node.left), emitter.kinds(node.right)
    operator = _ORDERINGS[node.operator]()
    a, b = emitter.value(node.left), emitter.value(node.right)
    exact = _is_small(node.left) or _is_small(node.right) or not rounds(left, right)
    if left & right & _UNORDERED or not exact:
        return _both_unknown(node.operator, a, b, emitter)
    if not mixes(left, right):
        return build.compare(a, operator, b)
    seen = emitter.fresh("side")
    if "bool" not in right:  # a bool against anything else is an error, and the order of evaluation shows nowhere
        guard = build.not_of_class(build.bind(seen, a), "bool")
        return build.choose(guard, build.compare(build.load(seen), operator, b), build.divert())
    if "bool" not in left:
        guard = build.not_of_class(build.bind(seen, b), "bool")
        return build.choose(guard, build.compare(a, operator, build.load(seen)), build.divert())
    return _both_unknown(node.operator, a, b, emitter)


def _is_small(node: Expr) -> bool:
    """Whether this is a number so near zero that any other compares with it exactly, rounded to a double or not."""
    return isinstance(node, Literal) and type(node.value) in (int, float) and not abs(node.value) >= _ROUNDED_FROM


def _both_unknown(operator: str, a: ast.expr, b: ast.expr, emitter: Emitter) -> ast.expr:
    left, right = emitter.fresh("left"), emitter.fresh("right")
    alike = build.compare(
        build.attribute(build.bind(left, a), "__class__"), ast.Is(),
        build.attribute(build.bind(right, b), "__class__"),
    )  # fmt: skip
    ordered = build.compare(build.attribute(build.load(left), "__class__"), ast.In(), build.load("ORDERED"))
    return build.choose(
        build.both(alike, ordered),
        build.compare(build.load(left), _ORDERINGS[operator](), build.load(right)),
        build.call(_HELPERS[operator], build.load(left), build.load(right)),
    )


def membership(node: Binary, emitter: Emitter) -> ast.expr:
    """`element in list` and `key in map`."""
    constants = constant_items(node.right)
    if constants is not None:
        code = in_constants(node.left, constants, emitter)
        if code is not None:
            return code
    element, container = emitter.known(node.left), emitter.known(node.right)
    bare = build.compare(emitter.value(node.left), ast.In(), emitter.value(node.right))
    if kinds(container) == LISTS and agrees(element, elements(container), inside=True):
        return bare
    if kinds(element) == STRINGS:
        if kinds(container) and kinds(container) <= LISTS | MAPS | {"null"}:
            return bare
        return _text_in_unknown(bare, emitter)
    return build.call("is_in", bare.left, bare.comparators[0])


def _text_in_unknown(bare: ast.Compare, emitter: Emitter) -> ast.expr:
    """A text in something undeclared: only lists and maps."""
    seen = emitter.fresh("container")
    container = build.attribute(build.bind(seen, bare.comparators[0]), "__class__")
    guard = build.compare(container, ast.In(), build.load("CONTAINERS"))
    return build.choose(guard, build.compare(bare.left, ast.In(), build.load(seen)), build.divert())


def in_constants(element: Expr, constants: list[Any], emitter: Emitter) -> ast.expr | None:
    """Membership in a list that is known: a set display, which Python keeps as a frozen set. None = not that simple."""
    if not set_like(constants):
        return None
    code = emitter.value(element)
    if not constants:
        return build.compare(code, ast.In(), build.tuple_of())
    if clashes_with_bool(constants) and "bool" in emitter.kinds(element):
        seen = emitter.fresh("element")
        inside = build.compare(build.load(seen), ast.In(), set_display(constants))
        return build.both(build.not_of_class(build.bind(seen, code), "bool"), inside)
    if len(set(constants)) == 1:
        return build.compare(code, ast.Eq(), _plain(constants[0]))
    return build.compare(code, ast.In(), set_display(constants))


def set_like(constants: list[Any]) -> bool:
    """Whether a Python set of these answers membership as CEL does, but for bools."""
    return all(type(value) in _SET_KINDS and not _out_of_sets(value) for value in constants)


def _out_of_sets(value: Any) -> bool:
    """NaN, which a set would find by identity, and numbers so large that integers beside doubles are rounded."""
    return type(value) in (int, UInt, float) and not abs(value) < _ROUNDED_FROM


def clashes_with_bool(constants: list[Any]) -> bool:
    """Whether True or False would be found among these numbers."""
    return any(value in (0, 1) for value in constants if type(value) is not str)


def set_display(constants: list[Any]) -> ast.expr:
    """`{a, b}` in a stable order, each value once."""
    distinct = dict.fromkeys(constants)
    ordered = sorted(distinct, key=lambda value: (type(value).__name__, repr(value)))
    return ast.Set([_plain(value) for value in ordered])


def _plain(value: Any) -> ast.Constant:
    return build.constant(int(value) if type(value) is UInt else value)
