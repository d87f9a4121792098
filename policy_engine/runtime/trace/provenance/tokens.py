"""One piece of text, taken apart on demand: identifiers, words, numbers, dates. Used by every word of provenance.

Tokens are what stands between white space, without quotes, brackets and sentence punctuation around it; never a part
of a longer one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Final, NamedTuple

from policy_engine.runtime.trace.provenance.dates import Clock, Date, clocks_in, dates_in
from policy_engine.runtime.trace.provenance.text import LEADING, TRAILING, folded, is_identifier, loose

SHARED_WORDS: Final = 5
"""So many consecutive words in common make a text carry the labels of another."""
_MOST_PEELED: Final = 4
_LONGEST_PEELED: Final = 2_000
LONGEST_NUMBER: Final = 40
"""A number has so many digits before the point, and behind it, at most."""
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,40})(?:\.[0-9]{1,40})?", re.ASCII)
_CURRENCY: Final = "$€£¥₹₽"
LOOSE_WORD: Final = re.compile(r"\w+")
"""A word for suspicion."""
_SENTENCE_ENDS: Final = frozenset(".!?;:…。")
_POSSESSIVES: Final = ("'s", "\u2019s")
FEWEST_DIGITS: Final = 4
"""A number of fewer says nothing when two texts share it."""
_LEADING: Final = "".join(LEADING)
_TRAILING: Final = "".join(TRAILING)


class Word(NamedTuple):
    """A word as it is compared, and whether a sentence ends behind it."""

    text: str
    ends: bool


class Text:
    """A text that is compared with values. Immutable; its parts are worked out when first asked for."""

    def __init__(self, raw: str) -> None:
        """Of `raw`, as it was written."""
        self.raw = raw

    @cached_property
    def identifiers(self) -> frozenset[str]:
        """Every token as it may be meant, character for character: with and without the punctuation around it."""
        return frozenset(form for token in self.raw.split() for form in peeled(token))

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The words in order, folded."""
        return tuple(words_in(self.raw))

    @cached_property
    def numbers(self) -> frozenset[Decimal]:
        """The numbers written as tokens of their own: `1,200`, `98.70`, `$5`, `10%`, never digits inside a name."""
        found = (number_of(form) for form in self.identifiers)
        return frozenset(number for number in found if number is not None)

    @cached_property
    def dates(self) -> tuple[Date, ...]:
        """The dates named, in ISO form or with a month's name."""
        return tuple(dates_in(self.raw))

    @cached_property
    def clocks(self) -> tuple[Clock, ...]:
        """The times of day named."""
        return tuple(clocks_in(self.raw))

    @cached_property
    def loose_words(self) -> tuple[str, ...]:
        """The words for suspicion: split at any punctuation, folded loosely."""
        return tuple(LOOSE_WORD.findall(loose(self.raw)))

    @cached_property
    def shingles(self) -> frozenset[tuple[str, ...]]:
        """Every run of five consecutive loose words."""
        return frozenset(self._runs())

    def shares_words(self, other: Text) -> bool:
        """Whether five consecutive loose words stand in both."""
        wanted = other.shingles
        return bool(wanted) and any(run in wanted for run in self._runs())

    def _runs(self) -> Iterator[tuple[str, ...]]:
        words = self.loose_words
        return (words[at : at + SHARED_WORDS] for at in range(len(words) - SHARED_WORDS + 1))

    @cached_property
    def loose_identifiers(self) -> frozenset[str]:
        """The identifiers in the text, folded loosely. Numbers count from four digits on."""
        return frozenset(form for token in self.raw.split() for form in loose_forms(token))

    def holds_words(self, wanted: Sequence[Word]) -> bool:
        """Whether the wanted words stand here one after another, in one sentence unless they have its end too."""
        size = len(wanted)
        if not size or size > len(self.words) or wanted[0].text not in self._word_set:
            return False
        return any(_same(self.words[at : at + size], wanted) for at in range(len(self.words) - size + 1))

    @cached_property
    def _word_set(self) -> frozenset[str]:
        return frozenset(word.text for word in self.words)

    def holds_word(self, word: str) -> bool:
        """Whether the folded word stands here."""
        return word in self._word_set


def number_of(token: str) -> Decimal | None:
    """The number that a token is: ASCII digits, thousands by comma in threes, a point; a currency sign or `%` aside."""
    if _NUMBER.fullmatch(token):
        return Decimal(token.replace(",", ""))
    bare = token.removesuffix("%").strip(_CURRENCY) if len(token) <= 90 else ""
    if bare[:1] in ("-", "+") and bare[1:2] and bare[1] in _CURRENCY:
        bare = bare[0] + bare[2:]
    return Decimal(bare.replace(",", "")) if _NUMBER.fullmatch(bare) else None


def peeled(token: str) -> Iterator[str]:
    """The token, and what is left of it as quotes, brackets and sentence punctuation are taken off, layer by layer."""
    start, end = 0, len(token)
    while start < end and start < _MOST_PEELED and token[start] in LEADING:
        start += 1
    while end > start and len(token) - end < _MOST_PEELED and token[end - 1] in TRAILING:
        end -= 1
    if ".." in token[end:] or "…" in token[end:]:  # `GB29…` is short for something longer
        end = len(token)
    if len(token) > _LONGEST_PEELED:
        yield from (token, token[start:end])
        return
    for first in range(start + 1):
        for last in range(end, len(token) + 1):
            yield token[first:last]
    for ending in _POSSESSIVES:
        if token[start:end].endswith(ending):
            yield token[start : end - len(ending)]


def words_in(raw: str) -> Iterator[Word]:
    """The words of a text, folded for exact comparison."""
    for token in raw.split():
        bare = token.lstrip(_LEADING)
        core = bare.rstrip(_TRAILING)
        if not core:
            continue
        ends = len(core) < len(bare) and not _SENTENCE_ENDS.isdisjoint(bare[len(core) :])
        if core.isascii():
            yield Word(core.lower(), ends)
            continue
        # A number or an address inside a text is not to be reached by another writing of it.
        pieces = [core.casefold()] if is_identifier(core) else folded(core).split()
        yield from (Word(piece, False) for piece in pieces[:-1])
        yield from (Word(piece, ends) for piece in pieces[-1:])


def _same(here: Sequence[Word], wanted: Sequence[Word]) -> bool:
    last = len(wanted) - 1
    return all(
        mine.text == other.text and (index == last or other.ends or not mine.ends)
        for index, (mine, other) in enumerate(zip(here, wanted, strict=True))
    )


def loose_forms(token: str) -> tuple[str, ...]:
    """What a token may be meant as, folded loosely, as far as it says anything when two texts share it.

    A word is no identifier for the full stop behind it: else two sentences that end alike would share one.
    """
    if not is_identifier(token.lstrip(_LEADING).rstrip(_TRAILING)):
        return ()
    return tuple(form for form in dict.fromkeys(map(loose, peeled(token))) if telling(form))


def telling(form: str) -> bool:
    """Whether a token shared by two texts says anything: an identifier, a number from four digits on."""
    if not is_identifier(form):
        return False
    return number_of(form) is None or sum(character.isdigit() for character in form) >= FEWEST_DIGITS
