"""What is known at a point of an expression because of the tests before it: flow-sensitive typing.

A fact is about an access path (`args.limit`, `result["a"].b`): its field is present, its value is not null, or has a
certain type. Facts are plain frozen sets: more tests, more facts (`|`); either of two tests, the common ones (`&`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Final, Literal as OneOf, TypeAlias

from policy_engine.semantics.ast.expressions import (
    And,
    Binary,
    Bind,
    Call,
    Conditional,
    Expr,
    Has,
    Index,
    Literal,
    Name,
    Not,
    Or,
    Select,
)  # fmt: skip
from policy_engine.semantics.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    UINT,
    Type,
    UnionType,
    union,
)  # fmt: skip

Path: TypeAlias = tuple[str | int, ...]
Fact: TypeAlias = tuple[OneOf["present", "not_null"], Path, None] | tuple[OneOf["type"], Path, Type]
Facts: TypeAlias = frozenset[Fact]
NO_FACTS: Final[Facts] = frozenset()
_NAMED_TYPES: Final[Mapping[str, Type]] = {
    "bool": BOOL, "int": INT, "uint": UINT, "double": DOUBLE, "string": STRING, "bytes": BYTES,
    "google.protobuf.Timestamp": TIMESTAMP, "google.protobuf.Duration": DURATION,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Local:
    """A variable of a macro or of `cel.bind`: its type, and the path it is another word for, if it is."""

    type: Type
    path: Path | None


@dataclass(frozen=True, slots=True)
class Flow:
    """Where the checker is: the variables of the macros around it and the facts that hold."""

    locals: Mapping[str, Local]
    facts: Facts

    def knowing(self, facts: Facts) -> Flow:
        """Here, with more facts."""
        return replace(self, facts=self.facts | facts) if facts - self.facts else self

    def within(self, variables: Mapping[str, Local]) -> Flow:
        """Inside a macro with these variables: facts about outer names they hide do not hold for them."""
        kept = frozenset(fact for fact in self.facts if fact[1][0] not in variables)
        return Flow({**self.locals, **variables}, kept)


def path_of(node: Expr, flow: Flow) -> Path | None:
    """The access path a node is, or None for anything computed."""
    steps: list[str | int] = []
    while True:
        match node:
            case Select(operand=operand, field=field, optional=False):
                steps.append(field)
                node = operand
            case Index(operand=operand, index=Literal(value=str() | int() as key), optional=False):
                steps.append(key)
                node = operand
            case Name(name=name, rooted=rooted):
                local = None if rooted else flow.locals.get(name)
                root = local.path if local is not None and local.path is not None else (name,)
                return (*root, *reversed(steps))
            case _:
                return None


def narrowed(kind: Type, path: Path | None, facts: Facts) -> Type:
    """The type of what stands at `path`, given the facts."""
    if path is None or not facts:
        return kind
    if kind == DYN or isinstance(kind, UnionType):
        for fact in facts:
            if fact[0] == "type" and fact[1] == path:
                return fact[2]
    return without_null(kind) if ("not_null", path, None) in facts else kind


def without_null(kind: Type) -> Type:
    """The type less null; null alone stays."""
    if not isinstance(kind, UnionType):
        return kind
    return union(*(option for option in kind.options if option != NULL))


def learn(node: Expr, truth: bool, flow: Flow) -> Facts:
    """The facts that hold after `node` came to `truth`."""
    match node:
        case Not(operand=operand):
            return learn(operand, not truth, flow)
        case And(operands=operands) | Or(operands=operands):
            parts = [learn(operand, truth, flow) for operand in operands]
            if isinstance(node, And) == truth:
                return frozenset().union(*parts)
            return reduce(frozenset.intersection, parts)
        case Conditional(
            then=then, otherwise=otherwise
        ):  # what its condition teaches is left out: both ways, each level
            return learn(then, truth, flow) & learn(otherwise, truth, flow)
        case Has(operand=operand, field=field) if truth:
            return _present(operand, field, flow)
        case Call(function="hasValue", target=Select(operand=operand, field=field, optional=True)) if truth:
            return _present(operand, field, flow)
        case Binary(operator="in", left=Literal(value=str() as key), right=holder) if truth:
            return _present(holder, key, flow)
        case Binary(operator="==" | "!=") if truth == (node.operator == "=="):
            return _equal(node.left, node.right, flow) | _equal(node.right, node.left, flow)
        case Binary(operator="==" | "!="):
            return _unequal(node.left, node.right, flow) | _unequal(node.right, node.left, flow)
        case Bind(variable=variable, body=body):
            inner = Flow({**flow.locals, variable: Local(DYN, path_of(node.value, flow))}, flow.facts)
            return frozenset(fact for fact in learn(body, truth, inner) if fact[1][0] != variable)
        case _:
            return NO_FACTS


def _present(operand: Expr, field: str, flow: Flow) -> Facts:
    path = path_of(operand, flow)
    return NO_FACTS if path is None else frozenset({("present", (*path, field), None)})


def _equal(subject: Expr, other: Expr, flow: Flow) -> Facts:
    """`subject == other` holds: a value equal to a literal other than null is not null, `type(x) == int` tells the type."""
    match subject, other:
        case Call(function="type", target=None, args=(inner,)), _:
            path, kind = path_of(inner, flow), _type_named(other)
            return NO_FACTS if path is None or kind is None else frozenset({("type", path, kind)})
        case _, Literal(value=value) if value is not None:
            path = path_of(subject, flow)
            return NO_FACTS if path is None else frozenset({("not_null", path, None)})
        case _:
            return NO_FACTS


def _unequal(subject: Expr, other: Expr, flow: Flow) -> Facts:
    """`subject != other` holds: what differs from null is not null."""
    path = path_of(subject, flow) if isinstance(other, Literal) and other.value is None else None
    return NO_FACTS if path is None else frozenset({("not_null", path, None)})


def _type_named(node: Expr) -> Type | None:
    names: list[str] = []
    while isinstance(node, Select):
        names.append(node.field)
        node = node.operand
    return _NAMED_TYPES.get(".".join([node.name, *reversed(names)])) if isinstance(node, Name) else None
