"""Patterns of `matches` that are a plain search for text in disguise: `^/(etc|root)/` is a test of the beginning.

Only what can be proved by its form: literal characters, escaped punctuation, groups of such alternatives, `^` first
and `$` last. RE2 is not in multi-line mode, so `^` and `$` are the ends of the text; `$` accepts no line break there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_ALTERNATIVES: Final = 64
_PIECE: Final = re.compile(
    r"""(?P<group>\((?:\?:)?(?P<options>(?:[^\\.+*?()\[\]{}^$]|\\[^\w\s\x80-\U0010ffff])*)\))"""
    r"""|(?P<text>(?:[^\\.+*?()\[\]{}^$|]|\\[^\w\s\x80-\U0010ffff])+)"""
)
_QUANTIFIERS: Final = ("+", "*", "?", "{")


@dataclass(frozen=True, slots=True)
class PlainPattern:
    """A pattern that finds one of `texts`, at the beginning, at the end, at both (the whole text) or anywhere."""

    texts: tuple[str, ...]
    at_start: bool
    at_end: bool


def plain_pattern(pattern: str) -> PlainPattern | None:
    """The plain search that `pattern` is, or None where it is more than that (or might be)."""
    at_start = pattern.startswith("^")
    place = 1 if at_start else 0
    texts = [""]
    while place < len(pattern):
        if pattern[place:] == "$":
            return PlainPattern(tuple(dict.fromkeys(texts)), at_start, True)
        piece = _PIECE.match(pattern, place)
        if piece is None:
            return None
        place = piece.end()
        options = _options(piece)
        if options is None or pattern[place : place + 1] in _QUANTIFIERS:
            return None
        if len(texts) * len(options) > MAX_ALTERNATIVES:
            return None
        texts = [text + option for text in texts for option in options]
    return PlainPattern(tuple(dict.fromkeys(texts)), at_start, False)


def _options(piece: re.Match[str]) -> list[str] | None:
    if piece["group"] is None:
        return [_unescaped(piece["text"])]
    if r"\|" in piece["options"]:
        return None
    return [_unescaped(option) for option in piece["options"].split("|")]


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
