"""Every way in which frameworks and servers list tools."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from policy_engine.base.source import Source
from policy_engine.diagnostics.model import Collector, PolicyError
from policy_engine.semantics.schema.tools import ToolSchema, read_tools

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
MCP = {"name": "t", "description": "d", "inputSchema": SCHEMA, "annotations": {"readOnlyHint": True}}


@pytest.mark.parametrize(
    "document",
    [
        {"tools": [MCP]},
        {"jsonrpc": "2.0", "id": 1, "result": {"tools": [MCP]}},
        {"server": "s", "initialize": {}, "tools_list": {"tools": [MCP]}, "calls": []},
        [MCP],
        MCP,
        {"t": SCHEMA},
        {"t": {"description": "d", "inputSchema": SCHEMA}},
        [{"name": "t", "input_schema": SCHEMA}],
        [{"name": "t", "parameters": SCHEMA}],
        [{"type": "function", "function": {"name": "t", "parameters": SCHEMA}}],
        {"type": "function", "function": {"name": "t", "parameters": SCHEMA}},
        [{"type": "function", "name": "t", "parameters": SCHEMA, "strict": True}],
        [{"toolSpec": {"name": "t", "inputSchema": {"json": SCHEMA}}}],
        [{"functionDeclarations": [{"name": "t", "parameters": SCHEMA}]}],
    ],
)
def test_every_dialect_gives_the_same_tool(document: Any) -> None:
    """MCP with and without envelopes, OpenAI, Anthropic, Bedrock, Gemini, names with schemas, one tool alone."""
    collector = Collector()
    (tool,) = read_tools(Source("t.json", json.dumps(document)), collector)
    assert not collector.diagnostics
    assert tool.name == "t"
    assert [(field.name, str(field.type), field.required) for field in tool.input.fields] == [("n", "int", True)]


def test_what_a_tool_says_about_itself_is_kept_with_its_place() -> None:
    """Annotations and description, and the span of the name."""
    source = Source("t.json", json.dumps([MCP], indent=1))
    (tool,) = read_tools(source, Collector())
    assert tool.annotations == {"readOnlyHint": True} and tool.description == "d"
    assert tool.span.text == '"t"' and str(tool.span) == "t.json:3:11"


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ('[{"name": "t",\n "name": "u"}]', "not-json", "1:1"),
        ('{"tools": [\n  oops]}', "not-json", "2:3"),
        ("", "not-json", "1:1"),
        ("[" * 5000, "not-json", "1:1"),
        ("3", "not-a-tool-list", "1:1"),
        ('{"hello": 1}', "not-a-tool-list", "1:1"),
        ('{"tools": [\n  3]}', "not-a-tool-list", "2:3"),
        ('[\n {"inputSchema": {}}]', "not-a-tool-list", "2:2"),
        ('[{"name": "a", "inputSchema": {}},\n {"name": "a", "inputSchema": {}}]', "repeated-tool", "2:11"),
        ('[{"name": "a",\n "inputSchema": {"type": "string"}}]', "bad-schema", "2:17"),
        ('[{"name": "a", "inputSchema": {},\n "annotations": 4}]', "not-a-tool-list", "2:17"),
    ],
)
def test_faults_have_code_place_effect_and_a_way_out(text: str, code: str, place: str) -> None:
    """Each fault is one diagnostic at the line it was written on."""
    collector = Collector()
    read_tools(Source("t.json", text), collector)
    (finding,) = collector.diagnostics
    assert finding.code.name == code
    assert str(finding.span) == f"t.json:{place}"
    assert finding.effect and finding.suggestion and finding.severity == "error"


def test_one_bad_tool_does_not_hide_the_others() -> None:
    """All faults in one run; sound tools are returned."""
    collector = Collector()
    bad = {"name": "b", "inputSchema": {"type": "object", "properties": {"x": {"type": "oops"}, "y": {"$ref": "#/no"}}}}
    found = read_tools(Source("t.json", json.dumps([MCP, bad])), collector)
    assert [tool.name for tool in found] == ["t"]
    assert len(collector.diagnostics) == 2


def test_live_tools_are_read_or_refused_as_a_whole() -> None:
    """Adapters hand over what they have; a fault stops the start."""
    assert [tool.name for tool in ToolSchema.from_live([MCP])] == ["t"]
    for odd in ([{"name": 1}], [{"name": "a", "inputSchema": {"type": "oops"}}], [object()], [float("nan")]):
        with pytest.raises(PolicyError):
            ToolSchema.from_live(odd)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9)
    | st.sampled_from(["object", "array", "string", "#", "#/$defs/a", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "properties", "items", "anyOf", "allOf", "oneOf", "$ref", "$defs", "a", "enum",
                         "const",
                         "required", "additionalProperties", "prefixItems", "patternProperties", "minimum", "pattern",
                         "nullable", "name", "inputSchema", "tools", "function"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_any_json_is_tools_or_diagnostics(document: Any) -> None:
    """Whatever a file holds: no exception; an empty answer is explained."""
    collector = Collector()
    found = read_tools(Source("t.json", json.dumps(document)), collector)
    if not found and document not in ([], {"tools": []}):
        assert collector.diagnostics or "[]" in json.dumps(document)
    read_tools(Source("t.json", json.dumps([{"name": "t", "inputSchema": document}])), collector)
