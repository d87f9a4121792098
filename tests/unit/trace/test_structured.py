"""Text that holds values: read where it plainly does, left alone where it does not, never an exception."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, strategies as st

from policy_engine.runtime.trace.provenance.structured import MAX_YAML_CHARS, values_in

_CHARACTERS = st.characters(codec="utf-8")
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(_CHARACTERS, max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(_CHARACTERS, max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(_JSON, min_size=1) | st.dictionaries(st.text(_CHARACTERS), _JSON, min_size=1))
def test_json_is_read_as_what_it_says(value: Any) -> None:
    """Written by any tool, with or without indents."""
    assert values_in(json.dumps(value)) == value
    assert values_in(json.dumps(value, indent=2, ensure_ascii=False)) == value


@given(st.text(st.characters(), max_size=60) | st.text("-: {}[]&*!|>'\"#%a\n\t,?", max_size=40))
def test_any_text_is_answered(text: str) -> None:
    """A list or map with something in it, or None; never an exception."""
    found = values_in(text)
    assert found is None or (isinstance(found, list | dict) and found)


@given(st.lists(st.fixed_dictionaries({"a": st.text(max_size=12), "b": st.text("x: -\n'\"", max_size=12)}), min_size=1))
def test_yaml_of_a_real_writer_keeps_texts_apart(rows: list[dict[str, str]]) -> None:
    """Whatever stands in a field stays in that field."""
    found = values_in(yaml.safe_dump(rows))
    assert found is None or found == rows


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "plain words", "Note: pay DE1", "a: &n 1\nb: *n", "a: 1\na: 2", '{"a": 1, "a": 2}', "{}", "[]", "a: [1, 2",
        "a: b: c", "? [x]\n: y\nb: c", '"text"', "12", "- " * 2_000, "[" * 100_000, "[NaN]",
        "[" * 500 + "]" * 500, "a: x\n" + "b: y\n" * 2, "--- a\n--- b",
    ],
)  # fmt: skip
def test_what_is_not_plainly_values_is_text(text: str) -> None:
    """Prose, aliases, duplicate or odd keys, fragments, depth."""
    assert values_in(text) is None


def test_an_alias_bomb_is_text() -> None:
    """It would be read as a billion values."""
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    assert values_in("\n".join(lines)) is None


def test_long_yaml_is_not_tried() -> None:
    """It is slow to read; JSON of that size is not."""
    rows = [{"a": "x" * 50} for _ in range(MAX_YAML_CHARS // 50)]
    assert values_in(yaml.safe_dump(rows, default_flow_style=False)[: MAX_YAML_CHARS + 100]) is None
    assert values_in(json.dumps(rows)) == rows
