"""A small shop with three tools, and a shorthand to decide calls under the rules of one test."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from policy_engine import Policy, loads

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_REFUND = {
    "amount": {"type": "number"}, "count": {"type": "integer"}, "note": {"type": "string"}, "kind": {"enum": ["a", "b"]},
    "tags": {"type": "array", "items": {"type": "string"}}, "meta": {"type": "object", "additionalProperties": True},
}  # fmt: skip
TOOLS = json.dumps([
    {"name": "refund", "inputSchema": {
        "type": "object", "properties": _REFUND, "required": ["amount"], "additionalProperties": False,
    }},
    {"name": "lookup", "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}}},
    {"name": "open", "inputSchema": {"type": "object", "additionalProperties": True}},
])  # fmt: skip
HEADER = 'policy shop\n{under}use tools "tools.json" as crm\n'


@pytest.fixture
def shop() -> Callable[..., Policy]:
    """`shop(rules, base=…, imposed=…)`: a policy over the tools `crm.refund`, `crm.lookup` and `crm.open`."""

    def make(rules: str, *, base: str | None = None, imposed: str | None = None, at: datetime = NOW) -> Policy:
        files = {"tools.json": TOOLS}
        for name, layer in (("base", base), ("imposed", imposed)):
            if layer is not None:
                files[f"{name}.policy"] = f'policy {name}\nuse tools "tools.json" as crm\n{layer}'
        header = HEADER.format(under='under "base.policy"\n' if base is not None else "")
        return loads(header + rules, files=files, under=["imposed.policy"] if imposed else (), clock=lambda: at)

    return make
