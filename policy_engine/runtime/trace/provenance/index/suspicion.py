"""What texts of one kind share with a value: five consecutive words, an identifier, or a short text as a whole.

One for each kind of leaf (same labels, same vouching), so that a question ends at the first thing in common and not at
the last text that has it. Words are compared loosely here (`text.loose`), rows of five by a 64-bit hash: a match adds
labels. Called by `places` and `words`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from policy_engine.runtime.trace.provenance.index.facts import FactBook
from policy_engine.runtime.trace.provenance.text import ASCII_MARK, loose
from policy_engine.runtime.trace.provenance.tokens import LOOSE_WORD, SHARED_WORDS


class Suspect:
    """A value taken apart for comparison, once for all kinds."""

    def __init__(self, value: str, book: FactBook) -> None:
        self.words: list[str] = LOOSE_WORD.findall(loose(value))
        self.runs = list(_runs(self.words))
        # Plain words have no identifier in them; looked at first, because most tokens are such.
        marked = [
            token for token in value.split()
            if not token.isascii() or not (token.isalpha() or ASCII_MARK.search(token) is None)
        ]  # fmt: skip
        self.identifiers = [form for token in marked for form in book.of(token).loose]


class Suspicion:
    """What the texts of one kind hold, each thing with the number of the entry that brought it first."""

    def __init__(self) -> None:
        self._identifiers: dict[str, int] = {}
        self._runs: dict[int, int] = {}
        self._short: dict[tuple[str, ...], int] = {}
        self._short_heads: set[str] = set()

    def add(self, text: str, loose_identifiers: Sequence[str], number: int) -> None:
        """Note a text that came with entry `number`, which is never lower than the one before."""
        for form in loose_identifiers:
            self._identifiers.setdefault(form, number)
        words: list[str] = LOOSE_WORD.findall(loose(text))
        if len(words) >= SHARED_WORDS:
            keep = self._runs.setdefault
            for run in _runs(words):
                keep(run, number)
        elif words:
            self._short.setdefault(tuple(words), number)
            self._short_heads.add(words[0])

    def shares_much(self, suspect: Suspect, length: int) -> bool:
        """Whether a text of the moment shares five consecutive words or an identifier with the value."""
        held = self._identifiers
        if held and any(held.get(form, length) < length for form in suspect.identifiers):
            return True
        runs = self._runs
        if not runs or not any(map(runs.__contains__, suspect.runs)):
            return False
        return any(runs.get(run, length) < length for run in suspect.runs)

    def is_held(self, suspect: Suspect, length: int) -> bool:
        """Whether a text of the moment, of less than five words, stands in the value as a whole."""
        words, heads = suspect.words, self._short_heads
        if not heads or heads.isdisjoint(words):
            return False
        return any(
            self._short.get(tuple(words[place : place + size]), length) < length
            for place, word in enumerate(words) if word in heads
            for size in range(1, min(SHARED_WORDS, len(words) - place + 1))
        )  # fmt: skip


def _runs(words: list[str]) -> Iterator[int]:
    """The hash of each row of five."""
    return map(hash, zip(words, words[1:], words[2:], words[3:], words[4:], strict=False))
