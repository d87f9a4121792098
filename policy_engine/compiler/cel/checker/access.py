"""Checks of fields and elements: `a.b`, `a.?b`, `has(a.b)`, `a[i]`. Called by the walk with types already known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from policy_engine.compiler.cel.checker.matching import NUMBERS, any_field, fits, is_text, join, members
from policy_engine.compiler.cel.checker.report import Report
from policy_engine.compiler.cel.checker.words import code, quoted, words
from policy_engine.diagnostics.model import Code
from policy_engine.diagnostics.suggest import did_you_mean
from policy_engine.semantics.ast.expressions import Has, Index, Literal, Select
from policy_engine.semantics.types import (
    DYN,
    INT,
    NULL,
    STRING,
    EnumType,
    ListType,
    MapType,
    OptionalType,
    RecordType,
    Type,
    union,
)  # fmt: skip

UNKNOWN_FIELD: Final = Code(
    "unknown-field",
    "A record has no such field",
    """\
The schema or declaration of the record lists its fields, and this is none of them. Reading it would be an error in every
decision.

```policy
allow refund on crm.refund when args.amout <= 50.0
```

```policy
allow refund on crm.refund when args.amount <= 50.0
```
""",
)
UNGUARDED_OPTIONAL: Final = Code(
    "unguarded-optional",
    "A field that may be missing is read without asking",
    """\
The field is optional. Where it is missing, reading it is an error, also in `args.limit != null`, and the rule falls to its
safe side, which is seldom what was meant.

```policy
deny big-pages on crm.search when args.limit > 50
```

Ask first with `has`, or give a value for its absence:

```policy
deny big-pages on crm.search when has(args.limit) && args.limit > 50
```
""",
)
POSSIBLY_NULL: Final = Code(
    "possibly-null",
    "A value that may be null is used as if it were not",
    """\
The type allows null, and null has no fields, no order and no methods.

```policy
deny old on crm.update when args.note.contains("urgent")
```

```policy
deny old on crm.update when args.note != null && args.note.contains("urgent")
```
""",
)
NO_FIELDS: Final = Code(
    "no-fields",
    "A value that has no fields or elements is asked for one",
    """\
Only records and maps have fields; only lists, maps and records have elements.

```policy
deny ext on mail.send when args.to.domain != "acme.com"
```

`args.to` is text; a function makes a record of it:

```policy
deny ext on mail.send when email(args.to).domain != "acme.com"
```
""",
)
WRONG_KEY: Final = Code(
    "wrong-key",
    "A key or index has a type that can never be one",
    """\
Lists have whole numbers as indexes, records have text as keys, a map has keys of its own type.

```policy
deny first on mail.send when args.to["0"].endsWith(".ru")
```

```policy
deny first on mail.send when args.to[0].endsWith(".ru")
```
""",
)
CODES: Final = (UNKNOWN_FIELD, UNGUARDED_OPTIONAL, POSSIBLY_NULL, NO_FIELDS, WRONG_KEY)
_SUGGESTED_FUNCTIONS: Final = {
    "domain": "email", "host": "url", "private": "url", "statements": "sql", "tables": "sql", "programs": "shell",
    "calls": "shell",
}  # fmt: skip


def select(node: Select, operand: Type, present: bool, report: Report) -> Type:
    """The type of `operand.field`; `present`: a test before made sure of the field."""
    if isinstance(operand, OptionalType):
        return OptionalType(_each(operand.inner, node, lambda kind: _field(node, kind, True, report), report))
    kind = _each(operand, node, lambda option: _field(node, option, present or node.optional, report), report)
    if not node.optional or (isinstance(kind, OptionalType) and operand == DYN):
        return kind
    return OptionalType(kind)


def has(node: Has, operand: Type, report: Report) -> None:
    """Check `has(operand.field)`."""
    if isinstance(operand, OptionalType):
        operand = operand.inner
    _each(operand, node, lambda kind: _field(node, kind, True, report), report)


def index(node: Index, operand: Type, key: Type, present: bool, report: Report) -> Type:
    """The type of `operand[key]`."""
    if isinstance(operand, OptionalType):
        return OptionalType(_each(operand.inner, node, lambda kind: _element(node, kind, key, True, report), report))
    sure = present or node.optional
    kind = _each(operand, node, lambda option: _element(node, option, key, sure, report), report)
    return OptionalType(kind) if node.optional else kind


def _each(operand: Type, node: Select | Has | Index, answer: Callable[[Type], Type], report: Report) -> Type:
    """The answers for each option of a union, joined; null among them is a fault of its own."""
    options = members(operand)
    if NULL in options:
        report.fault(
            POSSIBLY_NULL, f"{quoted(node.operand)} may be null, and null has no fields",
            (node.operand, words(operand)), suggestion=f"{code(node.operand)} != null && …",
        )  # fmt: skip
    answers = [answer(option) for option in options if option != NULL]
    return union(*answers) if answers else DYN


def _field(node: Select | Has, kind: Type, present: bool, report: Report) -> Type:
    match kind:
        case RecordType():
            return _record_field(node, kind, node.field, present, report)
        case MapType(key=key, value=value):
            if any(option == DYN or is_text(option) for option in members(key)):
                return value
            return report.fault(
                WRONG_KEY, f"{quoted(node.operand)} is {words(kind)}: `{node.field}` is text, which is never its key",
                (node, "a field"), (node.operand, words(kind)),
            )  # fmt: skip
        case OptionalType(inner=inner):
            return OptionalType(_field(node, inner, True, report))
        case _ if kind == DYN:
            return DYN
        case _:
            function = _SUGGESTED_FUNCTIONS.get(node.field) if is_text(kind) else None
            return report.fault(
                NO_FIELDS, f"{quoted(node.operand)} is {words(kind)}; it has no field `{node.field}`",
                (node.operand, words(kind)),
                suggestion=f"{function}({node.operand.span.text}).{node.field}" if function else None,
            )  # fmt: skip


def _record_field(node: Select | Has | Index, record: RecordType, name: str, present: bool, report: Report) -> Type:
    field = record.field(name)
    text = quoted(node, f"`{name}`")
    if field is None:
        if record.rest is not None:
            return record.rest
        known = [field.name for field in record.fields]
        listed = ", ".join(f"`{field}`" for field in known[:8])
        return report.fault(
            UNKNOWN_FIELD, f"{words(record)} has no field `{name}`", (node, f"{text} is read here"),
            suggestion=did_you_mean(name, known), notes=(f"its fields: {listed}",) if known else ("it has no fields",),
        )  # fmt: skip
    if not field.required and not present:
        guard = f'"{name}" in {code(node.operand)} && …' if isinstance(node, Index) else f"has({node.span.text}) && …"
        report.fault(
            UNGUARDED_OPTIONAL, f"{text} may be missing; reading it then is an error",
            (node, "optional, read without asking"), suggestion=guard,
            effect="where it is missing the rule falls to its safe side: an `allow` does not apply, a `deny` denies",
            notes=_alternative(node),
        )  # fmt: skip
    return field.type


def _alternative(node: Select | Has | Index) -> tuple[str, ...]:
    if not isinstance(node, Select):
        return ()
    return (f"or give a value for its absence: {code(node.operand)}.?{node.field}.orValue(…)",)


def _element(node: Index, kind: Type, key: Type, present: bool, report: Report) -> Type:
    match kind:
        case ListType(element=element):
            return _keyed(node, kind, INT, key, report) or element
        case MapType(key=wanted, value=value):
            return _keyed(node, kind, wanted, key, report) or value
        case RecordType():
            if isinstance(node.index, Literal) and isinstance(node.index.value, str):
                return _record_field(node, kind, node.index.value, present, report)
            if isinstance(key, EnumType) and all(kind.field(option) for option in key.options):
                return join([field.type for field in kind.fields if field.name in key.options])
            return _keyed(node, kind, STRING, key, report) or any_field(kind)
        case OptionalType(inner=inner):
            return OptionalType(_element(node, inner, key, True, report))
        case _ if kind == DYN:
            return DYN
        case _:
            return report.fault(
                NO_FIELDS, f"{quoted(node.operand)} is {words(kind)}; it has no elements",
                (node.operand, words(kind)), (node.index, "asked for here"),
                suggestion=f"{code(node.operand)}.charAt({node.index.span.text})" if is_text(kind) else None,
            )  # fmt: skip


def _keyed(node: Index, holder: Type, wanted: Type, key: Type, report: Report) -> Type | None:
    numeric = isinstance(holder, MapType) and all(kind in NUMBERS for kind in (*members(wanted), *members(key)))
    if numeric or fits(wanted, key, {}):
        return None
    return report.fault(
        WRONG_KEY, f"{quoted(node.index)} is {words(key)}, but {words(holder)} has {words(wanted)} as its key",
        (node.index, words(key)), (node.operand, words(holder)),
    )  # fmt: skip
