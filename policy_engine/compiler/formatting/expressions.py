"""Prints a condition on one line, with only the parentheses its meaning needs. Literals stay as they were written.

Promises: what it prints parses to a tree of the same `shape`.
"""

from __future__ import annotations

import json
import re
from typing import Final, assert_never

from policy_engine.base.source import Span
from policy_engine.compiler.language.scanning import scan
from policy_engine.semantics.ast.expressions import (
    And,
    Binary,
    Bind,
    Call,
    Comprehension,
    Conditional,
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
)

TERNARY, OR, AND, RELATION, SUM, PRODUCT, UNARY, MEMBER = range(8)
"""How tightly an expression binds, loosest first; the levels of the grammar."""
_BINARY: Final = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "%": PRODUCT}
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def level(node: Expr) -> int:
    """How tightly a node binds as it is printed."""
    match node:
        case Conditional():
            return TERNARY
        case Or():
            return OR
        case And():
            return AND
        case Binary():
            return _BINARY.get(node.operator, RELATION)
        case Not() | Negate():
            return UNARY
        case Literal():
            return UNARY if written(node.span).startswith("-") else MEMBER
        case _:
            return MEMBER


def one_line(node: Expr, least: int = TERNARY) -> str:
    """The node as text; in parentheses where it binds more loosely than `least`."""
    text = _text(node)
    return f"({text})" if level(node) < least else text


def _text(node: Expr) -> str:
    match node:
        case Literal():
            return written(node.span)
        case Name():
            return written(node.span) if node.name.startswith("@") else f"{'.' if node.rooted else ''}{node.name}"
        case Select():
            return f"{one_line(node.operand, MEMBER)}{'.?' if node.optional else '.'}{field(node.field)}"
        case Has():
            return f"has({one_line(node.operand, MEMBER)}.{field(node.field)})"
        case Index():
            return f"{one_line(node.operand, MEMBER)}[{'?' if node.optional else ''}{one_line(node.index)}]"
        case Call():
            return f"{callee(node)}({_row(node.args)})"
        case Not():
            return f"!{one_line(node.operand, UNARY if isinstance(node.operand, Not) else MEMBER)}"
        case Negate():
            return f"-{_negated(node.operand)}"
        case Binary():
            own = level(node)
            return f"{one_line(node.left, own)} {node.operator} {one_line(node.right, own + 1)}"
        case And():
            return " && ".join(one_line(operand, RELATION) for operand in node.operands)
        case Or():
            return " || ".join(one_line(operand, AND) for operand in node.operands)
        case Conditional():
            then, otherwise = one_line(node.then, OR), one_line(node.otherwise)
            return f"{one_line(node.condition, OR)} ? {then} : {otherwise}"
        case ListExpr() | MapExpr():
            opening, closing = ("[", "]") if isinstance(node, ListExpr) else ("{", "}")
            return f"{opening}{', '.join(members(node))}{closing}"
        case Comprehension():
            inner = ", ".join((*node.variables, *(one_line(body) for body in node.bodies)))
            return f"{one_line(node.range, MEMBER)}.{macro_name(node)}({inner})"
        case Bind():
            if node.variable.startswith("@"):  # `cel.block`, whose parts have no names of their own
                return written(node.span)
            return f"cel.bind({node.variable}, {one_line(node.value)}, {one_line(node.body)})"
        case OptionalMap():
            name = "optFlatMap" if node.flat else "optMap"
            return f"{one_line(node.operand, MEMBER)}.{name}({node.variable}, {one_line(node.body)})"
        case _:
            assert_never(node)


def _negated(operand: Expr) -> str:
    """What follows a minus: `-(5)` is an operation, `-5` a number."""
    if isinstance(operand, Negate):
        return one_line(operand, UNARY)
    if isinstance(operand, Literal) and type(operand.value) in (int, float):
        text = written(operand.span)
        return text if text.startswith("-") else f"({text})"
    return one_line(operand, MEMBER)


def _row(nodes: tuple[Expr, ...]) -> str:
    return ", ".join(one_line(node) for node in nodes)


def members(node: ListExpr | MapExpr) -> list[str]:
    """The elements or entries of a literal."""
    if isinstance(node, ListExpr):
        return [f"{'?' if element.optional else ''}{one_line(element.value)}" for element in node.elements]
    return [
        f"{'?' if entry.optional else ''}{one_line(entry.key, OR)}: {one_line(entry.value)}" for entry in node.entries
    ]


def callee(node: Call) -> str:
    """What stands before the brackets of a call: `size`, `.size`, `x.size`."""
    if node.target is not None:
        return f"{one_line(node.target, MEMBER)}.{node.function}"
    return f".{node.function}" if node.span.text.startswith(".") else node.function


def macro_name(node: Comprehension) -> str:
    """The macro's name; `existsOne` and `exists_one` are one macro, and stay as written."""
    if node.kind == "exists_one" and ".existsOne" in node.span.text[node.range.span.end - node.span.start :]:
        return "existsOne"
    return node.kind


def field(name: str) -> str:
    """A field's name after a dot, in backticks where it is no identifier."""
    return name if _IDENTIFIER.fullmatch(name) else f"`{name}`"


def quoted(text: str) -> str:
    """A text literal."""
    return json.dumps(text, ensure_ascii=False)


def written(span: Span) -> str:
    """The source as written, without comments, and with one blank wherever it has any."""
    pieces: list[str] = []
    end = span.start
    for scrap in scan(span.source.text, span.start, span.end):
        if scrap.kind == "comment":
            continue
        pieces.append(" " if pieces and scrap.start > end else "")
        pieces.append(scrap.text)
        end = scrap.end
    text = "".join(pieces)
    return "-" + text[1:].lstrip() if text.startswith("-") else text
