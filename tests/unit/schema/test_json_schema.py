"""JSON Schema as types: what fits the schema fits the type, and faults are told where they are written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policy_engine.base.errors import MisfitError
from policy_engine.base.source import Source
from policy_engine.diagnostics.model import Collector, Diagnostic
from policy_engine.semantics.schema import faults, tools
from policy_engine.semantics.schema.normalise import normaliser
from policy_engine.semantics.schema.tools import ToolSchema, read_tools
from policy_engine.semantics.types import DYN, RecordField


def read(schema: Any) -> tuple[ToolSchema | None, tuple[Diagnostic, ...]]:
    """The one tool with this input schema, and the findings."""
    collector = Collector()
    text = json.dumps([{"name": "t", "inputSchema": schema}], indent=1)
    found = read_tools(Source("t.json", text), collector)
    return (found[0] if found else None), tuple(collector.diagnostics)


def field_of(schema: Any, **more: Any) -> RecordField:
    """The property `x` of that schema."""
    made, _ = read({"type": "object", "properties": {"x": schema}, **more})
    assert made is not None
    found = made.input.field("x")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, "string"),
        ({"type": "integer"}, "int"),
        ({"type": "number"}, "double"),
        ({"type": "boolean"}, "bool"),
        ({"type": "null"}, "null"),
        ({}, "dyn"),
        (True, "dyn"),
        ({"description": "anything"}, "dyn"),
        ({"type": "string", "format": "date-time"}, "string"),
        ({"type": "string", "enum": ["b", "a", "b"]}, '"a" | "b"'),
        ({"enum": ["a", None]}, '"a" | null'),
        ({"const": "a"}, '"a"'),
        ({"enum": [1, 2]}, "int"),
        ({"enum": [1, 2.5]}, "double"),
        ({"type": "number", "enum": [1, 2]}, "double"),
        ({"const": True}, "bool"),
        ({"type": ["string", "null"]}, "string | null"),
        ({"type": "string", "nullable": True}, "string | null"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "string | int"),
        ({"oneOf": [{"const": "b"}, {"const": "a"}]}, '"a" | "b"'),
        ({"anyOf": [{"const": "b"}, {"type": "string"}]}, "string"),
        ({"type": "array"}, "list(dyn)"),
        ({"type": "array", "items": {"type": "string"}}, "list(string)"),
        ({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
         "list(string | int)"),
        ({"type": "array", "items": [{"type": "string"}], "additionalItems": False}, "list(string)"),
        ({"type": "object"}, "map(string, dyn)"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "map(string, double)"),
        ({"type": "object", "additionalProperties": False}, "{}"),
        ({"type": "object", "patternProperties": {"^x": {"type": "integer"}}}, "map(string, int)"),
        ({"properties": {"a": {"type": "string"}}, "required": ["a"]}, "{a: string}"),
        ({"properties": {"a": {"type": "string"}}, "required": ["b"]}, "{a: string?, b: dyn}"),
        ({"allOf": [{"type": "number"}, {"type": "integer"}]}, "int"),
        ({"allOf": [{"properties": {"a": {"type": "number"}}}, {"properties": {"b": {}}, "required": ["a"]}]},
         "{a: double, b: dyn?}"),
        ({"type": "object", "properties": {"k": {}}, "anyOf": [{"properties": {"k": {"const": "a"}}},
                                                               {"properties": {"k": {"const": "b"}}}]},
         '{k: "a"?} | {k: "b"?}'),
    ],
)  # fmt: skip
def test_each_form_has_its_type(schema: Any, expected: str) -> None:
    """The forms that real tools use, one by one."""
    assert str(field_of(schema).type) == expected


def test_undeclared_properties_are_refused_unless_the_schema_opens_them() -> None:
    """Closed where properties are declared; `additionalProperties` opens; no declaration at all means no arguments."""
    declared = {"type": "object", "properties": {"x": {}}}
    for schema, rest in [
        (declared, None),
        ({**declared, "additionalProperties": False}, None),
        ({**declared, "additionalProperties": True}, "dyn"),
        ({**declared, "additionalProperties": {"type": "string"}}, "string"),
        ({"type": "object"}, None),
        ({}, None),
    ]:
        made, _ = read(schema)
        assert made is not None
        assert (None if made.input.rest is None else str(made.input.rest)) == rest


def test_references_are_followed_and_recursion_ends_in_anything() -> None:
    """A tree of any depth is accepted; its upper levels are typed."""
    node = {
        "type": "object",
        "properties": {"v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/n"}}},
    }
    made, findings = read({"type": "object", "properties": {"root": {"$ref": "#/$defs/n"}}, "$defs": {"n": node}})
    assert made is not None and not findings
    deep: dict[str, Any] = {"v": 1}
    for _ in range(12):
        deep = {"v": 1.0, "kids": [deep]}
    check = normaliser(made.input)
    assert check({"root": deep})["root"]["v"] == 1
    with pytest.raises(MisfitError, match=r"args\.root\.kids\[0\]\.v"):
        check({"root": {"kids": [{"v": "x"}]}})


def test_references_that_multiply_are_read_in_bounded_time() -> None:
    """Forty definitions that each refer to all others end in `dyn`, quickly, instead of growing without end."""
    names = [f"d{n}" for n in range(40)]
    each = {"type": "object", "properties": {name: {"$ref": f"#/$defs/{name}"} for name in names}}
    made, findings = read(
        {"type": "object", "properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": dict.fromkeys(names, each)}
    )
    assert made is not None and not findings
    normaliser(made.input)({"x": {"d1": {"d2": {}}}})


@pytest.mark.parametrize(
    ("schema", "code", "words"),
    [
        ({"type": "strnig"}, "bad-schema", "`strnig`"),
        ({"type": 7}, "bad-schema", "`type`"),
        ({"$ref": "#/$defs/Nowhere"}, "bad-schema", "leads nowhere"),
        ({"$ref": "https://example.com/x.json"}, "bad-schema", "outside the file"),
        ({"properties": []}, "bad-schema", "`properties`"),
        ({"required": "x"}, "bad-schema", "`required`"),
        ({"anyOf": {}}, "bad-schema", "`anyOf`"),
        ("string", "bad-schema", "neither an object nor a boolean"),
        ({"enum": []}, "unfillable-schema", "no value"),
        ({"type": "string", "anyOf": [{"type": "integer"}]}, "unfillable-schema", "no value"),
        ({"type": "float"}, "odd-schema-type", "`number`"),
        ({"type": "string", "pattern": "(?=x)"}, "schema-not-enforced", "`pattern`"),
        ({"not": {"type": "string"}}, "schema-not-enforced", "`not`"),
    ],
)
def test_faults_are_told_at_their_place_with_a_way_out(schema: Any, code: str, words: str) -> None:
    """One finding each, on the line of the property, with its effect and what to write."""
    _, findings = read({"type": "object", "properties": {"fine": {}, "x": schema}})
    assert [finding.code.name for finding in findings] == [code]
    finding = findings[0]
    assert words in finding.message and finding.effect and finding.suggestion
    line, _ = finding.span.source.position(finding.span.start)
    assert line >= 8  # below `fine`


def test_a_property_that_nothing_fits_refuses_every_value() -> None:
    """A contradiction inside a schema is a warning, and the calls that meet it are refused."""
    made, _ = read(
        {"type": "object", "properties": {"x": {"type": "string", "anyOf": [{"type": "integer"}]}}, "required": ["x"]}
    )
    assert made is not None
    for args in ({}, {"x": 1}, {"x": "a"}):
        with pytest.raises(MisfitError):
            normaliser(made.input)(args)


def test_bounds_come_with_the_property() -> None:
    """Numbers, lengths and patterns are kept, also through `anyOf` with null."""
    bounds = field_of({"anyOf": [{"type": "integer", "minimum": 1, "exclusiveMaximum": 9}, {"type": "null"}]}).bounds
    assert bounds is not None and (bounds.minimum, bounds.below) == (1, 9)
    assert field_of({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "number", "maximum": 0}]}).bounds is None
    draft4 = field_of({"type": "number", "minimum": 1, "exclusiveMinimum": True}).bounds
    assert draft4 is not None and draft4.above == 1 and draft4.minimum is None


def test_alternatives_at_the_top_become_one_record() -> None:
    """Arguments are one record: required is what every alternative requires."""
    made, _ = read(
        {"anyOf": [
            {"type": "object", "properties": {"id": {"type": "string"}, "n": {"type": "integer"}}, "required": ["id"]},
            {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]},
        ]}
    )  # fmt: skip
    assert made is not None
    assert {(field.name, str(field.type), field.required) for field in made.input.fields} == {
        ("id", "string | int", True), ("n", "int", False),
    }  # fmt: skip


def test_an_odd_output_schema_is_only_a_type() -> None:
    """Results are typed where the tool says so, else they are of any type."""
    output = {"type": "object", "properties": {"v": {"type": "array"}}}
    listed = [{"name": "a", "inputSchema": {}, "outputSchema": output}, {"name": "b", "inputSchema": {}}]
    found = read_tools(Source("t.json", json.dumps(listed)), Collector())
    assert [str(tool.output) for tool in found] == ["{v: list(dyn)?}", str(DYN)]


def test_every_code_explains_itself() -> None:
    """Each code shows what has the fault, and the same mended."""
    for code in (*faults.CODES, *tools.CODES):
        assert code.explanation.count("```") >= 4 and code.title
