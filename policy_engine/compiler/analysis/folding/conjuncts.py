"""What one test of a call is about: the call alone, a value of the moment, how long ago, or rows inside its result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from policy_engine.compiler.analysis.rebuilding import bound_for_children, rebuilt
from policy_engine.semantics.ast.expressions import (
    And,
    Binary,
    Call,
    Comprehension,
    Expr,
    ListExpr,
    Literal,
    Name,
    Not,
    Or,
    Select,
    children,
)
from policy_engine.semantics.context import FOLDED
from policy_engine.semantics.functions.catalogue import BY_NAME, TYPE_VALUES

TYPE_ROOTS = frozenset(name.partition(".")[0] for name in TYPE_VALUES)


@dataclass(frozen=True, slots=True, eq=False)
class Static:
    """A test of the call (and row) alone: worked out when the call comes."""

    test: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """`own == value`: something of the call against a value of the moment of the decision."""

    own: Expr
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Recent:
    """`moment - call.at < span`, or `<=`."""

    moment: Expr
    span: Expr
    inclusive: bool


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """`rows.exists(variable, tests)`, where `rows` is a list of the call."""

    rows: Expr
    variable: str
    tests: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Free:
    """A test that does not look at the call at all."""

    test: Expr


Conjunct: TypeAlias = Static | Key | Recent | Joined | Free


def conjunct(node: Expr, variables: tuple[str, ...]) -> Conjunct | None:
    """What `node` is about, where `variables` are the call and perhaps the row; None for anything else."""
    if not mentions(node, variables):
        return Free(node)
    if is_static(node, variables):
        return Static(node)
    match node:
        case Binary(operator="=="):
            for own, value in ((node.left, node.right), (node.right, node.left)):
                if is_static(own, variables) and mentions(own, variables) and not mentions(value, variables):
                    return Key(own, value)
        case Binary(operator="<" | "<=", left=Binary(operator="-", left=moment, right=at)):
            if _is_moment_of(at, variables[0]) and not mentions(moment, variables) and not mentions(node.right, variables):
                return Recent(moment, node.right, node.operator == "<=")
        case Comprehension(kind="exists", variables=(row,)):
            if len(variables) == 1 and row != variables[0] and is_static(node.range, variables):
                return Joined(node.range, row, tuple(conjuncts(node.bodies[0])))
    return None


def conjuncts(node: Expr) -> Iterator[Expr]:
    """The operands of `&&`, nested ones too; the node itself where it is none."""
    if isinstance(node, And):
        for operand in node.operands:
            yield from conjuncts(operand)
    else:
        yield node


def disjuncts(node: Expr) -> Iterator[Expr]:
    """The same for `||`."""
    if isinstance(node, Or):
        for operand in node.operands:
            yield from disjuncts(operand)
    else:
        yield node


def mentions(node: Expr, variables: tuple[str, ...]) -> bool:
    """Whether any of these variables of a macro around the node is read in it."""
    return not variables_read(node).isdisjoint(variables)


def variables_read(node: Expr) -> set[str]:
    """The names that are read and not bound inside; one with a leading dot is written with it."""
    if isinstance(node, Name):
        return {f".{node.name}" if node.rooted else node.name}
    found: set[str] = set()
    for child, bound in zip(children(node), bound_for_children(node), strict=True):
        found |= variables_read(child).difference(bound)
    return found


def is_static(node: Expr, variables: tuple[str, ...]) -> bool:
    """Whether the node depends on nothing but these variables, and on no function that asks about the run."""
    return variables_read(node) <= {*variables, *TYPE_ROOTS} and _calls_own_functions(node)


def _calls_own_functions(node: Expr) -> bool:
    if isinstance(node, Call):
        function = BY_NAME.get(node.function)
        if node.function == FOLDED or function is None or function.body is None or function.needs_context:
            return False
    return all(_calls_own_functions(child) for child in children(node))


def _is_moment_of(node: Expr, variable: str) -> bool:
    inner = node.operand if isinstance(node, Select) and node.field == "at" and not node.optional else None
    return isinstance(inner, Name) and inner.name == variable and not inner.rooted


def tools_tested(tests: list[Expr], variable: str) -> tuple[str, ...] | None:
    """The tools that a call must be of for all tests to hold; None where they do not say."""
    for test in _plainly(tests):
        if isinstance(test, Binary) and test.operator in ("==", "in") and _is_tool_of(test.left, variable):
            named = _texts(test.right) if test.operator == "in" else _texts(test.right, one=True)
            if named is not None:
                return named
        if isinstance(test, Binary) and test.operator == "==" and _is_tool_of(test.right, variable):
            return _texts(test.left, one=True)
    return None


def _plainly(tests: list[Expr]) -> Iterator[Expr]:
    """The tests, with `!(c.tool != "t" || …)` said as `c.tool == "t"`."""
    for test in tests:
        if isinstance(test, Not):
            for part in disjuncts(test.operand):
                if isinstance(part, Binary) and part.operator == "!=":
                    yield replace(part, operator="==")
        else:
            yield test


def _is_tool_of(node: Expr, variable: str) -> bool:
    inner = node.operand if isinstance(node, Select) and node.field == "tool" and not node.optional else None
    return isinstance(inner, Name) and inner.name == variable and not inner.rooted


def _texts(node: Expr, *, one: bool = False) -> tuple[str, ...] | None:
    values: list[object] | None = None
    if isinstance(node, Literal):
        values = [node.value] if one else list(node.value) if isinstance(node.value, list) else None
    elif isinstance(node, ListExpr) and not one:
        plain = [element.value for element in node.elements if not element.optional]
        if len(plain) == len(node.elements) and all(isinstance(part, Literal) for part in plain):
            values = [part.value for part in plain if isinstance(part, Literal)]
    if values is None or not all(isinstance(value, str) for value in values):
        return None
    return tuple(sorted({value for value in values if isinstance(value, str)}))


def renamed(node: Expr, names: Mapping[str, str]) -> Expr:
    """The node with these variables read under other names, which no macro inside can hide."""
    if isinstance(node, Name):
        meant = None if node.rooted else names.get(node.name)
        return node if meant is None else replace(node, name=meant, rooted=True)
    parts = tuple(
        renamed(child, {name: meant for name, meant in names.items() if name not in bound})
        for child, bound in zip(children(node), bound_for_children(node), strict=True)
    )
    return rebuilt(node, parts, fresh=False)
