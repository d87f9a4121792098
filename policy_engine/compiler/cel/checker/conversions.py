"""What to write when two types do not meet: `double(x)`, `string(x)`, `timestamp(x)`, or a literal of the other kind."""

from __future__ import annotations

from policy_engine.compiler.cel.checker.matching import NUMBERS, is_text
from policy_engine.compiler.cel.checker.words import code
from policy_engine.semantics.ast.expressions import Binary, Literal
from policy_engine.semantics.types import (
    DOUBLE,
    INT,
    TIMESTAMP,
    UINT,
    Type,
)  # fmt: skip


def conversion(node: Binary, one: Type, other: Type) -> str | None:
    """A mended text of the operation, or None when no conversion helps."""
    left, right = code(node.left), code(node.right)
    plain_left, plain_right = node.left.span.text, node.right.span.text
    name = {INT: "int", UINT: "uint", DOUBLE: "double"}
    if one in NUMBERS and other in NUMBERS:
        if node.operator == "%":
            return f"int({plain_left}) % int({plain_right})"
        wanted = "double" if DOUBLE in (one, other) else "int"
        literal = {INT: "", UINT: "u", DOUBLE: ".0"}
        for side, kind, target in ((node.right, other, one), (node.left, one, other)):
            if isinstance(side, Literal) and kind == INT:
                changed = f"{side.span.text}{literal.get(target, '')}"
                return (
                    f"{left} {node.operator} {changed}" if side is node.right else f"{changed} {node.operator} {right}"
                )
        left = left if name.get(one) == wanted else f"{wanted}({plain_left})"
        right = right if name.get(other) == wanted else f"{wanted}({plain_right})"
        return f"{left} {node.operator} {right}"
    if is_text(one) and other in NUMBERS:
        if node.operator == "+":
            return f"{left} + string({plain_right})"
        return f"{name[other]}({plain_left}) {node.operator} {right}     if the text is a number"
    if is_text(other) and one in NUMBERS:
        if node.operator == "+":
            return f"string({plain_left}) + {right}"
        return f"{left} {node.operator} {name[one]}({plain_right})     if the text is a number"
    if is_text(other) and one == TIMESTAMP:
        return f"{left} {node.operator} timestamp({plain_right})"
    return f"timestamp({plain_left}) {node.operator} {right}" if is_text(one) and other == TIMESTAMP else None
