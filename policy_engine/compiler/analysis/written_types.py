"""Types as policies write them (`list(string)`, `"dev" | "prod"`) → the checker's types."""

from __future__ import annotations

from typing import Final

from policy_engine.compiler.analysis.draft import Draft
from policy_engine.diagnostics.model import Code
from policy_engine.diagnostics.suggest import did_you_mean
from policy_engine.semantics.ast.policy import Shape, TypeExpr
from policy_engine.semantics.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    UINT,
    EnumType,
    ListType,
    MapType,
    RecordField,
    RecordType,
    Type,
)

UNKNOWN_TYPE = Code(
    "unknown-type",
    "A type that the language does not have",
    "The types are `string int uint double bool bytes timestamp duration dyn list(T) map(K, V)` and closed words such as"
    ' `"dev" | "prod"`; a `?` after the type of a field makes the field optional.\n\n'
    "```\nparam cap: float = 100.0     // refused\nparam cap: double = 100.0\n```",
)
CODES = (UNKNOWN_TYPE,)

PLAIN: Final = {
    "string": STRING, "int": INT, "uint": UINT, "double": DOUBLE, "bool": BOOL, "bytes": BYTES,
    "timestamp": TIMESTAMP, "duration": DURATION, "dyn": DYN,
}  # fmt: skip
_OTHER_WORDS: Final = {
    "float": "double", "number": "double", "decimal": "double", "str": "string", "text": "string", "integer": "int",
    "boolean": "bool", "array": "list(…)", "dict": "map(string, …)", "object": "map(string, …)", "any": "dyn",
    "datetime": "timestamp", "date": "timestamp", "timedelta": "duration",
}  # fmt: skip


def type_of(draft: Draft, written: TypeExpr) -> Type:
    """The type that is written there; `DYN` after a diagnostic."""
    if written.name == "enum":
        return EnumType(tuple(sorted(set(written.options))))
    if written.name in PLAIN and not written.arguments:
        return PLAIN[written.name]
    inner = tuple(type_of(draft, argument) for argument in written.arguments)
    if written.name == "list" and len(inner) == 1:
        return ListType(inner[0])
    if written.name == "map" and len(inner) == 2:
        if inner[0] in (STRING, INT, UINT, BOOL, DYN) or isinstance(inner[0], EnumType):
            return MapType(*inner)
        draft.report(
            UNKNOWN_TYPE, f"the keys of a map are string, int, uint or bool, not {inner[0]}",
            written.arguments[0].span, effect="the policy is not loaded", suggestion="map(string, …)",
        )  # fmt: skip
        return DYN
    _report_unknown(draft, written)
    return DYN


def _report_unknown(draft: Draft, written: TypeExpr) -> None:
    shapes = {"list": "list(string)", "map": "map(string, double)"}
    if written.name in shapes:
        message = f"`{written.name}` needs the types of what it holds"
        suggestion: str | None = f"for example {shapes[written.name]}"
    elif written.name in PLAIN:
        message, suggestion = f"`{written.name}` holds no other types", f"write {written.name}"
    else:
        message = f"there is no type `{written.name}`"
        other = _OTHER_WORDS.get(written.name.lower())
        suggestion = f"write {other}" if other else did_you_mean(written.name, [*PLAIN, *shapes])
    draft.report(UNKNOWN_TYPE, message, written.span, effect="the policy is not loaded", suggestion=suggestion)


def record_of(draft: Draft, shape: Shape) -> RecordType:
    """The record that `principal { … }` declares. The first of two fields of one name counts; see `duplicates`."""
    fields: dict[str, RecordField] = {}
    for field in shape.fields:
        declared = RecordField(field.name.text, type_of(draft, field.type), not field.optional)
        fields.setdefault(field.name.text, declared)
    return RecordType(shape.subject, tuple(fields[name] for name in sorted(fields)))
