"""JSON from outside has one meaning, or none."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given, strategies as st

from policy_engine.base.errors import MisfitError
from policy_engine.base.limits import MAX_ARGS_CHARS, MAX_ARGS_DEPTH
from policy_engine.semantics.schema.strict_json import parse_json

WHOLE_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | WHOLE_TEXT
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WHOLE_TEXT, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(VALUES, st.booleans(), st.booleans())
def test_what_json_writes_is_read_back(value: Any, ascii_only: bool, as_bytes: bool) -> None:
    """Any JSON value survives the way through its text, escaped or not, as text or as bytes."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse_json(text.encode() if as_bytes else text) == value


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_any_text_is_a_value_or_a_misfit(text: str | bytes) -> None:
    """Whatever arrives, nothing but `MisfitError` comes out, and what is read the standard library reads alike."""
    try:
        value = parse_json(text)
    except MisfitError as fault:
        assert fault.path == "args"
    else:
        again = json.loads(text)
        assert value == again or (isinstance(again, float) and math.isnan(again))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"to": "a", "to": "b"}', "`to` twice"),
        ('{"x": {"to": 1, "\\u0074o": 2}}', "`to` twice"),
        ("[NaN]", "NaN"),
        ("[-Infinity]", "-Infinity"),
        ("1e999", "too large"),
        ("9223372036854775808", "64 bits"),
        ("-9223372036854775809", "64 bits"),
        ("9" * 6000, "64 bits"),
        ('"\\ud800"', "half of a character"),
        ('{"\\udfff": 1}', "half of a character"),
        ('"\ud800"', "half of a character"),
        (b'"\xff"', "UTF-8"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        ('{"a": }', "line 1, column 7"),
        ("", "not JSON"),
        ("[1] 2", "not JSON"),
        ("\ufeff{}", "not JSON"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(text: str | bytes, words: str) -> None:
    """Duplicate keys, halves of characters, numbers out of range and broken text are named."""
    with pytest.raises(MisfitError, match=words.replace("(", r"\(")):
        parse_json(text)


def test_escapes_that_make_a_whole_character_pass() -> None:
    """A pair of surrogate escapes is one character."""
    assert parse_json('"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '["' + "[" * 90 + '",' + "[" * 100_000])
def test_depth_is_refused_before_parsing(text: str) -> None:
    """A hundred thousand brackets end in a misfit at once, not in a RecursionError."""
    with pytest.raises(MisfitError, match=f"deeper than {MAX_ARGS_DEPTH}"):
        parse_json(text)


def test_brackets_inside_text_are_no_depth() -> None:
    """A string full of brackets is a string."""
    assert parse_json(json.dumps(['"' + "[{" * 500])) == ['"' + "[{" * 500]


BRACKETS = st.text("[]{}\"\\", max_size=6)
NESTED = st.recursive(
    BRACKETS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(BRACKETS, inner, max_size=3), max_leaves=20
)


def depth_of(value: Any) -> int:
    if isinstance(value, (list, dict)):
        return 1 + max(map(depth_of, value.values() if isinstance(value, dict) else value), default=0)
    return 0


@given(NESTED, st.integers(1, 4))
def test_depth_is_that_of_the_value_whatever_its_text_says(value: Any, limit: int) -> None:
    """Brackets in strings and keys neither deepen a value nor make it shallow."""
    text = json.dumps(value)
    if depth_of(value) <= limit:
        assert parse_json(text, max_depth=limit) == value
    else:
        with pytest.raises(MisfitError, match="nested deeper"):
            parse_json(text, max_depth=limit)


def test_the_deepest_value_allowed_is_read() -> None:
    """The limit is inclusive."""
    parse_json("[" * MAX_ARGS_DEPTH + "]" * MAX_ARGS_DEPTH)
    with pytest.raises(MisfitError):
        parse_json("[" * (MAX_ARGS_DEPTH + 1) + "]" * (MAX_ARGS_DEPTH + 1))


def test_size_is_refused_and_hostile_text_costs_little() -> None:
    """Four million characters of unended escapes are judged in seconds; one more is refused unread."""
    started = time.perf_counter()
    with pytest.raises(MisfitError):
        parse_json("[" * 70 + '"' + '\\"' * (MAX_ARGS_CHARS // 2 - 100))
    assert time.perf_counter() - started < 5
    with pytest.raises(MisfitError, match="longer than"):
        parse_json(" " * (MAX_ARGS_CHARS + 1))
    with pytest.raises(MisfitError, match="longer than"):
        parse_json(b" " * (4 * MAX_ARGS_CHARS + 1))


def test_messages_show_no_controls() -> None:
    """A key that would turn text around on a terminal is spelled out."""
    with pytest.raises(MisfitError) as caught:
        parse_json('{"\\u202ea": 1, "\\u202ea": 2}')
    assert "<U+202E>" in caught.value.problem
