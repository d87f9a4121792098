"""Patterns that are plain searches for text find exactly what RE2 finds."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given, settings, strategies as st

from policy_engine.compiler.codegen.patterns import PlainPattern, plain_pattern

PIECES = (
    "a", "b", "/", "etc", r"\.", "@", r"\$", "(a|b)", "(?:ab|)", "(", ")", "|", ".", "*", "^", "$", r"\d", "[ab]", "?", r"\|",
    "\n", "-",
)  # fmt: skip
TEXTS = st.text(st.sampled_from("ab/etc.@$|\n-1"), max_size=8)


def found(plain: PlainPattern, text: str) -> bool:
    """What a plain pattern means, said with slices."""
    return any(
        text == one if plain.at_start and plain.at_end
        else text[: len(one)] == one if plain.at_start
        else text[len(text) - len(one) :] == one and len(one) <= len(text) if plain.at_end
        else one in text
        for one in plain.texts
    )  # fmt: skip


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), TEXTS)
def test_a_plain_pattern_finds_what_re2_finds(pattern: str, text: str) -> None:
    """Whatever is called plain has RE2's answer on every text."""
    plain = plain_pattern(pattern)
    if plain is not None:
        assert found(plain, text) == (re2.search(pattern, text) is not None)


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [("^/(etc|root)/", ("/etc/", "/root/")), (r"@corp\.com$", ("@corp.com",)), ("^(?:a|b)c$", ("ac", "bc")), ("x", ("x",))],
)
def test_common_forms_are_plain(pattern: str, texts: tuple[str, ...]) -> None:
    """The forms that policies use are recognised."""
    plain = plain_pattern(pattern)
    assert plain is not None and plain.texts == texts


@pytest.mark.parametrize("pattern", ["^a|b", "a.b", "a*", "(a|b)+", "(?i)a", r"\d", "[ab]", "a{2}", "(a", r"(a\|b)", "^a$b"])
def test_anything_more_is_left_to_re2(pattern: str) -> None:
    """No guess about patterns that repeat, choose at the top, or set flags."""
    assert plain_pattern(pattern) is None
