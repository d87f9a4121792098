"""What one token says: taken apart once, and remembered for the next time it comes. Called by `texts`.

The same parts as `tokens.Text` gives for a whole text.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from policy_engine.runtime.trace.provenance.text import ASCII_MARK, is_identifier, loose
from policy_engine.runtime.trace.provenance.tokens import Word, number_of, peeled, telling, words_in

_MOST_REMEMBERED: Final = 50_000
_LONGEST_REMEMBERED: Final = 200


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
        if token.isalnum():
            number = number_of(token)
            numbers, shared = ((), (token.lower(),)) if number is None else ((number,), (token,) if telling(token) else ())
            return Facts((token,), numbers, (Word(token.lower(), False),), shared)
        if ASCII_MARK.search(token) is None:
            return Facts((), (), tuple(words_in(token)), ())
    forms = list(dict.fromkeys(peeled(token)))
    identifiers = [form for form in forms if is_identifier(form)]
    values = dict.fromkeys(number for form in identifiers if (number := number_of(form)) is not None)
    alike: list[str] = []
    if is_identifier(token):
        loosely = dict.fromkeys(map(str.lower if token.isascii() else loose, forms))
        alike = [form for form in loosely if telling(form)]
    return Facts(tuple(identifiers), tuple(values), tuple(words_in(token)), tuple(alike))
