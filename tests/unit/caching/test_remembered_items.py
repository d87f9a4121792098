"""Items that were parsed before are found by their text and stand where the text stands now."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from policy_engine import loads
from policy_engine.base.source import Source, Span
from policy_engine.compiler.language import parser, remembering
from policy_engine.compiler.language.parser import parse_policy, read_policy
from policy_engine.compiler.language.remembering import Remembered
from policy_engine.diagnostics.model import Collector

ROOT = Path(__file__).resolve().parents[3]
POLICIES = sorted([*(ROOT / "rulesets").rglob("*.policy"), *(ROOT / "tests" / "data").rglob("*.policy")])


def told(node: Any, source: Source) -> Any:
    """A tree with every place in it, all of one source."""
    if isinstance(node, Span):
        assert node.source is source
        return node.start, node.end
    if isinstance(node, tuple):
        return tuple(told(part, source) for part in node)
    if is_dataclass(node) and not isinstance(node, type):
        return type(node).__name__, *(told(getattr(node, field.name), source) for field in fields(node))
    return type(node).__name__, repr(node)


def parsed(monkeypatch: pytest.MonkeyPatch, text: str, memory: Remembered) -> tuple[Any, list[str]]:
    """What a text parses to with a memory, and what is found."""
    monkeypatch.setattr(parser, "_ITEMS", memory)
    source, collector = Source("p.policy", text), Collector()
    file = parse_policy(source, collector)
    return told(file, source), [str(found) for found in collector.diagnostics]


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.name)
def test_remembered_and_parsed_are_the_same_tree(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its old place, and pushed down by a line; every span is of the new source."""
    text, memory = path.read_text(), Remembered()
    parsed(monkeypatch, text, memory)
    for shifted in (text, "// a line more\n\n" + text, text.replace("\n", "\n\n\n", 1)):
        assert parsed(monkeypatch, shifted, memory) == parsed(monkeypatch, shifted, Remembered())


def test_only_what_changed_is_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One rule of a hundred: one item."""
    rules = [f"allow r{number} on shop.pay when args.n > {number}\n" for number in range(100)]
    memory = Remembered()
    parsed(monkeypatch, "policy p\n" + "".join(rules), memory)
    read: list[str] = []
    plain = parser.parse_piece
    monkeypatch.setattr(parser, "parse_piece", lambda span, *rest: (read.append(span.text), plain(span, *rest))[1])
    rules[50] = "allow r50 on shop.pay when args.n > 5000\n"
    parsed(monkeypatch, "policy p\n" + "".join(rules), memory)
    assert read == [rules[50].strip()]


def test_a_faulty_item_is_told_each_time() -> None:
    """What was found wrong once is found again."""
    source = Source("p.policy", "policy p\nallow a on shop.pay when args.x ==\n")
    assert [str(found) for found in read_policy(source)[1]] == [str(found) for found in read_policy(source)[1]] != []


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past its size everything is forgotten, and no text of a whole file is held."""
    monkeypatch.setattr(remembering, "MAX_KEPT_CHARS", 300)
    memory = Remembered()
    for number in range(40):
        parsed(monkeypatch, f"policy p\nallow r{number} on shop.pay when args.n > {number}\n", memory)
        assert memory._chars <= 300
        assert len(memory._kept) <= 12
    assert {(type(key), type(kept)) for key, kept in memory._kept.items()} == {(bytes, bytes)}


def test_each_span_of_a_tree_is_kept_where_spans_are_looked_for() -> None:
    """A field that holds a span is one of those that are moved, and one of those holds nothing else."""
    for kind in remembering._FIELDS:
        for field in fields(kind):
            assert ("Span" in str(field.type)) == (field.name in remembering._SPANS), (kind, field.name)


def test_a_changed_schema_file_is_read_again() -> None:
    """The same name with another text: the new one counts."""
    text = 'policy p\nuse tools "t.json"\nallow a on pay\n'
    for wanted in ("x", "y", "x"):
        tools = f'[{{"name": "pay", "inputSchema": {{"type": "object", "properties": {{"{wanted}": {{"type": "string"}}}}}}}}]'
        record = loads(text, files={"t.json": tools}).compiled.tools["pay"].input
        assert record is not None and [field.name for field in record.fields] == [wanted]
