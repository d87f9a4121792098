"""The tokens that the texts of a run hold, each taken apart once. Called by `texts`, `suspicion` and `words`.

What a question brings is taken apart aside: only texts of the run, whose size is bounded, make the lexicon grow.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from decimal import Decimal
from itertools import chain, compress, filterfalse
from operator import itemgetter
from typing import Final, Literal as OneOf, TypeVar

from policy_engine.runtime.trace.provenance.dates import BEGINNINGS, dated_among, months_begun
from policy_engine.runtime.trace.provenance.index.apart import taken_apart

GAP: Final = "\n"
"""Stands for the end of a text among tokens, none of which holds white space."""
BREAK: Final = ""
"""The same among words."""
_MOST_ASKED: Final = 50_000
_LONGEST_ASKED: Final = 200
_FIRST_THREE: Final = itemgetter(slice(0, 3))

_Key = TypeVar("_Key", bound=Hashable)


class _Asked(dict[str, tuple[str, ...]]):
    """One of the parts of each token that questions brought; forgets when there are too many."""

    def __init__(self, part: OneOf[0, 1, 2]) -> None:
        self._part = part

    def __missing__(self, token: str) -> tuple[str, ...]:
        part = taken_apart(token)[self._part]
        if len(token) <= _LONGEST_ASKED:
            if len(self) >= _MOST_ASKED:
                self.clear()
            self[token] = part
        return part


class Lexicon:
    """What is known of each token learned: its `words`, and the `loose` ones; `alike` of those that hold identifiers.

    `forms` says which other tokens may be meant as an identifier, `numbers` which ones as a number; around those that are
    `dated` a date may stand, whose month begins in one of those ways.
    """

    def __init__(self) -> None:
        self.words: dict[str, tuple[str, ...]] = {GAP: (BREAK,)}
        self.loose: dict[str, tuple[str, ...]] = {GAP: (BREAK,)}
        self.alike: dict[str, tuple[str, ...]] = {}
        self.dated: dict[str, tuple[str, ...]] = {}
        self.forms: dict[str, str | list[str]] = {}
        self.numbers: dict[Decimal, str | list[str]] = {}
        self._asked_words = _Asked(0)
        self._asked_loose = _Asked(1)
        self._asked_alike = _Asked(2)

    def learn(self, tokens: Iterable[str]) -> None:
        """Remember those of many tokens that are new. Of letters and digits, as most are, they are folded all at once."""
        fresh = list(filterfalse(self.words.__contains__, dict.fromkeys(tokens)))
        plain = [token for token in fresh if token.isalnum() and token.isascii() and not token.isdigit()]
        if plain:
            lowered = " ".join(plain).lower().split()
            apart = dict(zip(plain, zip(lowered, strict=True), strict=True))
            self.words.update(apart)
            self.loose.update(apart)
            self.alike.update([(token, apart[token]) for token in plain if not token.isalpha()])
            for token in compress(plain, map(BEGINNINGS.__contains__, map(_FIRST_THREE, lowered))):
                self.dated[token] = months_begun(token)
        if len(plain) < len(fresh):
            others = list(filterfalse(self.words.__contains__, fresh))
            for token in others:
                self._learn_one(token)
            self.dated.update(dated_among(others))

    def _learn_one(self, token: str) -> None:
        self.words[token], self.loose[token], alike, identifiers, numbers = taken_apart(token)
        if identifiers:
            self.alike[token] = alike
            for form in identifiers:
                if form != token:
                    _also(self.forms, form, token)
            for number in numbers:
                _also(self.numbers, number, token)

    # ------------------------------------------------------------------ for the values of questions
    def words_of(self, tokens: Iterable[str]) -> Iterator[str]:
        """The words of tokens that need not be known, one after another as they are asked for."""
        return chain.from_iterable(map(self._asked_words.__getitem__, tokens))

    def loose_of(self, tokens: Iterable[str]) -> list[str]:
        """The words for suspicion of such tokens."""
        return list(chain.from_iterable(map(self._asked_loose.__getitem__, tokens)))

    def alike_of(self, tokens: Iterable[str]) -> list[str]:
        """The identifiers for suspicion of such tokens."""
        return list(chain.from_iterable(map(self._asked_alike.__getitem__, tokens)))


def _also(tokens: dict[_Key, str | list[str]], key: _Key, token: str) -> None:
    held = tokens.setdefault(key, token)
    if isinstance(held, list):
        held.append(token)
    elif held is not token:
        tokens[key] = [held, token]
