"""A question in the making: its conjuncts sorted, its arguments gathered, its track and template written.

Called by `shapes`. `Draft…` classes are what becomes `artifact.Track` and `artifact.Fold` once nothing is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal as OneOf

from policy_engine.compiler.analysis.folding.conjuncts import (
    Conjunct,
    Free,
    Joined,
    Key,
    Recent,
    Static,
    conjunct,
    conjuncts,
    tools_tested,
)
from policy_engine.semantics.ast.expressions import And, Binary, Comprehension, Expr, Name, Not

FoldKind = OneOf["exists", "uniform", "count", "last", "reduce"]
MAX_KEYS = 4


class NotFolded(Exception):
    """The expression is of no shape that folds; the message says why, for `policy plan`."""


@dataclass(slots=True)
class Arguments:
    """The expressions that a question is asked with, in the order of their positions."""

    values: list[Expr] = field(default_factory=list)

    def add(self, value: Expr) -> tuple[int, Name]:
        """The position of an argument, and the name that stands for it in the template."""
        self.values.append(value)
        position = len(self.values) - 1
        return position, Name(f"${position}", False, value.span)


@dataclass(slots=True)
class Tests:
    """The tests of one list of calls, sorted: what the state decides, what the question brings."""

    variable: str
    static: list[Expr] = field(default_factory=list)
    keys: list[tuple[Expr, int]] = field(default_factory=list)
    window: tuple[int, int, bool] | None = None
    rows: Expr | None = None
    row: str | None = None
    row_static: list[Expr] = field(default_factory=list)
    row_keys: set[int] = field(default_factory=set)
    free: list[Expr] = field(default_factory=list)
    template: list[Expr] = field(default_factory=list)

    @property
    def tools(self) -> tuple[str, ...] | None:
        """The tools whose calls can pass."""
        return tools_tested(self.static, self.variable)


def sorted_tests(body: Expr | None, variable: str, arguments: Arguments, *, joins: bool = False, free: bool = False) -> Tests:
    """The conjuncts of `body` sorted; raises `NotFolded` for one that is none of these."""
    tests = Tests(variable)
    for node in () if body is None else conjuncts(body):
        kind = conjunct(node, (variable,))
        match kind:
            case Static():
                tests.static.append(node)
                tests.template.append(node)
            case Key():
                tests.template.append(_keyed(kind, node, tests, arguments))
            case Recent():
                _windowed(kind, node, tests, arguments)
            case Joined() if joins and tests.rows is None:
                _joined(kind, node, tests, arguments)
            case Free() if free:
                tests.free.append(node)
            case _:
                raise NotFolded("a test is neither of the call alone, nor `c.x == value`, nor `now - c.at < duration`")
    if len(tests.keys) > MAX_KEYS:
        raise NotFolded(f"more than {MAX_KEYS} values are compared at once")
    return tests


def _keyed(kind: Key, node: Expr, tests: Tests, arguments: Arguments) -> Expr:
    position, name = arguments.add(kind.value)
    tests.keys.append((kind.own, position))
    return Binary("==", kind.own, name, node.span)


def _windowed(kind: Recent, node: Expr, tests: Tests, arguments: Arguments) -> None:
    if tests.window is not None or not isinstance(node, Binary) or not isinstance(node.left, Binary):
        raise NotFolded("there are two windows of time")
    (moment, moment_name), (span, span_name) = arguments.add(kind.moment), arguments.add(kind.span)
    tests.window = moment, span, kind.inclusive
    age = replace(node.left, left=moment_name)
    tests.template.append(replace(node, left=age, right=span_name))


def _joined(kind: Joined, node: Expr, tests: Tests, arguments: Arguments) -> None:
    assert isinstance(node, Comprehension)
    tests.rows, tests.row = kind.rows, kind.variable
    inner: list[Expr] = []
    for test in kind.tests:
        about: Conjunct | None = conjunct(test, (tests.variable, kind.variable))
        match about:
            case Static():
                tests.row_static.append(test)
                inner.append(test)
            case Key():
                tests.row_keys.add(len(arguments.values))
                inner.append(_keyed(about, test, tests, arguments))
            case _:
                raise NotFolded("a test of rows is neither of the row and its call alone, nor `r.x == value`")
    tests.template.append(replace(node, bodies=(together(inner, node),)))


def together(tests: Sequence[Expr], around: Expr) -> Expr:
    """`&&` of tests; the only one itself."""
    return tests[0] if len(tests) == 1 else And(tuple(tests), around.span)


def negated(node: Expr) -> Expr:
    """`!node`."""
    return Not(node, node.span)
