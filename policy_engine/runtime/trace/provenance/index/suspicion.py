"""What texts of one kind share with a value: five consecutive words, an identifier, or a short text as a whole.

Asked by kind of leaf (same labels, same vouching), so that a question ends at the first thing in common and not at the
last text that has it. Words are compared loosely here (`text.loose`), rows of five by a 64-bit hash: a match adds
labels. Called by `places` and `words`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import chain, compress, count, repeat
from operator import is_not, not_

from policy_engine.runtime.trace.provenance.index.lexicon import Lexicon
from policy_engine.runtime.trace.provenance.tokens import SHARED_WORDS


class Suspect:
    """A value taken apart for comparison, once for all kinds."""

    def __init__(self, value: str, lexicon: Lexicon) -> None:
        tokens = value.split()
        self.words = lexicon.loose_of(tokens)
        # Plain words have no identifier in them; put aside first, because most tokens are such.
        marked = [token for token in tokens if not token.isalpha()]
        if not value.isascii():
            marked = tokens
        self.identifiers = lexicon.alike_of(marked)

    @cached_property
    def runs(self) -> list[int]:
        """Each row of five words."""
        words = self.words
        return list(map(hash, zip(words, words[1:], words[2:], words[3:], words[4:], strict=False)))


class Suspicions:
    """What the texts of each kind (a number) hold, each thing with the number of the entry that brought it first."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._identifiers: list[dict[str, int]] = []
        self._short: list[dict[tuple[str, ...], int]] = []
        self._short_heads: list[set[str]] = []
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
        start = 0
        for end in compress(count(), map(not_, words)):
            size = end - start
            if size >= SHARED_WORDS:
                within[start : end - SHARED_WORDS + 1] = b"\1" * (size - SHARED_WORDS + 1)
            elif size:
                self._short[kind].setdefault(tuple(words[start:end]), number)
                self._short_heads[kind].add(words[start])
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

    def sharing_much(self, suspect: Suspect, length: int) -> set[int]:
        """The kinds of which a text of the moment shares five consecutive words or an identifier with the value."""
        found: set[int] = set()
        if suspect.identifiers:
            for kind, held in enumerate(self._identifiers):
                if any(held.get(form, length) < length for form in suspect.identifiers):
                    found.add(kind)
        if len(found) < len(self._short) and not self._runs.keys().isdisjoint(suspect.runs):
            firsts = filter(None, map(self._runs.get, suspect.runs))
            found.update(kind for kind, number in firsts if number < length)
            for kind, later in self._later.items():
                if any(later.get(run, length) < length for run in suspect.runs):
                    found.add(kind)
        return found

    def held_whole(self, suspect: Suspect, length: int) -> set[int]:
        """The kinds of which a text of the moment, of less than five words, stands in the value as a whole."""
        words = suspect.words
        return {
            kind for kind, heads in enumerate(self._short_heads)
            if heads and not heads.isdisjoint(words) and self._holds(kind, words, length)
        }  # fmt: skip

    def _holds(self, kind: int, words: list[str], length: int) -> bool:
        short, heads = self._short[kind], self._short_heads[kind]
        return any(
            short.get(tuple(words[place : place + size]), length) < length
            for place, word in enumerate(words) if word in heads
            for size in range(1, min(SHARED_WORDS, len(words) - place + 1))
        )  # fmt: skip
