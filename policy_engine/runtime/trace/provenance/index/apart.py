"""One token taken apart: quickly where it is ASCII with at most a sentence mark behind it, else by the plain way.

The same parts as `tokens.Text` gives for a whole text. Called by `lexicon`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, TypeAlias

from policy_engine.runtime.trace.provenance.dates import DIGITS
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
    LONGEST_NUMBER,
    LOOSE_WORD,
    loose_forms,
    number_of,
    peeled,
    words_in,
)

END: Final = "\n"
"""Behind a word: a sentence ends there. No word holds white space."""
_MARKS: Final = frozenset(".,;:!?")
_ENDS: Final = frozenset(".;:!?")
_LONGEST: Final = 200
_ASCII_WORD: Final = re.compile(r"\w+", re.ASCII)
_BEFORE_DIGITS: Final = frozenset("0123456789+-$")
_AROUND_DIGITS: Final = str.maketrans("", "", ",.+-$%")

Parts: TypeAlias = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[Decimal, ...]]
"""A token: its words (`END` behind them where a sentence ends), the words and identifiers for suspicion, what it may be
meant as, and the numbers among these."""


def taken_apart(token: str) -> Parts:
    """The parts of a token."""
    if not token.isascii() or len(token) > _LONGEST or not token.isprintable():
        return plainly_apart(token)
    low = token.lower()
    if token.isalpha():
        words = (low,)
        return words, words, (), (), ()
    last = token[-1]
    if last in _MARKS:
        return _with_mark(token, low, last)
    if token[0] in LEADING or last in TRAILING or token.endswith("'s"):
        return plainly_apart(token)
    words = (low,)
    looks = words if token.isalnum() else tuple(_ASCII_WORD.findall(low))
    if token[0] not in DIGITS and ASCII_MARK.search(token) is None:
        return words, looks, (), (), ()
    number = _number(token)
    if number is None:
        return words, looks, words, (token,), ()
    return words, looks, words if _is_telling(token) else (), (token,), (number,)


def _with_mark(token: str, low: str, mark: str) -> Parts:
    """A token with a sentence mark at its end. With the mark it is no number; with a `.` or `:` it is an identifier."""
    core, bare = token[:-1], low[:-1]
    words = (bare + END if mark in _ENDS else bare,)
    if core.isalpha():
        return words, (bare,), (), (token,) if mark in IDENTIFIER_MARKS else (), ()
    if not core or core[0] in LEADING or core[-1] in TRAILING or core.endswith("'s"):
        return plainly_apart(token)
    looks = (bare,) if core.isalnum() else tuple(_ASCII_WORD.findall(low))
    if core[0] not in DIGITS and ASCII_MARK.search(core) is None:
        return words, looks, (), (token,) if mark in IDENTIFIER_MARKS else (), ()
    number = _number(core)
    if number is None:
        return words, looks, (bare, low), (core, token), ()
    return words, looks, (bare, low) if _is_telling(core) else (low,), (core, token), (number,)


def _number(core: str) -> Decimal | None:
    """`number_of`, for what begins and ends with neither quotes nor marks."""
    if core.isdigit():
        return Decimal(core) if len(core) <= LONGEST_NUMBER else None
    return number_of(core) if core[0] in _BEFORE_DIGITS else None


def _is_telling(number: str) -> bool:
    """Whether a number has so many digits that it says something when two texts share it."""
    return len(number) >= FEWEST_DIGITS and len(number.translate(_AROUND_DIGITS)) >= FEWEST_DIGITS


def plainly_apart(token: str) -> Parts:
    """The parts of any token, by what defines them."""
    words = tuple(word.text + END if word.ends else word.text for word in words_in(token))
    looks = tuple(LOOSE_WORD.findall(loose(token)))
    if token.isascii() and ASCII_MARK.search(token) is None:
        return words, looks, (), (), ()
    identifiers = tuple(form for form in dict.fromkeys(peeled(token)) if is_identifier(form))
    numbers = tuple(dict.fromkeys(number for form in identifiers if (number := number_of(form)) is not None))
    return words, looks, loose_forms(token), identifiers, numbers
