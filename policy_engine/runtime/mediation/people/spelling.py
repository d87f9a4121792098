"""Values of others, spelled so that nothing in them can hide, change what stands beside it, or pass for something else.

Injective: two different texts never look the same, because `<U+` in a text is itself spelled out. One line: line breaks
are spelled out too. What is meant by «confusable» are letters of another writing beside Latin ones, or words made only of
letters that look Latin, and characters that stand for ASCII ones, such as those of full width.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from policy_engine.diagnostics.visible import shown_character

_LOOKALIKE_WRITINGS: Final = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU", "GEORGIAN", "ROMAN", "MODIFIER")
_LATIN_LOOKALIKES: Final = frozenset("асеорхуіјѕԁһԛԝӏАВЕКМНОРСТХУЅІЈԌԚԜΑΒΕΖΗΙΚΜΝΟΡΤΥΧονօոսհ")
_INVISIBLE: Final = frozenset(
    [0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10),
     *range(0x1D159, 0x1D15A), *range(0xE0100, 0xE01F0)]
)  # fmt: skip
"""Characters without a shape of their own that Unicode counts among letters, marks or symbols."""
_WORD: Final = re.compile(r"\S+")
_MOST_MARKS: Final = 2
"""Marks on one letter; more of them would cover the lines above and below."""


def spelled(text: str) -> str:
    """The text on one line, safe to show beside anything; ASCII text that can be printed stays as it is."""
    if text.isascii() and text.isprintable() and "<U+" not in text:
        return text
    strange = _strange_letters(text)
    out: list[str] = []
    marks = 0
    for at, character in enumerate(text):
        marks = marks + 1 if unicodedata.combining(character) else 0
        if at in strange or marks > _MOST_MARKS or _is_hidden(character) or text.startswith("<U+", at):
            out.append(f"<U+{ord(character):04X}>")
        else:
            out.append(character)
    return "".join(out)


def respelled(text: object) -> str:
    """Text out of a store, spelled already if nobody changed it since: what is, stays; what is not, is now."""
    return "<U+".join(map(spelled, str(text).split("<U+")))


def warnings_of(text: str) -> list[str]:
    """What a reader should know of characters that are spelled out; nothing for text that is as it looks."""
    if text.isascii() and text.isprintable():
        return []
    found = []
    if any(unicodedata.bidirectional(character) in _DIRECTIONS for character in text):
        found.append("holds characters that turn the direction of reading")
    if any(_is_hidden(character) and character not in "\n\t" for character in text):
        found.append("holds characters that cannot be seen or that control a terminal")
    if _strange_letters(text):
        found.append("holds letters that look like others")
    return found


_DIRECTIONS: Final = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


@lru_cache(maxsize=4_096)
def _is_hidden(character: str) -> bool:
    """Whether it would not be seen, would be obeyed, or would be taken for a plain space."""
    if " " <= character <= "~":
        return False
    if character in "\t\n" or shown_character(character) != character or ord(character) in _INVISIBLE:
        return True
    return unicodedata.category(character) in ("Zs", "Me")


def _strange_letters(text: str) -> set[int]:
    """The places of characters that look like others."""
    found = {at for at, character in enumerate(text) if _stands_for_ascii(character) or _is_overlaid(text, at)}
    for match in _WORD.finditer(text):
        word = match.group()
        foreign = [at for at, character in enumerate(word) if _writing(character) in _LOOKALIKE_WRITINGS]
        latin = any(character.isascii() and character.isalpha() for character in word)
        if foreign and (latin or all(word[at] in _LATIN_LOOKALIKES for at in foreign)):
            found.update(match.start() + at for at in foreign)
    return found


def _is_overlaid(text: str, at: int) -> bool:
    """Whether a mark stands on an ASCII character with which it makes no letter: it may strike it through, or change it."""
    if at == 0 or not unicodedata.combining(text[at]) or not text[at - 1].isascii():
        return False
    return len(unicodedata.normalize("NFC", text[at - 1 : at + 1])) > 1


@lru_cache(maxsize=4_096)
def _stands_for_ascii(character: str) -> bool:
    if character.isascii() or character.isspace():
        return False
    plain = unicodedata.normalize("NFKC", character)
    return plain.isascii() or (character in _PUNCTUATION)


_PUNCTUATION: Final = frozenset("‐‑‒⁃−⁄∕ꓸ․‚ꞌʹʻʼˈ։∶：。．")
"""Signs that pass for those of addresses and numbers."""


@lru_cache(maxsize=4_096)
def _writing(character: str) -> str:
    if character.isascii():
        return "LATIN" if character.isalpha() else ""
    return unicodedata.name(character, "").partition(" ")[0] if character.isalpha() else ""
