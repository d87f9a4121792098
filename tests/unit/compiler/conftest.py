"""A resolver in memory, and one way to compile a text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from policy_engine.compiler.pipeline import Compilation, compile_policy
from policy_engine.diagnostics.model import Diagnostic

CRM = {
    "tools": [
        {
            "name": "refund",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "amount": {"type": "number"},
                    "customer": {"type": "string"},
                    "note": {"type": "string"},
                    "kind": {"type": "string", "enum": ["goods", "service"]},
                },
                "required": ["amount", "customer", "kind"],
            },
        },
        {
            "name": "search",
            "inputSchema": {
                "type": "object",
                "properties": {"q": {"type": "string"}, "limit": {"type": "integer"}},
                "required": ["q"],
            },
        },
        {"name": "lookup", "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}},
    ]
}


class Files:
    """Files by name; bytes stay as they are, an exception is raised when the file is read."""

    def __init__(self, files: Mapping[str, str | bytes | OSError]) -> None:
        self.files = files

    def resolve(self, reference: str, relative_to: str | None) -> str:
        if reference not in self.files:
            raise FileNotFoundError(reference)
        return reference

    def read(self, canonical: str) -> bytes:
        content = self.files[canonical]
        if isinstance(content, OSError):
            raise content
        return content if isinstance(content, bytes) else content.encode()

    def display(self, canonical: str) -> str:
        return canonical


class Compiled:
    """A compilation with short words for tests."""

    def __init__(self, compilation: Compilation) -> None:
        self.compilation = compilation

    @property
    def policy(self) -> Any:
        assert self.compilation.policy is not None, self.said
        return self.compilation.policy

    @property
    def said(self) -> list[str]:
        return [f"{one.severity}[{one.code.name}] {one.message}" for one in self.compilation.diagnostics]

    @property
    def errors(self) -> list[str]:
        return [one.code.name for one in self.compilation.diagnostics if one.severity == "error"]

    @property
    def warnings(self) -> list[str]:
        return [one.code.name for one in self.compilation.diagnostics if one.severity == "warning"]

    def one(self, code: str) -> Diagnostic:
        found = [one for one in self.compilation.diagnostics if one.code.name == code]
        assert len(found) == 1, self.said
        return found[0]

    def rules(self, tool: str) -> list[str]:
        return [rule.id for rule in self.policy.tools[tool].decide.rules]


Compile = Callable[..., Compiled]


@pytest.fixture(name="compiled")
def compiled_fixture() -> Compile:
    """`compiled(text, …)`: the text follows `policy p` and `use tools "crm.json" as crm` unless it has its own header."""

    def compiled(
        text: str,
        files: Mapping[str, str | bytes | OSError] | None = None,
        *,
        entry: Sequence[str] = ("p.policy",),
        executable: bool = True,
        **options: Any,
    ) -> Compiled:
        if not text.lstrip().startswith("policy"):
            text = f'policy p\nuse tools "crm.json" as crm\n{text}'
        given = {"crm.json": json.dumps(CRM), "p.policy": text, **(files or {})}
        return Compiled(compile_policy(entry, Files(given), executable=executable, **options))

    return compiled
