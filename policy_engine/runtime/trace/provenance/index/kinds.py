"""The leaves of each different value or text, and the kinds of leaf that it stands in. Called by `places`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

VOUCHES_NOT: Final = -1
"""The kind of leaves that vouch for nothing."""


class Leaves:
    """The leaves of each different value, and their kinds, each with the number of the entry where it came first."""

    __slots__ = ("first", "kind", "more", "rest", "since")

    def __init__(self) -> None:
        self.first: list[int] = []
        self.rest: dict[int, list[int]] = {}
        self.kind: list[int] = []
        self.since: list[int] = []
        self.more: dict[int, dict[int, int]] = {}

    def begin(self, leaves: list[int], kinds: list[int], since: int) -> None:
        """The first leaves of values that are numbered next."""
        self.first += leaves
        self.kind += kinds
        self.since += [since] * len(leaves)

    def add(self, number: int, leaf: int, kind: int, since: int) -> bool:
        """One more leaf of a value; whether it is the first of a kind that vouches."""
        if number == len(self.first):
            self.first.append(leaf)
            self.kind.append(kind)
            self.since.append(since)
            return kind != VOUCHES_NOT
        self.rest.setdefault(number, []).append(leaf)
        held = self.kind[number]
        if kind in (held, VOUCHES_NOT):
            return False
        if held == VOUCHES_NOT:
            self.kind[number], self.since[number] = kind, since
            return True
        more = self.more.setdefault(number, {})
        if kind in more:
            return False
        more[kind] = since
        return True

    def kinds_at(self, numbers: Sequence[int], length: int, found: set[int]) -> None:
        """Add the kinds of the leaves of a moment that these values have."""
        kinds, since, more = self.kind, self.since, self.more
        for number in numbers:
            if since[number] < length:
                found.add(kinds[number])
                if number in more:
                    found.update(kind for kind, first in more[number].items() if first < length)
