"""Types written as CEL: `"int"`, `"list(string)"`, `"map(string, dyn)"`. Called where Python declares variables and functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policy_engine.base.source import Source, Span
from policy_engine.compiler.cel.parser import parse_expression
from policy_engine.diagnostics.model import Collector
from policy_engine.semantics.ast.expressions import Call, Expr, Literal, Name
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
    TYPE,
    UINT,
    ListType,
    MapType,
    OptionalType,
    Type,
)

_BASIC: Final[Mapping[str, Type]] = {
    "bool": BOOL, "bytes": BYTES, "double": DOUBLE, "duration": DURATION, "dyn": DYN, "int": INT, "null": NULL,
    "string": STRING, "timestamp": TIMESTAMP, "type": TYPE, "uint": UINT,
}  # fmt: skip


def read_type(text: str) -> Type:
    """A type written as text; raises `ValueError` for what is none."""
    collector = Collector()
    expression = parse_expression(Span(Source("<type>", text), 0, len(text)), collector)
    made = None if expression is None or collector.failed else _type_of(expression)
    if made is None:
        raise ValueError(f"`{text}` is not a type: write `int`, `list(string)`, `map(string, dyn)` …")
    return made


def _type_of(node: Expr) -> Type | None:
    match node:
        case Name(name=name) if name in _BASIC:
            return _BASIC[name]
        case Literal(value=None):
            return NULL
        case Name(name="list"):
            return ListType(DYN)
        case Name(name="map"):
            return MapType(DYN, DYN)
        case Call(function="list" | "optional" as word, target=None, args=(inner,)):
            element = _type_of(inner)
            if element is None:
                return None
            return ListType(element) if word == "list" else OptionalType(element)
        case Call(function="map", target=None, args=(first, second)):
            key, value = _type_of(first), _type_of(second)
            return None if key is None or value is None else MapType(key, value)
        case _:
            return None
