"""Recorded MCP servers, awkward tool schemas and real policies: rules over them type-check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from policy_engine.assembly.files import FileResolver
from policy_engine.base.source import Source
from policy_engine.compiler.pipeline import compile_policy
from policy_engine.diagnostics.model import Collector
from policy_engine.semantics.functions.declaration import Function, Overload
from policy_engine.semantics.schema.tools import ToolSchema, read_tools
from policy_engine.semantics.types import BOOL, DOUBLE, INT, STRING, EnumType

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT.parent / "shared" / "data"
AWKWARD = sorted(path for path in (DATA / "cedar_for_agents").rglob("*.json") if "cedarschema" not in path.name)
SERVERS = [*sorted((DATA / "mcp").glob("*.json")), *AWKWARD]
EXAMPLES = sorted((ROOT / "tests" / "data" / "examples").rglob("*.policy"))
HOST = (
    Function("language", (Overload((STRING,), STRING),), "The language of a text.", (), None),
    Function("judge", (Overload((STRING, STRING), BOOL),), "Whether a text is as told.", (), None),
)
LITERALS = {STRING: '"x"', INT: "1", DOUBLE: "1.0", BOOL: "true"}


def rules_over(schema: ToolSchema, number: int) -> list[str]:
    """A rule for each argument: its field is read, guarded where it may be missing."""
    lines = [f'allow a{number} on "{schema.name}"']
    for place, field in enumerate(schema.input.fields):
        if isinstance(field.type, EnumType) and not field.type.options:
            continue  # its schema contradicts itself: no value fits, and nothing can be compared with it
        guard = "" if field.required else f"has(args.{field.name}) && "
        test = f"args.{field.name} == {LITERALS.get(field.type, f'args.{field.name}')}"
        lines.append(f'deny d{number}-{place} on "{schema.name}" when {guard}{test}')
    return lines


@pytest.mark.skipif(not SERVERS, reason="../shared is not here")
@pytest.mark.parametrize("path", SERVERS, ids=lambda path: path.stem)
def test_rules_over_a_recorded_server_type_check(compiled: Any, path: Path) -> None:
    """Every argument of every tool is read by a rule; a field that is not there is an error."""
    text = path.read_text(encoding="utf-8")
    schemas = read_tools(Source(path.name, text), Collector())
    assert schemas
    rules = [line for number, schema in enumerate(schemas) for line in rules_over(schema, number)]
    source = 'policy p\nuse tools "server.json"\n' + "\n".join(rules)
    found = compiled(source, {"server.json": text})
    assert found.errors == []
    assert set(found.policy.tools) == {schema.name for schema in schemas}
    closed = next((schema for schema in schemas if schema.input.rest is None), None)
    if closed is not None:
        broken = compiled(source + f'\ndeny broken on "{closed.name}" when args.no_such_field == 1', {"server.json": text})
        assert broken.errors == ["unknown-field"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_policies_type_check(path: Path) -> None:
    """Booking desks, banking over time, coding agents, operations, outputs: real policies, mended where they had to be."""
    found = compile_policy([str(path)], FileResolver(), functions=HOST, executable=False)
    assert [f"{one.span}: {one.message}" for one in found.diagnostics if one.severity == "error"] == []


def test_live_tools_are_known_and_their_file_stands(compiled: Any) -> None:
    """What the host offers joins the files' tools; where both speak of a tool the file counts, with a warning."""
    live = read_tools(
        Source("live", json.dumps([{"name": "crm.search", "inputSchema": {"type": "object", "properties": {"z": {}}}},
                                   {"name": "extra", "inputSchema": {"type": "object"}}])), Collector(),
    )  # fmt: skip
    found = compiled("allow x on *", tools=live)
    assert found.warnings == ["tool-differs"]
    assert [field.name for field in found.policy.tools["crm.search"].input.fields] == ["limit", "q"]
    assert "extra" in found.policy.tools
