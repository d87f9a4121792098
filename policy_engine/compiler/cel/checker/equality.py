"""Checks of `==`, `!=` and `in`: values that can never be equal, words that a closed list lacks. Called by `operators`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from policy_engine.compiler.cel.checker.access import POSSIBLY_NULL
from policy_engine.compiler.cel.checker.conversions import conversion
from policy_engine.compiler.cel.checker.matching import is_text, may_be_equal, members
from policy_engine.compiler.cel.checker.report import Report
from policy_engine.compiler.cel.checker.words import code, quoted, words
from policy_engine.diagnostics.model import Code
from policy_engine.diagnostics.suggest import did_you_mean
from policy_engine.semantics.ast.expressions import Binary, Conditional, Expr, ListExpr, Literal
from policy_engine.semantics.types import (
    DYN,
    NULL,
    STRING,
    EnumType,
    ListType,
    MapType,
    RecordType,
    Type,
)  # fmt: skip

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
NOT_A_HOLDER: Final = Code(
    "not-a-holder",
    "`in` looks into something that holds nothing",
    """\
`in` looks into lists, the keys of maps and the fields of records. Text in text is found by `contains`.

```policy
deny ru on mail.send when ".ru" in args.to
```

```policy
deny ru on mail.send when args.to.contains(".ru")
```
""",
)
CODES: Final = (NEVER_EQUAL, UNKNOWN_OPTION, NEVER_NULL, NOT_A_HOLDER)
_NEVER: Final = "the comparison always comes to the same, whatever the call"


def equality(node: Binary, left: Type, right: Type, report: Report) -> None:
    """Report `==` and `!=` between values that can never be equal."""
    if NULL in (left, right) and not report.faulty.isdisjoint((node.left, node.right)):
        return  # a missing field tested for null: told already, with the way out
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
            (node.left, words(left)), (node.right, words(right)), effect=_NEVER, suggestion=conversion(node, left, right),
        )  # fmt: skip


def _options(node: Binary, left: Type, right: Type, report: Report) -> bool:
    """Whether a literal is compared with a closed list of words that lacks it; reports each."""
    found = False
    for kind, side, other in ((left, node.left, node.right), (right, node.right, node.left)):
        for place, value in _texts(other):
            found |= _unknown_option(kind, side, place, value, report)
    return found


def _unknown_option(
    kind: Type, side: Expr, place: Expr, value: str, report: Report, verb: str = "is never"
) -> bool:  # fmt: skip
    options = members(kind)
    if not any(isinstance(option, EnumType) for option in options) or any(
        option in (STRING, DYN) for option in options
    ):
        return False
    known = [word for option in options if isinstance(option, EnumType) for word in option.options]
    if value in known:
        return False
    listed = ", ".join(f'"{word}"' for word in known[:12])
    report.fault(
        UNKNOWN_OPTION, f'{quoted(side)} {verb} "{value}"', (place, "not among its words"), (side, words(kind)),
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


def membership(node: Binary, left: Type, right: Type, report: Report) -> None:
    """Report `in` with what cannot be looked into, or can never hold the value."""
    for holder in members(right):
        match holder:
            case ListType(element=element):
                fault = _missing_elements(node, left, element, report, keyed=False)
            case MapType(key=key):
                fault = _missing_elements(node, left, key, report, keyed=True)
            case RecordType():
                names = STRING if holder.rest is not None else EnumType(tuple(field.name for field in holder.fields))
                fault = _missing_elements(node, left, names, report, keyed=True)
            case _ if holder == DYN:
                fault = False
            case _:
                _not_a_holder(node, left, right, holder, report)
                fault = True
        if fault:
            return


def _missing_elements(node: Binary, left: Type, element: Type, report: Report, keyed: bool) -> bool:
    """Report an element that the holder can never have, or a holder whose words the element can never be."""
    if keyed and NULL in members(left) and left != NULL:
        report.fault(
            POSSIBLY_NULL, f"{quoted(node.left)} may be null, and null is never a key",
            (node.left, words(left)), (node.right, "has keys"), suggestion=f"{code(node.left)} != null && …",
        )  # fmt: skip
        return True
    found = False
    for place, value in _texts(node.left):
        found |= _unknown_option(element, node.right, place, value, report, "never holds")
    for place, value in _listed(node.right):
        found |= isinstance(value, str) and _unknown_option(left, node.left, place, value, report)
    if not found and not may_be_equal(left, element):
        report.fault(
            NEVER_EQUAL,
            f"{quoted(node.left)} is {words(left)}, but {quoted(node.right)} holds {words(element)}: it is never in there",
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
    text, part = code(node.right), node.left.span.text
    if holder == NULL and right != NULL:
        report.fault(
            POSSIBLY_NULL, f"{quoted(node.right)} may be null, and nothing is `in` null", *places,
            suggestion=f"{text} != null && …",
        )  # fmt: skip
        return
    report.fault(
        NOT_A_HOLDER, f"{quoted(node.right)} is {words(holder)}; `in` looks into lists, maps and records", *places,
        suggestion=f"{text}.contains({part})" if is_text(holder) else None,
    )  # fmt: skip
