"""Generated functions as text, and the line of each statement set on its nodes, so that tracebacks point at it.

Called by `module.py` and `program.py`. A statement's own text never has line breaks (texts in it are escaped), so lines
are counted by the statements, in the layout that `ast.unparse` writes.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence


def source_of(definitions: Sequence[ast.stmt]) -> str:
    """The text of these functions, one after another; sets the position of every node on the way."""
    placed(definitions)
    return "".join(ast.unparse(definition) + "\n\n" for definition in definitions)


def placed(definitions: Sequence[ast.stmt]) -> None:
    """Set the position of every node: the line of its statement in `source_of`."""
    line = 1
    for definition in definitions:
        line = _place(definition, line) + 1


def _place(statement: ast.stmt, line: int) -> int:
    """Set the positions in a statement that begins at `line`; the line after it."""
    match statement:
        case ast.FunctionDef() | ast.If():
            heading: list[ast.AST] = [statement.args if isinstance(statement, ast.FunctionDef) else statement.test]
            blocks = [statement.body]
        case ast.Try():
            heading, blocks = [], [statement.body]
        case _:
            heading, blocks = list(ast.iter_child_nodes(statement)), []
    _set(statement, line)
    for part in heading:
        _set_all(part, line)
    line += 1
    for block in blocks:
        for inner in block:
            line = _place(inner, line)
    if isinstance(statement, ast.Try):
        for handler in statement.handlers:
            _set(handler, line)
            if handler.type is not None:
                _set(handler.type, line)
            line += 1
            for inner in handler.body:
                line = _place(inner, line)
        if statement.orelse:
            line += 1
            for inner in statement.orelse:
                line = _place(inner, line)
    return line


def _set(node: ast.AST, line: int) -> None:
    if node._attributes:
        node.lineno = node.end_lineno = line  # type: ignore[attr-defined]
        node.col_offset = node.end_col_offset = 0  # type: ignore[attr-defined]


def _set_all(node: ast.AST, line: int) -> None:
    """The same for a node and everything inside; `ast.walk` would take most of the time that generating does."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        for part in node.__dict__.values():
            if part.__class__ is list:
                waiting += [item for item in part if isinstance(item, ast.AST)]
            elif isinstance(part, ast.AST) and (part._attributes or part._fields):
                waiting.append(part)
        _set(node, line)
