"""The syntax tree of CEL. Every node is one of the classes of `Expr`; there is no catch-all.

Nodes compare by identity (types are kept beside the tree, keyed by node); `shape(node)` gives nested plain tuples
without positions, for comparing trees and for caching. Macros stay what the writer wrote (`Comprehension`), they are
not unfolded into loops. Nothing here is evaluated: see `semantics/interpreter` and `compiler/codegen`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal as OneOf, TypeAlias

from policy_engine.base.source import Span

BinaryOperator: TypeAlias = OneOf["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "in"]
ComprehensionKind: TypeAlias = OneOf[
    "all", "exists", "exists_one", "filter", "map", "transformList", "transformMap", "transformMapEntry",
    "last", "after", "sortBy",
]  # fmt: skip
"""`all exists exists_one filter map` are cel-spec macros (one or two variables where macros2 has them), `transform*`
macros2, `last` and `after` ours (LANGUAGE.md: the latest element that passes, the elements since the latest)."""


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A value known when the policy is compiled: written so, or a `param`, a datum, a group, put in its place."""

    value: Any
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Name:
    """A variable. `rooted` = written with a leading dot: never a macro's variable, never looked up in a container."""

    name: str
    rooted: bool
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Select:
    """`operand.field`; `optional` for `operand.?field`."""

    operand: Expr
    field: str
    optional: bool
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Has:
    """The macro `has(operand.field)`."""

    operand: Expr
    field: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """`operand[index]`; `optional` for `operand[?index]`."""

    operand: Expr
    index: Expr
    optional: bool
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A function or method call: `size(x)`, `x.startsWith(y)`, `math.greatest(1, 2)` (name with its namespace, no target)."""

    function: str
    target: Expr | None
    args: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Not:
    """`!operand`."""

    operand: Expr
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Negate:
    """`-operand`."""

    operand: Expr
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Binary:
    """Arithmetic, comparison and membership."""

    operator: BinaryOperator
    left: Expr
    right: Expr
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class And:
    """`a && b && …`, flattened: two operands or more. One false decides, even beside errors."""

    operands: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Or:
    """`a || b || …`, flattened: two operands or more. One true decides, even beside errors."""

    operands: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Conditional:
    """`condition ? then : otherwise`."""

    condition: Expr
    then: Expr
    otherwise: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a list literal; `optional` for `?x`, left out where `x` is `optional.none()`."""

    value: Expr
    optional: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a map literal; `optional` for `?k: v`."""

    key: Expr
    value: Expr
    optional: bool


@dataclass(frozen=True, slots=True, eq=False)
class ListExpr:
    """`[a, ?b]`."""

    elements: tuple[Element, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class MapExpr:
    """`{k: v, ?k2: v2}`."""

    entries: tuple[Entry, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Comprehension:
    """A macro over a list or map: `range.kind(variables…, bodies…)`.

    `bodies` holds one expression (predicate or value), or two for `map(x, filter, value)` and the `transform*`
    macros with a filter: then the filter comes first.
    """

    kind: ComprehensionKind
    range: Expr
    variables: tuple[str, ...]
    bodies: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Bind:
    """`cel.bind(variable, value, body)`; also what `let` parameters become: evaluated at most once, when first needed."""

    variable: str
    value: Expr
    body: Expr
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class OptionalMap:
    """`operand.optMap(variable, body)`; `flat` for `optFlatMap`."""

    operand: Expr
    variable: str
    body: Expr
    flat: bool
    span: Span


Expr: TypeAlias = (
    Literal | Name | Select | Has | Index | Call | Not | Negate | Binary | And | Or | Conditional | ListExpr | MapExpr
    | Comprehension | Bind | OptionalMap
)  # fmt: skip


def children(node: Expr) -> tuple[Expr, ...]:
    """The expressions directly inside a node, in the order they are written."""
    match node:
        case Literal() | Name():
            return ()
        case Select() | Has() | Not() | Negate():
            return (node.operand,)
        case Index():
            return (node.operand, node.index)
        case Call():
            return node.args if node.target is None else (node.target, *node.args)
        case Binary():
            return (node.left, node.right)
        case And() | Or():
            return node.operands
        case Conditional():
            return (node.condition, node.then, node.otherwise)
        case ListExpr():
            return tuple(element.value for element in node.elements)
        case MapExpr():
            return tuple(part for entry in node.entries for part in (entry.key, entry.value))
        case Comprehension():
            return (node.range, *node.bodies)
        case Bind():
            return (node.value, node.body)
        case OptionalMap():
            return (node.operand, node.body)


def shape(node: Expr) -> tuple[Any, ...]:
    """The tree as nested plain tuples, without positions: equal for expressions that mean the same text."""
    inner = tuple(shape(child) for child in children(node))
    kind = type(node).__name__
    match node:
        case Literal():
            return (kind, type(node.value).__name__, repr(node.value))
        case Name():
            return (kind, node.name, node.rooted)
        case Select():
            return (kind, node.field, node.optional, *inner)
        case Has():
            return (kind, node.field, *inner)
        case Index():
            return (kind, node.optional, *inner)
        case Call():
            return (kind, node.function, node.target is not None, *inner)
        case Binary():
            return (kind, node.operator, *inner)
        case ListExpr():
            return (kind, tuple(element.optional for element in node.elements), *inner)
        case MapExpr():
            return (kind, tuple(entry.optional for entry in node.entries), *inner)
        case Comprehension():
            return (kind, node.kind, node.variables, *inner)
        case Bind():
            return (kind, node.variable, *inner)
        case OptionalMap():
            return (kind, node.variable, node.flat, *inner)
        case Not() | Negate() | And() | Or() | Conditional():
            return (kind, *inner)
