"""The clever way (schema → types → one pass) against a stupid one that walks the schema itself, on generated pairs."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import example, given, settings, strategies as st

from policy_engine.base.errors import MisfitError
from policy_engine.base.source import Source
from policy_engine.diagnostics.model import Collector
from policy_engine.semantics.schema.normalise import normaliser
from policy_engine.semantics.schema.tools import read_tools

NAMES = st.sampled_from(["a", "b", "c"])
WORDS = st.sampled_from(["", "x", "red", "äö"])
NUMBERS = st.sampled_from([-1, 0, 1, 2, 7, 0.5, 1.0, -0.0, 1e300])
SCALARS = st.none() | st.booleans() | WORDS | NUMBERS


class Refused(Exception):
    """The stupid twin's misfit."""


def leaf_schemas() -> st.SearchStrategy[Any]:
    """Schemas without parts."""
    plain = st.sampled_from(["string", "integer", "number", "boolean", "null"]).map(lambda kind: {"type": kind})
    bounded = st.builds(
        lambda low, size: {"type": "number", "minimum": low, "maximum": low + size},
        st.integers(-1, 2),
        st.integers(0, 5),
    )
    sized = st.builds(lambda least: {"type": "string", "minLength": least}, st.integers(0, 2))
    enums = st.lists(WORDS, min_size=1, max_size=3, unique=True).map(lambda words: {"type": "string", "enum": words})
    mixed = st.lists(st.none() | st.booleans() | WORDS, min_size=1, max_size=3).map(lambda values: {"enum": values})
    return plain | bounded | sized | enums | mixed | st.just({}) | st.just({"type": ["string", "null"]})


def object_schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects, closed and opened."""
    return st.builds(
        lambda properties, required, more: {
            "type": "object", "properties": properties, "required": sorted(required & properties.keys()), **more,
        },
        st.dictionaries(NAMES, inner, max_size=3), st.sets(NAMES),
        st.sampled_from([{}, *({"additionalProperties": opened} for opened in (False, True, {"type": "integer"}))]),
    )  # fmt: skip


SCHEMAS = st.recursive(
    leaf_schemas(),
    lambda inner: (
        object_schemas(inner)
        | st.builds(lambda items, most: {"type": "array", "items": items, "maxItems": most}, inner, st.integers(0, 3))
        | st.lists(inner, min_size=2, max_size=2).map(lambda two: {"type": "array", "prefixItems": two, "items": False})
        | st.builds(lambda one: {"anyOf": [one, {"type": "null"}]}, inner)
        | st.builds(lambda values: {"type": "object", "additionalProperties": values}, inner)
    ),
    max_leaves=6,
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)


def fitting(schema: Any) -> st.SearchStrategy[Any]:
    """Values that mostly fit the schema, so that acceptance is tested too."""
    if "anyOf" in schema:
        return st.one_of([fitting(branch) for branch in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        inner = {name: fitting(one) for name, one in schema.get("properties", {}).items()}
        required = {name: inner.pop(name) for name in schema.get("required", [])}
        return st.fixed_dictionaries(required, optional=inner)
    if kind == "array":
        if "prefixItems" in schema:
            return st.tuples(*map(fitting, schema["prefixItems"])).map(list)
        return st.lists(fitting(schema["items"]), max_size=2)
    scalars = {
        "string": WORDS,
        "number": NUMBERS,
        "integer": st.sampled_from([0, 3, 2.0]),
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return scalars.get(kind, VALUES) if isinstance(kind, str) else VALUES


def stupid(schema: Any, value: Any) -> Any:
    """The value as the schema makes it, by reading the schema word for word; raises `Refused`."""
    if "anyOf" in schema:
        for branch in schema["anyOf"]:
            try:
                return stupid(branch, value)
            except Refused:
                continue
        raise Refused
    if "enum" in schema and not any(type(value) is type(option) and value == option for option in schema["enum"]):
        raise Refused
    kinds = schema.get("type")
    if kinds is None:
        return value
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        try:
            return bounded(schema, of_kind(kind, schema, value))
        except Refused:
            continue
    raise Refused


def of_kind(kind: str, schema: Any, value: Any) -> Any:
    """One kind at a time."""
    if kind == "null" and value is None:
        return None
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind == "string" and isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        if kind == "number":
            return float(value)
        if kind == "integer" and float(value).is_integer() and abs(value) < 2**63:
            return int(value)
    if kind == "array" and isinstance(value, list):
        if "prefixItems" in schema:
            if len(value) > len(schema["prefixItems"]):
                raise Refused
            return [stupid(inner, item) for inner, item in zip(schema["prefixItems"], value, strict=False)]
        return [stupid(schema["items"], item) for item in value]
    if kind == "object" and isinstance(value, dict):
        return of_object(schema, value)
    raise Refused


def of_object(schema: Any, value: dict[str, Any]) -> dict[str, Any]:
    """Declared properties, then the rest as the schema opens it; closed where it declares some and says nothing."""
    declared = schema.get("properties", {})
    rest = schema.get("additionalProperties", "properties" not in schema)
    made = {}
    for name, item in value.items():
        inner = declared.get(name, rest)
        if inner is False:
            raise Refused
        made[name] = item if inner is True else stupid(inner, item)
    if any(name not in value for name in schema.get("required", [])):
        raise Refused
    return made


def bounded(schema: Any, value: Any) -> Any:
    """The few bounds that are generated."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and not schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf):
        raise Refused
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        raise Refused
    if isinstance(value, list) and len(value) > schema.get("maxItems", len(value)):
        raise Refused
    return value


def same(first: Any, second: Any) -> bool:
    """Equal, kinds included."""
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """A schema and a value that may fit it."""
    schema = draw(SCHEMAS)
    return schema, draw(fitting(schema) | VALUES)


NESTED_TUPLE = {
    "type": "array",
    "items": {"type": "array", "prefixItems": [{"type": "string", "minLength": 1}], "items": False},
}
TWO_SHAPES = {
    "type": "array",
    "prefixItems": [
        {"type": "object", "properties": {}, "required": [], "additionalProperties": {"type": "integer"}},
        {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "number", "minimum": 0, "maximum": 0}},
            "required": ["a", "b"],
        },
    ],
    "items": False,
}


@settings(max_examples=500, deadline=None)
@given(pairs())
@example((TWO_SHAPES, [{}, {"a": 0, "b": 0}]))
@example((NESTED_TUPLE | {"maxItems": 1}, [[""]]))
def test_both_twins_accept_the_same_and_make_the_same(pair: tuple[Any, Any]) -> None:
    """For any schema and value: both refuse, or both return the same normalised value."""
    schema, value = pair
    collector = Collector()
    text = json.dumps([{"name": "t", "inputSchema": {"type": "object", "properties": {"x": schema}}}])
    (tool,) = read_tools(Source("t.json", text), collector)
    assert not collector.failed
    try:
        expected = {"x": stupid(schema, value)}
    except Refused:
        expected = None
    try:
        made = normaliser(tool.input)({"x": value})
    except MisfitError:
        made = None
    assert (made is None) == (expected is None)
    assert expected is None or same(made, expected)


ALTERNATIVES = st.recursive(
    SCHEMAS,
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
    max_leaves=4,
)


@st.composite
def alternative_pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """A schema of alternatives and a value that may fit one."""
    schema = draw(ALTERNATIVES)
    return schema, draw(fitting(schema) | VALUES)


@settings(max_examples=300, deadline=None)
@given(alternative_pairs())
def test_whatever_an_alternative_accepts_is_accepted(pair: tuple[Any, Any]) -> None:
    """For any alternatives: a value that fits one of them is never refused, and stays the same JSON value."""
    schema, value = pair
    try:
        stupid(schema, value)
    except Refused:
        return
    text = json.dumps([{"name": "t", "inputSchema": {"type": "object", "properties": {"x": schema}}}])
    (tool,) = read_tools(Source("t.json", text), Collector())
    assert normaliser(tool.input)({"x": value}) == {"x": value}
