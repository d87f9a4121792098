"""What one token says: taken apart once, and remembered for the next time it comes. Called by `texts`.

The same parts as `tokens.Text` gives for a whole text.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, NamedTuple

from policy_engine.runtime.trace.provenance.text import is_identifier, loose
from policy_engine.runtime.trace.provenance.tokens import Word, number_of, peeled, telling, words_in

_MOST_REMEMBERED: Final = 50_000
_LONGEST_REMEMBERED: Final = 200
MARK: Final = re.compile(r"[0-9@_/.:]")
"""What makes an ASCII token an identifier."""


class Facts(NamedTuple):
    """Identifiers and numbers the token may be meant as, its words, and the identifiers it shares loosely."""

    identifiers: tuple[str, ...]
    numbers: tuple[Decimal, ...]
    words: tuple[Word, ...]
    loose: tuple[str, ...]


class FactBook:
    """The facts of the tokens met so far; forgets when there are too many."""

    def __init__(self) -> None:
        self._known: dict[str, Facts] = {}

    def of(self, token: str) -> Facts:
        """The facts of a token."""
        facts = self._known.get(token)
        if facts is None:
            facts = _facts(token)
            if len(token) <= _LONGEST_REMEMBERED:
                if len(self._known) >= _MOST_REMEMBERED:
                    self._known.clear()
                self._known[token] = facts
        return facts


def _facts(token: str) -> Facts:
    if token.isascii():
        if token.isalpha():
            return Facts((), (), (Word(token.lower(), False),), ())
        if MARK.search(token) is None:
            return Facts((), (), tuple(words_in(token)), ())
    forms = tuple(dict.fromkeys(peeled(token)))
    identifiers = tuple(form for form in forms if _marked(form))
    found = (number_of(form) for form in identifiers)
    numbers = tuple(dict.fromkeys(number for number in found if number is not None))
    return Facts(identifiers, numbers, tuple(words_in(token)), _loose_identifiers(token, forms))


def _loose_identifiers(token: str, forms: tuple[str, ...]) -> tuple[str, ...]:
    """The identifiers that a token shares with others loosely, see `Text.loose_identifiers`."""
    if not _marked(token):
        return ()
    loosely = (loose(form) for form in forms)
    return tuple(dict.fromkeys(form for form in loosely if telling(form)))


def _marked(form: str) -> bool:
    return MARK.search(form) is not None if form.isascii() else is_identifier(form)
