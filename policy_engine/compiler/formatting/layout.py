"""Breaks what does not fit on a line: conditions at `&&`, `||` and brackets, rows at commas. Pure text, no comments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from policy_engine.compiler.formatting.expressions import (
    AND,
    MEMBER,
    OR,
    RELATION,
    TERNARY,
    callee,
    level,
    macro_name,
    members,
    one_line,
)
from policy_engine.semantics.ast.expressions import (
    And,
    Binary,
    Call,
    Comprehension,
    Conditional,
    Expr,
    ListExpr,
    MapExpr,
    Or,
    Select,
)

LINE_WIDTH: Final = 100
INDENT: Final = 2
Part: TypeAlias = "str | Expr | tuple[str, ...]"
"""A piece of a clause: text, a condition, or a row of names with commas between."""


def flat(parts: Sequence[Part]) -> str:
    """All parts on one line."""
    texts = []
    for part in parts:
        texts.append(part if isinstance(part, str) else ", ".join(part) if isinstance(part, tuple) else one_line(part))
    return "".join(texts)


def broken(parts: Sequence[Part], indent: int) -> list[str]:
    """The parts in as few lines as the width allows; the first line is indented by `indent`, others deeper."""
    lines = [" " * indent]
    for part in parts:
        if isinstance(part, str):
            if part.startswith(" ") and lines[-1].strip() and not _fits(part.rstrip(), _column(lines[-1])):
                lines.append(" " * (indent + INDENT) + part.lstrip())
            else:
                lines[-1] += part
            continue
        column = _column(lines[-1])
        more = _row(part, column, indent + INDENT) if isinstance(part, tuple) else _lay(part, column, indent + INDENT)
        lines[-1] += more[0]
        lines.extend(more[1:])
    return lines


def _column(text: str) -> int:
    return len(text) - text.rfind("\n") - 1


def _fits(text: str, column: int) -> bool:
    return column + len(text) <= LINE_WIDTH and "\n" not in text


def _row(names: tuple[str, ...], column: int, indent: int) -> list[str]:
    """Names with commas, filled into lines."""
    lines, width = [""], column
    for index, name in enumerate(names):
        text = name + ("," if index < len(names) - 1 else "")
        if lines[-1].strip() and width + 1 + len(text) > LINE_WIDTH:
            lines.append(" " * indent + text)
            width = indent + len(text)
        else:
            gap = " " if lines[-1].strip() else ""
            lines[-1] += gap + text
            width += len(gap) + len(text)
    return lines


def _lay(node: Expr, column: int, indent: int, least: int = TERNARY) -> list[str]:
    """Lines of one expression; the first goes on at `column`, the others begin at `indent`."""
    text = one_line(node, least)
    if _fits(text, column):
        return [text]
    if level(node) < least:
        return _bracketed("(", [node], ")", column, indent)
    pad = " " * indent
    match node:
        case And() | Or():
            sign, inner = ("&&", RELATION) if isinstance(node, And) else ("||", AND)
            return _rows(node.operands, sign, column, indent, inner)
        case Conditional():
            lines = _lay(node.condition, column, indent, OR)
            lines += _hang(f"{pad}? ", _lay(node.then, indent + 2, indent + INDENT, OR))
            return lines + _hang(f"{pad}: ", _lay(node.otherwise, indent + 2, indent + INDENT))
        case Binary():
            own = level(node)
            lines = _lay(node.left, column, indent, own)
            right = one_line(node.right, own + 1)
            if _fits(f" {node.operator} {right}", len(lines[-1]) + (column if len(lines) == 1 else 0)):
                lines[-1] += f" {node.operator} {right}"
                return lines
            sign = f"{pad}{node.operator} "
            return lines + _hang(sign, _lay(node.right, len(sign), indent + INDENT, own + 1))
        case ListExpr():
            return _members("[", members(node), "]", indent)
        case MapExpr():
            return _members("{", members(node), "}", indent)
        case Call() if node.args:
            return _bracketed(callee(node) + "(", node.args, ")", column, indent)
        case Comprehension():
            head = f"{one_line(node.range, MEMBER)}.{macro_name(node)}({', '.join(node.variables)}, "
            return _bracketed(head, node.bodies, ")", column, indent)
        case Call(target=target) if target is not None:
            lines = _lay(target, column, indent, MEMBER)
            lines[-1] += text[len(one_line(target, MEMBER)) :]
            return lines
        case Select():
            lines = _lay(node.operand, column, indent, MEMBER)
            lines[-1] += text[len(one_line(node.operand, MEMBER)) :]
            return lines
        case _:
            return [text]


def _rows(operands: Sequence[Expr], sign: str, column: int, indent: int, inner: int) -> list[str]:
    lines = _lay(operands[0], column, indent, inner)
    for operand in operands[1:]:
        begin = f"{' ' * indent}{sign} "
        lines += _hang(begin, _lay(operand, len(begin), indent + INDENT, inner))
    return lines


def _hang(begin: str, lines: list[str]) -> list[str]:
    return [begin + lines[0], *lines[1:]]


def _members(opening: str, texts: list[str], closing: str, indent: int) -> list[str]:
    """A literal, its members filled into lines."""
    if not texts:
        return [opening + closing]
    rows = _row(tuple(texts), indent, indent)
    return [opening, *(_hang(" " * indent, rows)), " " * (indent - INDENT) + closing]


def _bracketed(opening: str, nodes: Sequence[Expr], closing: str, column: int, indent: int) -> list[str]:
    """Nodes between brackets: after the opening one if that helps, each on lines of its own."""
    lines = [opening.rstrip()]
    pad = " " * indent
    for index, node in enumerate(nodes):
        more = _hang(pad, _lay(node, indent, indent + INDENT))
        if index < len(nodes) - 1:
            more[-1] += ","
        lines += more
    return [*lines, " " * (indent - INDENT) + closing]
