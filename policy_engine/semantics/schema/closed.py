"""`type`, `enum` and `const`: the words for kinds of values, and closed sets of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from policy_engine.diagnostics.suggest import did_you_mean
from policy_engine.semantics.schema.bounds import canonical
from policy_engine.semantics.schema.combining import Schema, types_in
from policy_engine.semantics.schema.faults import Faults
from policy_engine.semantics.schema.positions import Path
from policy_engine.semantics.schema.shape import NEVER, Shape
from policy_engine.semantics.schema.strict_json import clipped
from policy_engine.semantics.types import BOOL, DOUBLE, DYN, INT, NULL, Bounds, EnumType, Type, union

KINDS: Final = ("string", "number", "integer", "boolean", "null", "array", "object")
_FOREIGN: Final = {
    "float": "number", "double": "number", "decimal": "number", "int": "integer", "long": "integer", "str": "string",
    "text": "string", "bool": "boolean", "list": "array", "dict": "object", "map": "object", "None": "null",
}  # fmt: skip


def known_kinds(kinds: Sequence[str], path: Path, faults: Faults) -> list[str]:
    """The kinds among the words of `type`; other words are faults."""
    known: list[str] = []
    for kind in kinds:
        if kind in KINDS:
            known.append(kind)
        elif kind in _FOREIGN:
            known.append(_FOREIGN[kind])
            faults.odd_type((*path, "type"), kind, _FOREIGN[kind])
        else:
            shown = clipped(kind)
            offer = did_you_mean(shown, KINDS) or f"one of {' '.join(KINDS)}"
            faults.bad((*path, "type"), f"`{shown}` in `{faults.tool}` is no type of JSON Schema", offer)
    return known


def closed_values(schema: Schema, path: Path, faults: Faults) -> Shape:
    """The shape of `enum` and `const`: strings as an enum, other values as their type and the values allowed."""
    values = [schema["const"]] if "const" in schema else schema["enum"]
    kinds = types_in(schema)
    if kinds is not None:
        known = known_kinds(kinds, path, faults)
        values = [value for value in values if any(is_of(value, kind) for kind in known)]
        if "number" in known and "integer" not in known:
            values = [float(v) if type(v) is int else v for v in values]
    if schema.get("nullable") is True and None not in values:
        values = [*values, None]
    if not values:
        faults.unfillable(path, "the enum allows nothing")
        return NEVER
    options: list[Type] = []
    words = sorted({value for value in values if isinstance(value, str)})
    if words:
        options.append(EnumType(tuple(words)))
    if any(isinstance(value, bool) for value in values):
        options.append(BOOL)
    numbers = [value for value in values if type(value) in (int, float)]
    if numbers:
        options.append(INT if all(type(value) is int for value in numbers) else DOUBLE)
    if None in values:
        options.append(NULL)
    if any(isinstance(value, dict | list) for value in values):
        options.append(DYN)
    exact = len(words) + (None in values) == len(values)
    return Shape(union(*options), None if exact else Bounds(options=tuple(sorted({canonical(v) for v in values}))))


def is_of(value: Any, kind: str) -> bool:
    """Whether a JSON value is of a kind."""
    match kind:
        case "integer":
            return type(value) is int or (type(value) is float and value.is_integer())
        case "number":
            return type(value) in (int, float)
        case _:
            kinds: dict[str, Any] = {"string": str, "boolean": bool, "null": type(None), "array": list, "object": dict}
            return isinstance(value, kinds[kind])
