"""`allOf`: two schemas that both hold, as one. Pure functions over schemas that hold no `$ref` at their top."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from policy_engine.semantics.schema.bounds import canonical

Schema = dict[str, Any]

ANNOTATIONS: Final = frozenset({
    "title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "$comment",
    "$schema", "$id", "$anchor", "$defs", "definitions", "$vocabulary", "format", "contentEncoding",
    "contentMediaType", "discriminator",
})  # fmt: skip
"""Keywords that say nothing about which values fit."""
MAX_ALTERNATIVES: Final = 256
_GREATER: Final = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_SMALLER: Final = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})


class Contradiction(Exception):
    """No value fits both schemas."""


def types_in(schema: Schema) -> tuple[str, ...] | None:
    """The `type` keyword as a tuple; None where there is none."""
    given = schema.get("type")
    if given is None:
        return None
    return (given,) if isinstance(given, str) else tuple(given)


def merged(first: Schema, second: Schema) -> Schema:
    """A schema that holds where both do; raises `Contradiction`."""
    made = {**first}
    for keyword, value in second.items():
        if keyword in ANNOTATIONS:
            made.setdefault(keyword, value)
        elif keyword not in made:
            made[keyword] = value
        else:
            made[keyword] = _both(keyword, made[keyword], value)
    if "const" in made and "enum" in made:
        made["enum"] = _common([made.pop("const")], made["enum"])
    return made


def _both(keyword: str, first: Any, second: Any) -> Any:
    if first == second and type(first) is type(second):
        return first
    combine = _COMBINE.get(keyword)
    if combine is not None:
        return combine(first, second)
    if keyword in _GREATER and _numbers(first, second):
        return max(first, second)
    if keyword in _SMALLER and _numbers(first, second):
        return min(first, second)
    return first


def _numbers(first: Any, second: Any) -> bool:
    return all(isinstance(one, int | float) and not isinstance(one, bool) for one in (first, second))


def _types(first: Any, second: Any) -> list[str]:
    one = [first] if isinstance(first, str) else list(first)
    two = [second] if isinstance(second, str) else list(second)
    common = [name for name in one if name in two]
    if ("integer" in one and "number" in two) or ("number" in one and "integer" in two):
        common.append("integer")
    if not common:
        raise Contradiction("no type is in both")
    return list(dict.fromkeys(common))


def _common(first: Any, second: Any) -> list[Any]:
    allowed = {canonical(value) for value in second}
    common = [value for value in first if canonical(value) in allowed]
    if not common:
        raise Contradiction("no value is in both")
    return common


def _properties(first: Any, second: Any) -> Schema:
    made = {**first}
    for name, schema in second.items():
        made[name] = {"allOf": [made[name], schema]} if name in made and made[name] != schema else schema
    return made


def _additional(first: Any, second: Any) -> Any:
    if first is False or second is False:
        return False
    if first is True:
        return second
    return first if second is True else {"allOf": [first, second]}


def _alternatives(first: Any, second: Any) -> list[Any]:
    made = [{"allOf": [one, two]} for one in first for two in second]
    if len(made) > MAX_ALTERNATIVES:
        raise Contradiction("too many combinations of alternatives")
    return made


def _const(first: Any, second: Any) -> Any:
    if canonical(first) != canonical(second):
        raise Contradiction("two different constants")
    return first


_COMBINE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "type": _types, "enum": _common, "const": _const, "properties": _properties, "patternProperties": _properties,
    "required": lambda first, second: list(dict.fromkeys([*first, *second])),
    "additionalProperties": _additional, "unevaluatedProperties": _additional,
    "items": lambda first, second: {"allOf": [first, second]},
    "anyOf": _alternatives, "oneOf": _alternatives,
    "uniqueItems": lambda first, second: bool(first or second),
    "nullable": lambda first, second: bool(first and second),
}  # fmt: skip
