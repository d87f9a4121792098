"""`grammar/README.md`, the language reference: a section for each production, and every example is true."""

from __future__ import annotations

import re

import pytest

from policy_engine.base.source import Source
from policy_engine.compiler.formatting.formatter import format_policy
from policy_engine.compiler.language.grammar import grammar_text
from policy_engine.compiler.language.parser import read_policy
from policy_engine.resources import resource

README = resource("grammar/README.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)\n([\s\S]*?)(?=^##|\Z)", README, re.MULTILINE))
EXAMPLES = [
    pytest.param(kind, text, id=name)
    for name, body in SECTIONS.items()
    for kind, text in re.findall(r"```(policy file|policy|cel)\n([\s\S]*?)```", body)
]


def productions() -> set[str]:
    """What a reader meets: rules that are not inlined, and the names of their alternatives."""
    text = re.sub(r"//.*", "", grammar_text())
    found: set[str] = set()
    for head, body in re.findall(r"^\??([a-z_]+):((?:.*\n(?!\S))*.*)$", text, re.MULTILINE):
        aliases = re.findall(r"->\s*(\w+)", body)
        found.update(aliases)
        inlined = head.startswith("_") or re.search(rf"^\?{head}:", text, re.MULTILINE) or head == "use" or head == "window"
        if not inlined:
            found.add(head)
    return found | {"item"}


def test_each_production_has_a_section() -> None:
    """Nothing is undocumented, and nothing documented is gone."""
    assert productions() == set(SECTIONS)


def test_each_section_has_words_and_an_example() -> None:
    """A section says what it is for, then shows it."""
    for name, body in SECTIONS.items():
        assert re.match(r"\n\S", body), name
        assert "```" in body, name


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_examples_parse_and_format_stably(kind: str, text: str) -> None:
    """Each example is policy text without findings; formatting it twice changes nothing."""
    whole = {"policy file": text, "policy": f"policy t\n{text}", "cel": f"policy t\nlet x = {text}"}[kind]
    file, found = read_policy(Source("README.md", whole))
    assert file is not None and not found
    formatted = format_policy(Source("README.md", whole))
    assert format_policy(Source("again", formatted)) == formatted
