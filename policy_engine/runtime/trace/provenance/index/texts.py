"""Which of many texts hold a token, a number, a day, a row of words: noted once a text, looked up by what is asked.

A text that comes again costs one look-up. Rows of words are found by the rarest pair of neighbours in them, then
compared word for word.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final, TypeAlias, TypeVar

from policy_engine.base.errors import EvaluationError
from policy_engine.runtime.trace.provenance.dates import Date, dates_of_long
from policy_engine.runtime.trace.provenance.index.facts import FactBook

MAX_INDEXED_CHARS: Final = 16_000_000
"""Characters of different texts that a run remembers; beyond it every question about provenance is an error."""
_Key = TypeVar("_Key")

Numbers: TypeAlias = int | list[int]
"""One number, or several in rising order."""


class TextIndex:
    """Texts by number, in the order they were added. `loose` are the identifiers that each shares loosely."""

    def __init__(self, book: FactBook) -> None:
        self.known: dict[str, int] = {}
        self.texts: list[str] = []
        self.loose: list[tuple[str, ...]] = []
        self._book = book
        self._chars = 0
        self._identifiers: dict[str, Numbers] = {}
        self._numbers: dict[Decimal, Numbers] = {}
        self._days: dict[Date, Numbers] = {}
        self._words: dict[str, Numbers] = {}
        self._stream: list[str] = []
        self._ends: list[bool] = []
        self._starts: list[int] = []
        self._pairs: dict[int, Numbers] = {}

    # ------------------------------------------------------------------ noting
    def add(self, raw: str) -> int:
        """The number of a text, which is noted if it is new; raises `EvaluationError` when there is too much of it."""
        number = self.known.get(raw)
        if number is not None:
            return number
        self._chars += len(raw)
        if self._chars > MAX_INDEXED_CHARS:
            raise EvaluationError("too_costly", f"the run holds more than {MAX_INDEXED_CHARS} characters of text")
        number = len(self.texts)
        self._note_tokens(raw, number)
        for day in set(dates_of_long(raw)):
            note(self._days, day, number)
        self.texts.append(raw)
        self.known[raw] = number
        return number

    def _note_tokens(self, raw: str, number: int) -> None:
        known, facts_of = self._book.known, self._book.of
        words: list[str] = []
        ends: list[bool] = []
        loose: list[str] = []
        for token in raw.split():
            identifiers, numbers, its_words, its_ends, its_loose = known.get(token) or facts_of(token)
            words += its_words
            ends += its_ends
            if identifiers:
                loose += its_loose
                for form in identifiers:
                    note(self._identifiers, form, number)
                for value in numbers:
                    note(self._numbers, value, number)
        self.loose.append(tuple(loose))
        start = len(self._stream)
        self._starts.append(start)
        self._stream += words
        self._ends += ends
        held, pairs = self._words, self._pairs
        for word in set(words):
            if word in held:
                note(held, word, number)
            else:
                held[word] = number
        for place, pair in enumerate(map(hash, pairwise(words)), start):
            if pair in pairs:
                note(pairs, pair, place)
            else:
                pairs[pair] = place

    # ------------------------------------------------------------------ looking up: exact
    def with_identifier(self, bare: str) -> Sequence[int]:
        """The texts with this token, character for character."""
        return listed(self._identifiers.get(bare))

    def with_number(self, value: Decimal) -> Sequence[int]:
        """The texts in which this number stands as a token."""
        return listed(self._numbers.get(value))

    def with_word(self, word: str) -> Sequence[int]:
        """The texts with this folded word."""
        return listed(self._words.get(word))

    def with_day(self, day: Date, *, exactly: bool) -> Sequence[int]:
        """The texts that name this day, its year perhaps left out; without `exactly` the day of the month too."""
        named = [day, Date(None, day.month, day.day)]
        if not exactly:
            named += [Date(day.year, day.month, None), Date(None, day.month, None)]
        found = [number for one in named for number in listed(self._days.get(one))]
        return found if len(found) < 2 else sorted(set(found))

    def with_words(self, value: str) -> Sequence[int]:
        """The texts in which the words of `value` stand one after another."""
        wanted: list[str] = []
        ends: list[bool] = []
        rarest: Numbers | None = None
        offset = 0
        for token in value.split():
            facts = self._book.of(token)
            ends += facts.ends
            for word in facts.words:
                if wanted:
                    places = self._pairs.get(hash((wanted[-1], word)))
                    if places is None:
                        return ()
                    if rarest is None or _count(places) < _count(rarest):
                        rarest, offset = places, len(wanted) - 1
                elif word not in self._words:
                    return ()
                wanted.append(word)
        if rarest is None:
            return self.with_word(wanted[0]) if wanted else ()
        inner = [index for index, end in enumerate(ends[:-1]) if not end]
        return self._standing(wanted, inner, (place - offset for place in listed(rarest)))

    def _standing(self, wanted: list[str], inner: list[int], places: Iterable[int]) -> list[int]:
        """The texts in which the words stand at one of these places, with no sentence ending behind the `inner` ones."""
        size = len(wanted)
        found: list[int] = []
        for place in places:
            if place < 0 or self._stream[place : place + size] != wanted:
                continue
            number = bisect_right(self._starts, place) - 1
            end = self._starts[number + 1] if number + 1 < len(self._starts) else len(self._stream)
            if place + size > end or (found and found[-1] == number):
                continue
            if not any(self._ends[place + index] for index in inner):
                found.append(number)
        return found


def note(postings: dict[_Key, Numbers], key: _Key, number: int) -> None:
    """Add a number to those of a key."""
    held = postings.get(key)
    if held is None:
        postings[key] = number
    elif isinstance(held, list):
        if held[-1] != number:
            held.append(number)
    elif held != number:
        postings[key] = [held, number]


def listed(numbers: Numbers | None) -> Sequence[int]:
    """The numbers of a key as a sequence."""
    if numbers is None:
        return ()
    return numbers if isinstance(numbers, list) else (numbers,)


def _count(numbers: Numbers) -> int:
    return len(numbers) if isinstance(numbers, list) else 1
