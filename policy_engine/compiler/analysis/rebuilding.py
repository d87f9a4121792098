"""Making a node again with other children, and which variables a node binds for which child."""

from __future__ import annotations

from dataclasses import replace

from policy_engine.semantics.ast.expressions import (
    And,
    Binary,
    Bind,
    Call,
    Comprehension,
    Conditional,
    Element,
    Entry,
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
    children,
)


def rebuilt(node: Expr, parts: tuple[Expr, ...], *, fresh: bool) -> Expr:
    """`node` with `parts` as its children (in the order of `children`); itself if nothing changed, unless `fresh`."""
    if not fresh and all(old is new for old, new in zip(children(node), parts, strict=True)):
        return node
    match node:
        case Literal() | Name():
            return replace(node)
        case Select() | Has() | Not() | Negate():
            return replace(node, operand=parts[0])
        case Index():
            return replace(node, operand=parts[0], index=parts[1])
        case Call():
            return replace(node, args=parts) if node.target is None else replace(node, target=parts[0], args=parts[1:])
        case Binary():
            return replace(node, left=parts[0], right=parts[1])
        case And() | Or():
            return replace(node, operands=parts)
        case Conditional():
            return replace(node, condition=parts[0], then=parts[1], otherwise=parts[2])
        case ListExpr():
            elements = zip(node.elements, parts, strict=True)
            return replace(node, elements=tuple(Element(part, old.optional) for old, part in elements))
        case MapExpr():
            entries = zip(node.entries, parts[::2], parts[1::2], strict=True)
            return replace(node, entries=tuple(Entry(key, value, old.optional) for old, key, value in entries))
        case Comprehension():
            return replace(node, range=parts[0], bodies=parts[1:])
        case Bind():
            return replace(node, value=parts[0], body=parts[1])
        case OptionalMap():
            return replace(node, operand=parts[0], body=parts[1])


def bound_for_children(node: Expr) -> list[tuple[str, ...]]:
    """For each child of `node`, the variables that `node` binds there."""
    match node:
        case Comprehension():
            return [(), *[node.variables] * len(node.bodies)]
        case Bind() | OptionalMap():
            return [(), (node.variable,)]
        case _:
            return [()] * len(children(node))


def names_in(node: Expr) -> set[str]:
    """Every name that is read anywhere inside, macro variables included."""
    found, pending = set(), [node]
    while pending:
        one = pending.pop()
        if isinstance(one, Name):
            found.add(one.name)
        pending.extend(children(one))
    return found


def fields_read(node: Expr, name: str) -> frozenset[str] | None:
    """The fields that are read of `name`; None where it is read as a whole (`args.all(…)`, `labels(args)`)."""
    found, pending = set(), [node]
    while pending:
        one = pending.pop()
        if isinstance(one, Name) and one.name == name:
            return None
        if isinstance(one, Select | Has) and isinstance(one.operand, Name) and one.operand.name == name:
            found.add(one.field)
        else:
            pending.extend(children(one))
    return frozenset(found)
