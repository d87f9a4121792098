"""Checks of operators: arithmetic, order, equality, membership, logic. Called by the walk with types already known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from policy_engine.compiler.cel.checker.access import POSSIBLY_NULL
from policy_engine.compiler.cel.checker.matching import NUMBERS, is_text, join, may_be_equal, members
from policy_engine.compiler.cel.checker.report import Report
from policy_engine.compiler.cel.checker.words import quoted, words
from policy_engine.diagnostics.model import Code
from policy_engine.diagnostics.suggest import did_you_mean
from policy_engine.semantics.ast.expressions import Binary, Conditional, Expr, ListExpr, Literal, Negate
from policy_engine.semantics.types import (
    BOOL, BYTES, DOUBLE, DURATION, DYN, INT, NULL, STRING, TIMESTAMP, UINT, EnumType, ListType, MapType, RecordType, Type,
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
NEVER_EQUAL: Final = Code(
    "never-equal",
    "Two values are compared that can never be equal",
    """\
Their types have no value in common, so `==` and `in` are always false and `!=` always true. Behind an `unless` this is
an exception that never happens, behind a `deny` a rule that never fires.

```policy
deny night on crm.refund when now.getHours() == "3"
```

```policy
deny night on crm.refund when now.getHours() == 3
```
""",
)
UNKNOWN_OPTION: Final = Code(
    "unknown-option",
    "A closed list of words does not have this one",
    """\
The schema, or the declaration of `principal` and its kin, lists every word this value can be. A word that is not there never
matches: under `unless` a typo would be a silent allow.

```policy
deny outsiders on crm.refund unless principal.role == "suport"
```

```policy
deny outsiders on crm.refund unless principal.role == "support"
```
""",
)
NEVER_NULL: Final = Code(
    "never-null",
    "A value that is never null is tested for it",
    """\
The type does not allow null: the test always comes to the same. A field that may be *missing* is asked with `has`.

```policy
deny blank on crm.refund when args.reason == null
```

```policy
deny blank on crm.refund when !has(args.reason)
```
""",
    severity="warning",
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
CODES: Final = (TYPE_MISMATCH, NEVER_EQUAL, UNKNOWN_OPTION, NEVER_NULL, NOT_A_CONDITION)
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
_NEVER: Final = "the comparison always comes to the same, whatever the call"


def condition(node: Expr, kind: Type, report: Report, where: str) -> None:
    """Report a condition that is not bool."""
    if any(option not in (BOOL, DYN) for option in members(kind)):
        text = quoted(node).strip("`")
        ways: dict[Type, str | None] = {STRING: f'{text} != ""', INT: f"{text} != 0", DOUBLE: f"{text} != 0.0", NULL: None}
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
            _equality(node, left, right, report)
        case "in":
            _membership(node, left, right, report)
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
    if DYN in (one.element, other.element):
        return ListType(other.element if one.element == DYN else one.element) if one != other else one
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
    return (one in NUMBERS and other in NUMBERS) or (is_text(one) and is_text(other)) or (one == other and one in _ORDERED)


def _mismatch(node: Binary, left: Type, right: Type, one: Type, other: Type, report: Report) -> Type:
    """Say which side does not go with the operator, and what would make it fit."""
    places = ((node.left, words(left)), (node.right, words(right)))
    for side, kind, part in ((node.left, left, one), (node.right, right, other)):
        if part == NULL and kind != NULL:
            plain = quoted(side).strip("`")
            return report.fault(
                POSSIBLY_NULL, f"{quoted(side)} may be null, and `{node.operator}` is not for null", *places,
                suggestion=f"{plain} != null && …",
            )  # fmt: skip
    if one in NUMBERS and other in NUMBERS and node.operator != "%":
        message = f"`{node.operator}` does not mix {words(one)} with {words(other)}"
    elif node.operator in ("<", "<=", ">", ">="):
        message = f"{quoted(node.left)} is {words(left)}, but `{node.operator}` compares it with {words(right)}"
    else:
        message = f"{quoted(node.left)} is {words(left)}; `{node.operator}` does not join it to {words(right)}"
    return report.fault(TYPE_MISMATCH, message, *places, suggestion=_conversion(node, one, other))


def _conversion(node: Binary, one: Type, other: Type) -> str | None:
    left, right = node.left.span.text, node.right.span.text
    name = {INT: "int", UINT: "uint", DOUBLE: "double"}
    if one in NUMBERS and other in NUMBERS:
        if node.operator == "%":
            return f"int({left}) % int({right})"
        wanted = "double" if DOUBLE in (one, other) else "int"
        literal = {INT: "", UINT: "u", DOUBLE: ".0"}
        for side, kind, target in ((node.right, other, one), (node.left, one, other)):
            if isinstance(side, Literal) and kind == INT:
                changed = f"{side.span.text}{literal.get(target, '')}"
                return f"{left} {node.operator} {changed}" if side is node.right else f"{changed} {node.operator} {right}"
        left = left if name.get(one) == wanted else f"{wanted}({left})"
        right = right if name.get(other) == wanted else f"{wanted}({right})"
        return f"{left} {node.operator} {right}"
    if is_text(one) and other in NUMBERS:
        if node.operator == "+":
            return f"{left} + string({right})"
        return f"{name[other]}({left}) {node.operator} {right}     if the text is a number"
    if is_text(other) and one in NUMBERS:
        if node.operator == "+":
            return f"string({left}) + {right}"
        return f"{left} {node.operator} {name[one]}({right})     if the text is a number"
    if is_text(other) and one == TIMESTAMP:
        return f"{left} {node.operator} timestamp({right})"
    return f"timestamp({left}) {node.operator} {right}" if is_text(one) and other == TIMESTAMP else None


def _equality(node: Binary, left: Type, right: Type, report: Report) -> None:
    for side, kind, other, other_kind in ((node.left, left, node.right, right), (node.right, right, node.left, left)):
        if other_kind == NULL and kind != NULL and DYN not in members(kind) and NULL not in members(kind):
            always = "false" if node.operator == "==" else "true"
            report.fault(
                NEVER_NULL, f"{quoted(side)} is never null: the test is always {always}",
                (side, words(kind)), (other, "null"), effect=_NEVER,
            )  # fmt: skip
            return
    if _options(node, left, right, report):
        return
    if not may_be_equal(left, right):
        report.fault(
            NEVER_EQUAL, f"{quoted(node.left)} is {words(left)} and {quoted(node.right)} is {words(right)}: they are never equal",
            (node.left, words(left)), (node.right, words(right)), effect=_NEVER, suggestion=_conversion(node, left, right),
        )  # fmt: skip


def _options(node: Binary, left: Type, right: Type, report: Report) -> bool:
    """Whether a literal is compared with a closed list of words that lacks it; reports each."""
    found = False
    for kind, side, other in ((left, node.left, node.right), (right, node.right, node.left)):
        for place, value in _texts(other):
            found |= _unknown_option(kind, side, place, value, report)
    return found


def _unknown_option(kind: Type, side: Expr, place: Expr, value: str, report: Report) -> bool:
    options = members(kind)
    if not any(isinstance(option, EnumType) for option in options) or any(option in (STRING, DYN) for option in options):
        return False
    known = [word for option in options if isinstance(option, EnumType) for word in option.options]
    if value in known:
        return False
    listed = ", ".join(f'"{word}"' for word in known[:12])
    report.fault(
        UNKNOWN_OPTION, f'{quoted(side)} is never "{value}"', (place, "not among its words"), (side, words(kind)),
        effect=_NEVER, suggestion=did_you_mean(value, known), notes=(f"it is one of {listed}",),
    )  # fmt: skip
    return True


def _texts(node: Expr) -> Iterator[tuple[Expr, str]]:
    """The literal texts an expression can be."""
    match node:
        case Literal(value=str() as value):
            yield node, value
        case Conditional(then=then, otherwise=otherwise):
            yield from _texts(then)
            yield from _texts(otherwise)
        case _:
            return


def _membership(node: Binary, left: Type, right: Type, report: Report) -> None:
    for holder in members(right):
        match holder:
            case ListType(element=element):
                fault = _missing_elements(node, left, element, report)
            case MapType(key=key):
                fault = _missing_elements(node, left, key, report)
            case RecordType():
                names = STRING if holder.rest is not None else EnumType(tuple(field.name for field in holder.fields))
                fault = _missing_elements(node, left, names, report)
            case _ if holder == DYN:
                fault = False
            case _:
                _not_a_holder(node, left, right, holder, report)
                fault = True
        if fault:
            return


def _missing_elements(node: Binary, left: Type, element: Type, report: Report) -> bool:
    """Report an element that the holder can never have, or a holder whose words the element can never be."""
    found = False
    for place, value in _texts(node.left):
        found |= _unknown_option(element, node.right, place, value, report)
    for place, value in _listed(node.right):
        found |= isinstance(value, str) and _unknown_option(left, node.left, place, value, report)
    if not found and not may_be_equal(left, element):
        report.fault(
            NEVER_EQUAL, f"{quoted(node.left)} is {words(left)}, but {quoted(node.right)} holds {words(element)}: it is never in there",
            (node.left, words(left)), (node.right, f"holds {words(element)}"), effect=_NEVER,
        )  # fmt: skip
        return True
    return found


def _listed(node: Expr) -> Iterator[tuple[Expr, Any]]:
    match node:
        case ListExpr(elements=elements):
            for element in elements:
                yield from _texts(element.value)
        case Literal(value=list() as values):
            yield from ((node, value) for value in values)
        case _:
            return


def _not_a_holder(node: Binary, left: Type, right: Type, holder: Type, report: Report) -> None:
    places = ((node.right, words(right)), (node.left, words(left)))
    text, part = node.right.span.text, node.left.span.text
    if holder == NULL and right != NULL:
        report.fault(
            POSSIBLY_NULL, f"{quoted(node.right)} may be null, and nothing is `in` null", *places, suggestion=f"{text} != null && …"
        )  # fmt: skip
        return
    report.fault(
        TYPE_MISMATCH, f"{quoted(node.right)} is {words(holder)}; `in` looks into lists, maps and records", *places,
        suggestion=f"{text}.contains({part})" if is_text(holder) else None,
    )  # fmt: skip
