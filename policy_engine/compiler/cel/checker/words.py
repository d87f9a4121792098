"""Types and expressions in the words of a message: «text», «a whole number», `args.amount`."""

from __future__ import annotations

from typing import Final

from policy_engine.semantics.ast.expressions import And, Binary, Conditional, Expr, Negate, Not, Or
from policy_engine.semantics.types import (
    BasicType,
    EnumType,
    ListType,
    MapType,
    OpaqueType,
    OptionalType,
    RecordType,
    Type,
    TypeVariable,
    UnionType,
)  # fmt: skip

_BASIC: Final = {
    "dyn": "a value of unknown type", "null": "null", "bool": "true or false", "int": "a whole number (int)",
    "uint": "a whole number (uint)", "double": "a number (double)", "string": "text", "bytes": "bytes",
    "timestamp": "a point in time", "duration": "a duration", "type": "a type",
}  # fmt: skip
_SHOWN_OPTIONS: Final = 6
_SHOWN_CHARS: Final = 60


def words(kind: Type) -> str:
    """The type as a person says it."""
    match kind:
        case BasicType(name=name):
            return _BASIC[name]
        case EnumType(options=options):
            shown = ", ".join(f'"{option}"' for option in options[:_SHOWN_OPTIONS])
            return f"one of {shown}{', …' if len(options) > _SHOWN_OPTIONS else ''}"
        case ListType(element=element):
            return "a list" if isinstance(element, TypeVariable) else f"a list ({kind})"
        case MapType(key=key):
            return "a map" if isinstance(key, TypeVariable) else f"a map ({kind})"
        case OptionalType():
            return f"an optional ({kind})"
        case RecordType(name=name):
            return f"a record ({name})" if name else "a record"
        case UnionType(options=union_options):
            return " or ".join(words(option) for option in union_options)
        case OpaqueType(name=name) | TypeVariable(name=name):
            return f"a {name}"


def code(node: Expr) -> str:
    """The text of an expression for use inside a longer one, in brackets where it would fall apart."""
    text = node.span.text
    return f"({text})" if isinstance(node, Binary | And | Or | Conditional | Not | Negate) else text


def quoted(node: Expr, fallback: str = "this") -> str:
    """The text of an expression in backticks, when it is short enough to read."""
    text = node.span.text
    return f"`{text}`" if text and len(text) <= _SHOWN_CHARS and "\n" not in text else fallback


def one_of_them(node: Expr, kind: Type) -> str | None:
    """How to ask which of several types a value has, if it may have several."""
    if not isinstance(kind, UnionType):
        return None
    basic = next((option for option in kind.options if isinstance(option, BasicType) and option.name != "null"), None)
    return f"type({node.span.text}) == {basic} && …" if basic is not None else None
