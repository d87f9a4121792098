"""Checks of operators: arithmetic, order, logic; equality and membership live next door in `equality`. Called by the walk."""

from __future__ import annotations

from typing import Final

from policy_engine.compiler.cel.checker import equality
from policy_engine.compiler.cel.checker.access import POSSIBLY_NULL
from policy_engine.compiler.cel.checker.conversions import conversion
from policy_engine.compiler.cel.checker.matching import NUMBERS, is_text, join, members
from policy_engine.compiler.cel.checker.report import Report
from policy_engine.compiler.cel.checker.words import code, one_of_them, quoted, words
from policy_engine.diagnostics.model import Code
from policy_engine.semantics.ast.expressions import Binary, Expr, Negate
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
    ListType,
    MapType,
    Type,
)  # fmt: skip

TYPE_MISMATCH: Final = Code(
    "type-mismatch",
    "An operator or function is given a type it is not made for",
    """\
CEL converts nothing by itself. Text is not compared with numbers, and whole numbers and doubles are not added to each
other (comparing them is fine).

```policy
allow small on crm.refund when args.amount <= 5000.0      // the schema says that amount is a string
```

```policy
allow small on crm.refund when double(args.amount) <= 5000.0
```
""",
)
NOT_A_CONDITION: Final = Code(
    "not-a-condition",
    "A condition is neither true nor false",
    """\
`when`, `unless`, `&&`, `||`, `!` and `? :` take true or false. There is no truth in texts, numbers or lists.

```policy
deny noted on crm.refund when args.note
```

```policy
deny noted on crm.refund when args.note != ""
```
""",
)
CODES: Final = (TYPE_MISMATCH, NOT_A_CONDITION)
_ORDERED: Final = (BOOL, BYTES, TIMESTAMP, DURATION)
_ARITHMETIC: Final = {
    "+": (
        (INT, INT, INT), (UINT, UINT, UINT), (DOUBLE, DOUBLE, DOUBLE), (STRING, STRING, STRING), (BYTES, BYTES, BYTES),
        (TIMESTAMP, DURATION, TIMESTAMP), (DURATION, TIMESTAMP, TIMESTAMP), (DURATION, DURATION, DURATION),
    ),
    "-": (
        (INT, INT, INT), (UINT, UINT, UINT), (DOUBLE, DOUBLE, DOUBLE), (TIMESTAMP, TIMESTAMP, DURATION),
        (TIMESTAMP, DURATION, TIMESTAMP), (DURATION, DURATION, DURATION),
    ),
    "*": ((INT, INT, INT), (UINT, UINT, UINT), (DOUBLE, DOUBLE, DOUBLE)),
    "/": ((INT, INT, INT), (UINT, UINT, UINT), (DOUBLE, DOUBLE, DOUBLE)),
    "%": ((INT, INT, INT), (UINT, UINT, UINT)),
}  # fmt: skip


def condition(node: Expr, kind: Type, report: Report, where: str) -> None:
    """Report a condition that is not bool."""
    if any(option not in (BOOL, DYN) for option in members(kind)):
        text = code(node)
        ways: dict[Type, str | None] = {
            STRING: f'{text} != ""',
            INT: f"{text} != 0",
            DOUBLE: f"{text} != 0.0",
            NULL: None,
        }
        suggestion = f"{text}.size() > 0" if isinstance(kind, ListType | MapType) else ways.get(kind)
        report.fault(
            NOT_A_CONDITION, f"{quoted(node)} is {words(kind)}, but {where} needs true or false",
            (node, words(kind)), suggestion=suggestion,
        )  # fmt: skip


def negate(node: Negate, kind: Type, report: Report) -> Type:
    """The type of `-operand`."""
    if all(option in (INT, DOUBLE, DYN) for option in members(kind)):
        return kind
    return report.fault(
        TYPE_MISMATCH, f"{quoted(node.operand)} is {words(kind)}; it has no negative", (node.operand, words(kind))
    )  # fmt: skip


def binary(node: Binary, left: Type, right: Type, report: Report) -> Type:
    """The type of `left operator right`."""
    match node.operator:
        case "+" | "-" | "*" | "/" | "%":
            return _arithmetic(node, left, right, report)
        case "<" | "<=" | ">" | ">=":
            _order(node, left, right, report)
        case "==" | "!=":
            equality.equality(node, left, right, report)
        case "in":
            equality.membership(node, left, right, report)
    return BOOL


def _arithmetic(node: Binary, left: Type, right: Type, report: Report) -> Type:
    results = []
    for one in members(left):
        for other in members(right):
            result = _arithmetic_one(node.operator, one, other)
            if result is None:
                return _mismatch(node, left, right, one, other, report)
            results.append(result)
    return join(results)


def _arithmetic_one(operator: str, left: Type, right: Type) -> Type | None:
    one, other = STRING if is_text(left) else left, STRING if is_text(right) else right
    if operator == "+" and (isinstance(one, ListType) or isinstance(other, ListType)):
        if DYN in (one, other):
            return DYN
        return _concatenated(one, other)
    found = [result for a, b, result in _ARITHMETIC[operator] if one in (a, DYN) and other in (b, DYN)]
    if not found:
        return None
    return found[0] if len(found) == 1 else DYN


def _concatenated(one: Type, other: Type) -> Type | None:
    if not (isinstance(one, ListType) and isinstance(other, ListType)):
        return None
    return ListType(join((one.element, other.element)))


def _order(node: Binary, left: Type, right: Type, report: Report) -> None:
    if isinstance(node.left, Binary) and node.left.operator in ("<", "<=", ">", ">=") and right != BOOL:
        middle = node.left.right.span.text
        report.fault(
            TYPE_MISMATCH, f"comparisons do not chain: `{node.left.operator}` gives true or false",
            (node.left, "true or false"), (node.right, words(right)),
            suggestion=f"{node.left.span.text} && {middle} {node.operator} {node.right.span.text}",
        )  # fmt: skip
        return
    for one in members(left):
        for other in members(right):
            if not _comparable(one, other):
                _mismatch(node, left, right, one, other, report)
                return


def _comparable(one: Type, other: Type) -> bool:
    if DYN in (one, other):
        kind = other if one == DYN else one
        return kind == DYN or kind in NUMBERS or kind in _ORDERED or is_text(kind)
    return (
        (one in NUMBERS and other in NUMBERS) or (is_text(one) and is_text(other)) or (one == other and one in _ORDERED)
    )


def _mismatch(node: Binary, left: Type, right: Type, one: Type, other: Type, report: Report) -> Type:
    """Say which side does not go with the operator, and what would make it fit."""
    places = ((node.left, words(left)), (node.right, words(right)))
    for side, kind, part in ((node.left, left, one), (node.right, right, other)):
        if part == NULL and kind != NULL:
            return report.fault(
                POSSIBLY_NULL, f"{quoted(side)} may be null, and `{node.operator}` is not for null", *places,
                suggestion=f"{code(side)} != null && …",
            )  # fmt: skip
    if one in NUMBERS and other in NUMBERS and node.operator != "%":
        message = f"`{node.operator}` does not mix {words(one)} with {words(other)}"
    elif node.operator in ("<", "<=", ">", ">="):
        message = f"{quoted(node.left)} is {words(left)}, but `{node.operator}` compares it with {words(right)}"
    else:
        message = f"{quoted(node.left)} is {words(left)}; `{node.operator}` does not join it to {words(right)}"
    suggestion = one_of_them(node.left, left) or one_of_them(node.right, right) or conversion(node, one, other)
    return report.fault(TYPE_MISMATCH, message, *places, suggestion=suggestion)
