"""Folding of text, and what kind of value a string is. Used by every comparison of provenance.

Two foldings: `folded` for saying that two words are the same (NFKC, casefolded; invisible and look-alike characters
stay different), and `loose` for suspecting that they are (those are removed and replaced too), used only where a match
adds labels.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

IDENTIFIER_MARKS: Final = frozenset("@_/.:")
LEADING: Final = frozenset("'\"`([{<«“”\u2018\u2019„¿¡")
TRAILING: Final = frozenset("'\"`)]}>»“”\u2018\u2019.,;:!?…。\uff0c、")
ASCII_MARK: Final = re.compile(r"[0-9@_/.:]")
"""What makes a token of ASCII an identifier."""
ASCII_IDENTIFIER: Final = re.compile(r"[^\s0-9@_/.:]*[0-9@_/.:]\S*")
"""A whole text of ASCII that is an identifier."""
ASCII_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")
"""The characters of ASCII that nobody sees, and that are no white space."""
_LOOK_ALIKES: Final = str.maketrans(
    "авекмнорстухѕіјԁһӏԛԝοαερτυνικχβγηωցոսօ\u0131",
    "abekmhopctyxsijdhlqwoaeptuvikxbynwgnuoi",
)


def folded(text: str) -> str:
    """NFKC, casefolded; twice, because case folding can undo the normal form."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def loose(text: str) -> str:
    """Folded further: without invisible characters and combining marks, look-alikes of Latin letters as these.

    White space stays, so that a text is its tokens, each folded.
    """
    if text.isascii():
        return text.lower() if text.isprintable() else ASCII_CONTROL.sub("", text.lower())
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(filter(_is_seen, apart)).translate(_LOOK_ALIKES)


def _is_seen(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) not in ("Cf", "Mn", "Cc", "Me")


def is_identifier(text: str) -> bool:
    """No space, with a digit or one of `@ _ / . :`; judged before and after NFKC: neither form slips through."""
    if text.isascii():
        return ASCII_IDENTIFIER.fullmatch(text) is not None
    if not text or any(character.isspace() for character in text):
        return False
    forms = text + unicodedata.normalize("NFKC", text)
    return any(character in IDENTIFIER_MARKS or character.isnumeric() for character in forms)
