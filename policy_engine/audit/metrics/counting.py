"""Counting by names of which there may be endlessly many (an agent may invent tools), in bounded memory.

Kept are the names whose hashes are smallest: whatever the order in which names come and parts are merged, the same names stay,
each with its exact count, and all others are counted together under `OTHER`.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterator
from typing import Final, Generic, Protocol, Self, TypeVar

MOST_NAMES: Final = 2_000
"""So many names are told apart."""
OTHER: Final = "(other)"
"""The name of all the rest."""


class Mergeable(Protocol):
    """Something that can take in another of its kind."""

    def merge(self, other: Self) -> None:
        """Take in another, which stays as it is."""
        ...


Row = TypeVar("Row", bound=Mergeable)


class Rows(Generic[Row]):
    """Something to count with for each name."""

    def __init__(self, make: Callable[[], Row], most: int = MOST_NAMES) -> None:
        self._make = make
        self._most = most
        self._rows: dict[str, Row] = {}
        self._largest: list[tuple[int, str]] = []  # a heap, the largest hash first
        self._other: Row | None = None
        self._limit: int | None = None  # the smallest hash that ever had to go

    def row(self, name: str) -> Row:
        """What counts for a name; that of all others where too many names came."""
        found = self._rows.get(name)
        if found is not None:
            return found
        place = _hash(name)
        if name == OTHER or (self._limit is not None and place >= self._limit):
            return self._rest()
        row = self._rows[name] = self._make()
        heapq.heappush(self._largest, (-place, name))
        if len(self._rows) <= self._most:
            return row
        gone, name_gone = heapq.heappop(self._largest)
        self._limit = -gone
        self._rest().merge(self._rows.pop(name_gone))
        return self._rest() if name_gone == name else row

    def _rest(self) -> Row:
        if self._other is None:
            self._other = self._make()
        return self._other

    def merge(self, other: Self) -> None:
        """Take in all rows of another."""
        for name, row in other.items():
            self.row(name).merge(row)

    def items(self) -> Iterator[tuple[str, Row]]:
        """Every name with what was counted, by name; the others last."""
        yield from sorted(self._rows.items())
        if self._other is not None:
            yield OTHER, self._other


class Count:
    """A number."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def merge(self, other: Count) -> None:
        """Add another."""
        self.value += other.value


class Tally:
    """How often each name came. `total` counts all of them."""

    def __init__(self, most: int = MOST_NAMES) -> None:
        self._rows = Rows(Count, most)
        self.total = 0

    def add(self, name: str, times: int = 1) -> None:
        """Count a name."""
        self._rows.row(name).value += times
        self.total += times

    def get(self, name: str) -> int:
        """How often a name came."""
        return next((count.value for known, count in self._rows.items() if known == name), 0)

    def merge(self, other: Tally) -> None:
        """Add the counts of another."""
        self._rows.merge(other._rows)
        self.total += other.total

    def result(self) -> dict[str, int]:
        """The counts, the most frequent name first, then by name."""
        counts = [(name, count.value) for name, count in self._rows.items()]
        return dict(sorted(counts, key=lambda pair: (-pair[1], pair[0])))


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest())
