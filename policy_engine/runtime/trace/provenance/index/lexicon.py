"""The tokens that the texts of a run hold, each taken apart once. Called by `texts`, `suspicion` and `words`.

The same parts as `tokens.Text` gives for a whole text. What a question brings is taken apart aside: only texts of the
run, whose size is bounded, make the lexicon grow.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator
from decimal import Decimal
from itertools import chain
from typing import Final, Literal as OneOf, TypeAlias, TypeVar

from policy_engine.runtime.trace.provenance.dates import may_date
from policy_engine.runtime.trace.provenance.text import (
    ASCII_MARK,
    IDENTIFIER_MARKS,
    LEADING,
    TRAILING,
    is_identifier,
    loose,
)
from policy_engine.runtime.trace.provenance.tokens import (
    FEWEST_DIGITS,
    LOOSE_WORD,
    loose_forms,
    number_of,
    peeled,
    words_in,
)

END: Final = "\n"
"""Behind a word: a sentence ends there. No word holds white space."""
GAP: Final = "\n"
"""Stands for the end of a text among tokens, none of which holds white space."""
BREAK: Final = ""
"""The same among words."""
_MOST_ASKED: Final = 50_000
_LONGEST_ASKED: Final = 200
_PEELED_AT_THE_END: Final = frozenset({*TRAILING, "s"})
_MARKS: Final = frozenset(".,;:!?")
_ENDS: Final = frozenset(".;:!?")
_ASCII_WORD: Final = re.compile(r"\w+", re.ASCII)
_BEFORE_DIGITS: Final = frozenset("0123456789+-$")


Parts: TypeAlias = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[Decimal, ...]]
"""A token: its words (`END` behind them where a sentence ends), the words and identifiers for suspicion, what it may be
meant as, and the numbers among these."""


_Key = TypeVar("_Key", bound=Hashable)


class Words(dict[str, tuple[str, ...]]):
    """The words of each token, learned when it is first asked for."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon

    def __missing__(self, token: str) -> tuple[str, ...]:
        return self._lexicon.learn(token)


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
    """What is known of each token: `words` (which learns), and then `loose`; `alike` of those that hold identifiers.

    `forms` says which other tokens may be meant as an identifier, `numbers` which ones as a number; around those that are
    `dated` a date may stand.
    """

    def __init__(self) -> None:
        self.words = Words(self)
        self.loose: dict[str, tuple[str, ...]] = {GAP: (BREAK,)}
        self.words[GAP] = (BREAK,)
        self.alike: dict[str, tuple[str, ...]] = {}
        self.dated: set[str] = set()
        self.forms: dict[str, str | list[str]] = {}
        self.numbers: dict[Decimal, str | list[str]] = {}
        self._asked_words = _Asked(0)
        self._asked_loose = _Asked(1)
        self._asked_alike = _Asked(2)

    def learn(self, token: str) -> tuple[str, ...]:
        """Remember a token; gives its words."""
        if token.isascii() and token.isalpha():
            if may_date(token):
                self.dated.add(token)
            plain = self.words[token] = self.loose[token] = (token.lower(),)
            return plain
        words, self.loose[token], alike, identifiers, numbers = taken_apart(token)
        if not numbers and may_date(token):
            self.dated.add(token)
        if identifiers:
            self.alike[token] = alike
            for form in identifiers:
                if form != token:
                    _also(self.forms, form, token)
            for number in numbers:
                _also(self.numbers, number, token)
        self.words[token] = words
        return words

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


def taken_apart(token: str) -> Parts:
    """The parts of a token; quickly where it is ASCII with at most a sentence mark around it."""
    if not token.isascii():
        return _peeled_apart(token)
    low = token.lower()
    words = (low,)
    if token.isalpha():
        return words, words, (), (), ()
    last = token[-1]
    if last in _MARKS and token[:-1].isalpha():
        looks = (low[:-1],)
        return (low[:-1] + END if last in _ENDS else low[:-1],), looks, (), (token,) if last in IDENTIFIER_MARKS else (), ()
    if token[0] in LEADING or last in _PEELED_AT_THE_END:
        return _peeled_apart(token)
    looks = words if token.isalnum() else tuple(_ASCII_WORD.findall(low))
    if ASCII_MARK.search(token) is None:
        return words, looks, (), (), ()
    number = number_of(token) if token[0] in _BEFORE_DIGITS else None
    if number is None:
        return words, looks, words, (token,), ()
    return words, looks, words if sum(map(str.isdigit, token)) >= FEWEST_DIGITS else (), (token,), (number,)


def _peeled_apart(token: str) -> Parts:
    words = tuple(word.text + END if word.ends else word.text for word in words_in(token))
    looks = tuple(LOOSE_WORD.findall(loose(token)))
    if token.isascii() and ASCII_MARK.search(token) is None:
        return words, looks, (), (), ()
    identifiers = tuple(form for form in dict.fromkeys(peeled(token)) if is_identifier(form))
    numbers = tuple(dict.fromkeys(number for form in identifiers if (number := number_of(form)) is not None))
    return words, looks, loose_forms(token), identifiers, numbers


def _also(tokens: dict[_Key, str | list[str]], key: _Key, token: str) -> None:
    held = tokens.setdefault(key, token)
    if isinstance(held, list):
        held.append(token)
    elif held is not token:
        tokens[key] = [held, token]
