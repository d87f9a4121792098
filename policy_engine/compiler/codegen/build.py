"""Small constructors of Python `ast` nodes, so that the families read like the code they make.

Used by every file of this package. Positions are set once, when a function is finished (`module.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any


def load(name: str) -> ast.Name:
    """A variable or a word of the prelude."""
    return ast.Name(name, ast.Load())


def constant(value: Any) -> ast.Constant:
    """A literal that Python itself can hold in code."""
    return ast.Constant(value)


def call(function: str | ast.expr, *args: ast.expr) -> ast.Call:
    """`function(args…)`."""
    return ast.Call(load(function) if isinstance(function, str) else function, list(args), [])


def attribute(value: ast.expr, name: str) -> ast.Attribute:
    """`value.name`."""
    return ast.Attribute(value, name, ast.Load())


def method(value: ast.expr, name: str, *args: ast.expr) -> ast.Call:
    """`value.name(args…)`."""
    return call(attribute(value, name), *args)


def subscript(value: ast.expr, index: ast.expr) -> ast.Subscript:
    """`value[index]`."""
    return ast.Subscript(value, index, ast.Load())


def compare(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.Compare:
    """`left operator right`."""
    return ast.Compare(left, [operator], [right])


def binary(left: ast.expr, operator: ast.operator, right: ast.expr) -> ast.BinOp:
    """`left operator right` of arithmetic."""
    return ast.BinOp(left, operator, right)


def choose(test: ast.expr, then: ast.expr, otherwise: ast.expr) -> ast.IfExp:
    """`then if test else otherwise`."""
    return ast.IfExp(test, then, otherwise)


def both(*tests: ast.expr) -> ast.expr:
    """`a and b and …`."""
    return tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), list(tests))


def either(*tests: ast.expr) -> ast.expr:
    """`a or b or …`."""
    return tests[0] if len(tests) == 1 else ast.BoolOp(ast.Or(), list(tests))


_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
}  # fmt: skip


def negate(test: ast.expr) -> ast.expr:
    """`not test` of something that is True or False, without piling up `not`s. Orderings keep theirs: NaN."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in _OPPOSITE:
        return ast.Compare(test.left, [_OPPOSITE[type(test.ops[0])]()], test.comparators)
    return ast.UnaryOp(ast.Not(), test)


def bind(name: str, value: ast.expr) -> ast.NamedExpr:
    """`(name := value)`."""
    return ast.NamedExpr(ast.Name(name, ast.Store()), value)


def of_class(value: ast.expr, *classes: str) -> ast.expr:
    """`value.__class__ is a or value.__class__ is b`; `value` must be safe to write twice when there are several."""
    return either(*(compare(attribute(value, "__class__"), ast.Is(), load(name)) for name in classes))


def not_of_class(value: ast.expr, name: str) -> ast.expr:
    """`value.__class__ is not name`."""
    return compare(attribute(value, "__class__"), ast.IsNot(), load(name))


def display(items: Iterable[ast.expr]) -> ast.List:
    """`[a, b, …]`."""
    return ast.List(list(items), ast.Load())


def tuple_of(*items: ast.expr) -> ast.Tuple:
    """`(a, b, …)`."""
    return ast.Tuple(list(items), ast.Load())


def thunk(value: ast.expr) -> ast.Lambda:
    """`lambda: value`."""
    return function((), value)


def function(parameters: Iterable[str], value: ast.expr) -> ast.Lambda:
    """`lambda a, b: value`."""
    arguments = ast.arguments([], [ast.arg(name) for name in parameters], None, [], [], None, [])
    return ast.Lambda(arguments, value)


def loop(targets: tuple[str, ...], values: ast.expr, *tests: ast.expr) -> list[ast.comprehension]:
    """`for a, b in values if test` of a comprehension."""
    stored: list[ast.expr] = [ast.Name(name, ast.Store()) for name in targets]
    target = stored[0] if len(stored) == 1 else ast.Tuple(stored, ast.Store())
    return [ast.comprehension(target, values, list(tests), 0)]


def divert() -> ast.Call:
    """`divert()` of the prelude: raises, so that the interpreter decides."""
    return call("divert")
