"""Text made safe to show: what a terminal would obey or hide is spelled out, and every character has a known width.

Called by the text renderer and by every command that prints names and reasons that others wrote.
Promises that its output holds no control, bidirectional or invisible character and no lone surrogate.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that a reader cannot see or that change how the rest is read."""
TAB: Final = "    "


def shown_character(character: str) -> str:
    """One character as a reader may see it: itself, four spaces for a tab, `<U+202E>` for what would hide."""
    if character == "\t":
        return TAB
    if " " <= character <= "~":
        return character
    if unicodedata.category(character) in _HIDDEN:
        return f"<U+{ord(character):04X}>"
    return character


def shown_line(text: str) -> str:
    """One line of text, every character safe to print; line breaks are spelled out too."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(shown_character, text))


def shown_text(text: str) -> str:
    """Text of several lines: as `shown_line`, but line breaks stay."""
    return "\n".join(shown_line(line) for line in text.split("\n"))


def width_of(text: str) -> int:
    """The columns that already safe text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
