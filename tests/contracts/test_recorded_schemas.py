"""Tool lists that others wrote: eight recorded MCP servers, sixteen awkward files, the tools of AgentDojo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from policy_engine.base.errors import MisfitError
from policy_engine.base.source import Source
from policy_engine.diagnostics.model import Collector
from policy_engine.semantics.schema.normalise import normalise_any, normaliser
from policy_engine.semantics.schema.tools import ToolSchema, read_tools

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="../shared/data is not here: recorded tool lists are not tested"
)

SERVERS = sorted(DATA.glob("mcp/*.json"))
AWKWARD = sorted(path for path in DATA.glob("cedar_for_agents/*/*.json") if "cedarschema" not in path.name)
AGENTDOJO = sorted(DATA.glob("agentdojo/*/tools.json"))


def tools_of(path: Path) -> tuple[tuple[ToolSchema, ...], Collector]:
    """The tools of a file, and what was found."""
    collector = Collector()
    return read_tools(Source(path.name, path.read_text(encoding="utf-8")), collector), collector


def test_the_material_is_complete() -> None:
    """Eight servers with their 58 tools, and sixteen awkward files."""
    assert len(SERVERS) == 8 and len(AWKWARD) == 16
    assert sum(len(tools_of(path)[0]) for path in SERVERS) == 58


@pytest.mark.parametrize("path", [*SERVERS, *AWKWARD, *AGENTDOJO], ids=lambda path: path.name)
def test_every_list_loads_whole(path: Path) -> None:
    """No error, and no tool left out."""
    found, collector = tools_of(path)
    assert not collector.failed
    assert found and len(found) == _listed(json.loads(path.read_text(encoding="utf-8")))


def _listed(document: Any) -> int:
    for key in ("result", "tools_list"):
        if isinstance(document, dict) and key in document:
            document = document[key]
    if isinstance(document, dict) and "tools" in document:
        document = document["tools"]
    return len(document) if isinstance(document, list) else 1


@pytest.mark.parametrize("path", SERVERS, ids=lambda path: path.stem)
def test_recorded_calls_fit_and_lose_nothing(path: Path) -> None:
    """Every call that went over the wire normalises to an equal value, and its answer is readable."""
    by_name = {tool.name: normaliser(tool.input) for tool in tools_of(path)[0]}
    calls = 0
    for line in path.with_suffix(".wire.jsonl").read_text(encoding="utf-8").splitlines():
        message = json.loads(line)["msg"]
        if "result" in message:
            normalise_any(message["result"])
        if message.get("method") == "tools/call" and message["params"]["name"] in by_name:
            given = message["params"].get("arguments", {})
            assert by_name[message["params"]["name"]](given) == given
            calls += 1
    assert calls


def test_recorded_calls_that_are_bent_do_not_fit() -> None:
    """An extra property is refused for every recorded call of a tool that does not open its arguments."""
    for path in SERVERS:
        by_name = {tool.name: tool.input for tool in tools_of(path)[0]}
        for call in json.loads(path.read_text(encoding="utf-8"))["calls"]:
            record = by_name.get(call["tool"])
            if record is not None and record.rest is None:
                with pytest.raises(MisfitError):
                    normaliser(record)({**call["args"], "unheard_of": 1})


def test_agentdojo_calls_fit() -> None:
    """The ground-truth calls of the benign tasks fit the tools' schemas."""
    for folder in sorted({path.parent for path in AGENTDOJO}):
        by_name = {tool.name: normaliser(tool.input) for tool in tools_of(folder / "tools.json")[0]}
        calls = [
            call
            for line in (folder / "user_tasks.jsonl").read_text(encoding="utf-8").splitlines()
            for call in json.loads(line)["events"]
        ]
        assert len(calls) > 10
        for call in calls:
            assert by_name[call["tool"]](call["args"]) == call["args"]
