"""What one token says: taken apart once, and remembered for the next time it comes. Called by `texts`.

The same parts as `tokens.Text` gives for a whole text.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from policy_engine.runtime.trace.provenance.text import ASCII_MARK, is_identifier, loose
from policy_engine.runtime.trace.provenance.tokens import number_of, peeled, telling, words_in

_MOST_REMEMBERED: Final = 50_000
_LONGEST_REMEMBERED: Final = 200
_GOES_ON: Final = (False,)


class Facts(NamedTuple):
    """Identifiers and numbers the token may be meant as, its words, and the identifiers it shares loosely.

    `ends` tells for each word whether a sentence ends behind it.
    """

    identifiers: tuple[str, ...]
    numbers: tuple[Decimal, ...]
    words: tuple[str, ...]
    ends: tuple[bool, ...]
    loose: tuple[str, ...]


class FactBook:
    """The facts of the tokens met so far; forgets when there are too many. `known` may be read directly."""

    def __init__(self) -> None:
        self.known: dict[str, Facts] = {}

    def of(self, token: str) -> Facts:
        """The facts of a token."""
        facts = self.known.get(token)
        if facts is None:
            facts = _facts(token)
            if len(token) <= _LONGEST_REMEMBERED:
                if len(self.known) >= _MOST_REMEMBERED:
                    self.known.clear()
                self.known[token] = facts
        return facts


def _facts(token: str) -> Facts:
    if token.isascii():
        if token.isalpha():
            return Facts((), (), (token.lower(),), _GOES_ON, ())
        if token.isalnum():
            number = number_of(token)
            numbers, alike = ((), (token.lower(),)) if number is None else ((number,), (token,) if telling(token) else ())
            return Facts((token,), numbers, (token.lower(),), _GOES_ON, alike)
        if ASCII_MARK.search(token) is None:
            return Facts((), (), *_words(token), ())
    forms = list(dict.fromkeys(peeled(token)))
    identifiers = [form for form in forms if is_identifier(form)]
    values = dict.fromkeys(number for form in identifiers if (number := number_of(form)) is not None)
    shared: list[str] = []
    if is_identifier(token):
        loosely = dict.fromkeys(map(str.lower if token.isascii() else loose, forms))
        shared = [form for form in loosely if telling(form)]
    return Facts(tuple(identifiers), tuple(values), *_words(token), tuple(shared))


def _words(token: str) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    words = list(words_in(token))
    return tuple(word.text for word in words), tuple(word.ends for word in words)
