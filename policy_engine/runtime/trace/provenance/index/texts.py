"""Which of many texts hold a token, a number, a day, a row of words: noted once a text, looked up by what is asked.

A text that comes again costs one look-up. Rows of words are found by the rarest pair of neighbours in them, then
compared word for word. What stands behind a frequent word is sorted when somebody first asks, and once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from itertools import chain, count
from operator import contains
from typing import Final, TypeAlias, TypeVar

from policy_engine.base.errors import EvaluationError
from policy_engine.runtime.trace.provenance.dates import DIGITS, Date, dates_of_long
from policy_engine.runtime.trace.provenance.index.apart import END
from policy_engine.runtime.trace.provenance.index.lexicon import BREAK, GAP, Lexicon
from policy_engine.runtime.trace.provenance.text import ASCII_IDENTIFIER

MAX_INDEXED_CHARS: Final = 16_000_000
"""Characters of different texts that a run remembers; beyond it every question about provenance is an error."""
_FEW: Final = 32
"""The places of a word that are gone through; of more, those with a certain neighbour are kept."""
_BEGINNING: Final = 8
_IDENTIFIER: Final = ASCII_IDENTIFIER.fullmatch
_exhausted: Final[Callable[[Iterable[object]], object]] = partial(deque, maxlen=0)
"""Goes through an iterable for what it does."""
_Key = TypeVar("_Key", bound=Hashable)

Numbers: TypeAlias = int | Sequence[int]
"""One number, or several in rising order."""
_Held: TypeAlias = int | list[int]


class TextIndex:
    """Texts by number, in the order they were added. `marked` are the tokens of each that hold identifiers."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.known: dict[str, int] = {}
        self.texts: list[str] = []
        self.marked: list[Collection[str]] = []
        self._lexicon = lexicon
        self._forms = lexicon.forms
        self._chars = 0
        self._tokens: dict[str, _Held] = {}
        self._days: dict[Date, _Held] = {}
        self._stream: list[str] = []
        self._ends: list[int] = []
        self._places: defaultdict[str, list[int]] = defaultdict(list, {BREAK: self._ends})
        self._behind: dict[str, tuple[list[int], dict[str, list[int]]]] = {}

    # ------------------------------------------------------------------ noting
    def add(self, texts: Sequence[str]) -> list[str]:
        """Note texts that are not `known`, all different; gives the tokens of all, `GAP` behind each text.

        Raises `EvaluationError` when there is too much text.
        """
        self._chars += sum(map(len, texts))
        if self._chars > MAX_INDEXED_CHARS:
            raise EvaluationError("too_costly", f"the run holds more than {MAX_INDEXED_CHARS} characters of text")
        apart = [text.split() for text in texts]
        tokens: list[str] = []
        for its in apart:
            tokens += its
            tokens.append(GAP)
        lexicon = self._lexicon
        lexicon.learn(tokens)
        words = list(chain.from_iterable(map(lexicon.words.__getitem__, tokens)))
        _exhausted(map(list.append, map(self._places.__getitem__, words), count(len(self._stream))))
        self._stream += words
        self._note_tokens(apart)
        if not lexicon.dated.keys().isdisjoint(tokens):
            for number, text, its in zip(count(len(self.texts)), texts, apart, strict=False):
                self._note_days(number, text, its)
        self.known.update(zip(texts, count(len(self.texts)), strict=False))
        self.texts += texts
        return tokens

    def _note_tokens(self, apart: list[list[str]]) -> None:
        postings, holds = self._tokens, self._lexicon.alike.__contains__
        for number, its in enumerate(apart, len(self.texts)):
            marked = list(filter(holds, its))
            for token in marked:
                if (before := postings.setdefault(token, number)) is not number:
                    note(postings, token, before, number)
            self.marked.append(marked or ())

    def _note_days(self, number: int, text: str, tokens: list[str]) -> None:
        around = self._lexicon.dated.keys() & tokens
        if around:
            begun = set(chain.from_iterable(map(self._lexicon.dated.__getitem__, around)))
            for day in set(dates_of_long(text, begun)):
                if (before := self._days.setdefault(day, number)) is not number:
                    note(self._days, day, before, number)

    # ------------------------------------------------------------------ looking up: exact
    def with_plain_identifier(self, value: str) -> Numbers | None:
        """The texts with a value, not empty, that is plainly an identifier; None for any other, which may be one too.

        Plainly is what needs no look at what stands around it: ASCII, and no digits with marks, which might be a date.
        """
        if not value.isascii():
            return None
        numbers = self._tokens.get(value)
        if value[0] in DIGITS:
            if not value.isalnum():
                return None
        elif numbers is None and _IDENTIFIER(value) is None:
            return None
        if value in self._forms:
            return self.with_identifier(value)
        return () if numbers is None else numbers

    def with_identifier(self, bare: str) -> Sequence[int]:
        """The texts with this token, character for character."""
        if bare in self._forms:
            others = self._forms[bare]
            return self._with_any([bare, others] if isinstance(others, str) else [bare, *others])
        numbers = self._tokens.get(bare, ())
        return (numbers,) if isinstance(numbers, int) else numbers

    def with_number(self, value: Decimal) -> Sequence[int]:
        """The texts in which this number stands as a token."""
        return self._with_any(self._lexicon.numbers.get(value))

    def _with_any(self, tokens: str | list[str] | None) -> Sequence[int]:
        if tokens is None:
            return ()
        if isinstance(tokens, str):
            return listed(self._tokens.get(tokens))
        return sorted({number for token in tokens for number in listed(self._tokens.get(token))})

    def with_word(self, word: str) -> Sequence[int]:
        """The texts with this folded word."""
        return self._texts_at(self._of_any((word, word + END)))

    def _of_any(self, words: Sequence[str]) -> list[int]:
        """The places of a word in any of its writings, in rising order. Not to be changed."""
        found = [places for word in words if (places := self._places.get(word)) is not None]
        return found[0] if len(found) == 1 else sorted(chain.from_iterable(found))

    def _texts_at(self, places: Sequence[int]) -> list[int]:
        """The texts in which places lie, given in rising order."""
        found: list[int] = []
        ends, at = self._ends, 0
        while at < len(places):
            number = bisect_left(ends, places[at])
            found.append(number)
            at = bisect_left(places, ends[number], at + 1)
        return found

    def with_day(self, day: Date, *, exactly: bool) -> Sequence[int]:
        """The texts that name this day, its year perhaps left out; without `exactly` the day of the month too."""
        if not self._days:
            return ()
        named = [day, Date(None, day.month, day.day)]
        if not exactly:
            named += [Date(day.year, day.month, None), Date(None, day.month, None)]
        found = [number for one in named for number in listed(self._days.get(one))]
        return found if len(found) < 2 else sorted(set(found))

    def with_words(self, value: str) -> Sequence[int]:
        """The texts in which the words of `value` stand one after another."""
        wanted: list[Sequence[str]] = []
        rarest: list[int] | None = None
        offset = 0
        for word in self._lexicon.words_of(_tokens_of(value)):
            # What ends a sentence in the value may stand inside one; the other way round only as the last word.
            here = (word, word[:-1]) if word[-1] == END else (word, word + END)
            if wanted:
                if wanted[-1][0][-1] != END:
                    wanted[-1] = wanted[-1][:1]
                places = self._with_pair(wanted[-1], here)
                if not places:
                    return ()
                if rarest is None or len(places) < len(rarest):
                    rarest, offset = places, len(wanted) - 1
            wanted.append(here)
        if rarest is None:
            return self._texts_at(self._of_any(wanted[0])) if wanted else ()
        stream, size = self._stream, len(wanted)
        starts = sorted(place - offset for place in rarest)
        # A break is no word, so that no row crosses it.
        return self._texts_at(
            [place for place in starts if place >= 0 and all(map(contains, wanted, stream[place : place + size]))]
        )

    def _with_pair(self, first: Sequence[str], second: Sequence[str]) -> list[int]:
        """The places of one word with the other behind it."""
        stream = self._stream
        found: list[int] = []
        for word in first:
            places = self._places.get(word)
            if places is None:
                continue
            if len(places) <= _FEW:
                found += [place for place in places if stream[place + 1] in second]
            else:
                behind = self._sorted_behind(word, places)
                for other in second:
                    found += behind.get(other, ())
        return found

    def _sorted_behind(self, word: str, places: list[int]) -> dict[str, list[int]]:
        """The places of a word by what stands behind it. Those that came since the last time are put in now."""
        count, behind = self._behind.setdefault(word, ([0], {}))
        stream = self._stream
        for place in places[count[0] :] if count[0] < len(places) else ():
            behind.setdefault(stream[place + 1], []).append(place)
        count[0] = len(places)
        return behind


def _tokens_of(value: str) -> Iterator[str]:
    """The tokens of a value: few at first, because most long values are told from all texts by their beginning."""
    first = value.split(None, _BEGINNING)
    yield from first[:_BEGINNING]
    for rest in first[_BEGINNING:]:
        yield from rest.split()


def note(postings: dict[_Key, _Held], key: _Key, held: _Held, number: int) -> None:
    """Add a number to those that a key holds already."""
    if isinstance(held, list):
        if held[-1] != number:
            held.append(number)
    elif held != number:
        postings[key] = [held, number]


def listed(numbers: _Held | None) -> Sequence[int]:
    """The numbers of a key as a sequence."""
    if numbers is None:
        return ()
    return numbers if isinstance(numbers, list) else (numbers,)
