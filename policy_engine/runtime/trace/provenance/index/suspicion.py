"""What texts of one kind share with a value: five consecutive words, an identifier, or a short text as a whole.

Asked by kind of leaf (same labels, same vouching), so that a question ends at the first thing in common and not at the
last text that has it. Words are compared loosely here (`text.loose`), rows of five by a 64-bit hash: a match adds
labels. Called by `places` and `words`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, compress, count, repeat
from operator import is_not, not_
from typing import Final

from policy_engine.runtime.trace.provenance.index.lexicon import Lexicon
from policy_engine.runtime.trace.provenance.text import ASCII_CONTROL, ASCII_MARK
from policy_engine.runtime.trace.provenance.tokens import LOOSE_WORD, SHARED_WORDS

_LOOSE: Final = bytes(
    ord(chr(code).lower()) if code < 128 and LOOSE_WORD.match(chr(code)) else 32 for code in range(256)
)
"""Of ASCII: the characters of words in small letters, spaces for all others; so split, it is what `LOOSE_WORD` finds."""
_NOT_PLAIN: Final = re.compile(r"(?:[A-Za-z]++[.,;:!?]?+\s++)*+(\S*)\s*").findall
"""Of ASCII: the tokens that are more than a word and a mark, and empty ones; in linear time, as nothing is given back."""
_UNSEEN: Final = bytes(code for code in range(128) if ASCII_CONTROL.match(chr(code)))
_NO_MARKS: Final = bytes(code for code in range(256) if code > 127 or not ASCII_MARK.match(chr(code)))


class Suspicions:
    """What the texts of each kind (a number) hold, each thing with the number of the entry that brought it first."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._identifiers: list[dict[str, int]] = []
        self._short: list[dict[tuple[str, ...], int]] = []
        self._short_heads: list[set[str]] = []
        self._heads: set[str] = set()
        self._runs: dict[int, tuple[int, int]] = {}
        self._later: dict[int, dict[int, int]] = {}

    def add_kind(self) -> None:
        """There is one kind more."""
        self._identifiers.append({})
        self._short.append({})
        self._short_heads.append(set())

    def add(self, tokens: Iterable[str], marked: Iterable[str], kind: int, number: int) -> None:
        """Note texts by their tokens, which the lexicon knows, `GAP` behind each text; `marked` hold identifiers.

        They came with entry `number`, which is never lower than the one before.
        """
        alike, keep = self._lexicon.alike, self._identifiers[kind].setdefault
        for token in marked:
            for form in alike[token]:
                keep(form, number)
        words = list(chain.from_iterable(map(self._lexicon.loose.__getitem__, tokens)))
        within = bytearray(len(words))  # where a row of five begins that no break crosses
        short, heads = self._short[kind], self._short_heads[kind]
        start = 0
        for end in compress(count(), map(not_, words)):
            size = end - start
            if size >= SHARED_WORDS:
                within[start : end - SHARED_WORDS + 1] = b"\1" * (size - SHARED_WORDS + 1)
            elif size:
                short.setdefault(tuple(words[start:end]), number)
                heads.add(words[start])
                self._heads.add(words[start])
            start = end + 1
        rows = zip(words, words[1:], words[2:], words[3:], words[4:], strict=False)
        self._add_runs(map(hash, compress(rows, within)), len(words), (kind, number))

    def _add_runs(self, rows: Iterable[int], most: int, came: tuple[int, int]) -> None:
        held = self._runs
        again: Iterable[tuple[int, tuple[int, int]]]
        if len(held) > most:
            runs = list(rows)
            before = list(map(held.setdefault, runs, repeat(came)))
            again = compress(zip(runs, before, strict=True), map(is_not, before, repeat(came)))
        else:  # the same, sooner
            self._runs = dict.fromkeys(rows, came)
            again = ((run, held[run]) for run in self._runs.keys() & held.keys())
        for run, (kind, _) in again:
            if kind != came[0]:
                self._later.setdefault(came[0], {}).setdefault(run, came[1])
        if held is not self._runs:
            self._runs.update(held)

    def shared(self, value: str, length: int) -> tuple[set[int], set[int]]:
        """The kinds of which a text of the moment has much in common with a value, and those of which one has little.

        Much are five consecutive words or an identifier; little is a whole text of less than five words.
        """
        words, forms = words_and_identifiers(value, self._lexicon)
        much = set(self._sharing_identifiers(forms, length)) if forms else set()
        if len(much) < len(self._short):
            much.update(self._sharing_runs(words, length))
        little = () if self._heads.isdisjoint(words) else self._held_whole(words, length)
        return much, set(little)

    def _sharing_identifiers(self, forms: list[str], length: int) -> Iterator[int]:
        for kind, held in enumerate(self._identifiers):
            if any(held[form] < length for form in held.keys() & forms):
                yield kind

    def _sharing_runs(self, words: list[str], length: int) -> Iterator[int]:
        rows = zip(words, words[1:], words[2:], words[3:], words[4:], strict=False)
        runs = self._runs.keys() & map(hash, rows)
        if runs:
            yield from (kind for kind, number in set(map(self._runs.__getitem__, runs)) if number < length)
            for kind, later in self._later.items():
                if any(later.get(run, length) < length for run in runs):
                    yield kind

    def _held_whole(self, words: list[str], length: int) -> Iterator[int]:
        for kind, heads in enumerate(self._short_heads):
            if not heads.isdisjoint(words) and self._holds(kind, words, length):
                yield kind

    def _holds(self, kind: int, words: list[str], length: int) -> bool:
        short, heads = self._short[kind], self._short_heads[kind]
        return any(
            short.get(tuple(words[place : place + size]), length) < length
            for place, word in enumerate(words) if word in heads
            for size in range(1, min(SHARED_WORDS, len(words) - place + 1))
        )  # fmt: skip


def words_and_identifiers(value: str, lexicon: Lexicon) -> tuple[list[str], list[str]]:
    """The words and the identifiers of a value, for comparison."""
    if not value.isascii():
        tokens = value.split()
        return lexicon.loose_of(tokens), lexicon.alike_of(tokens)
    written = value.encode("ascii")
    words = written.translate(_LOOSE, _UNSEEN).decode("ascii").split()
    if not written.translate(None, _NO_MARKS):
        return words, []
    return words, lexicon.alike_of(filter(None, _NOT_PLAIN(value)))
