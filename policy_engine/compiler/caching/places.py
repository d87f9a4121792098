"""Where the items of a policy stand: stored spans are told from the beginning of their item, so that items can move.

Called by `artifact.py`. A place has a number in one store, and a name (a digest of the item's text and its file) by
which the same item is found in another.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from policy_engine.base.source import NOWHERE, Source, Span
from policy_engine.compiler.analysis.keys import digest
from policy_engine.semantics.ast.policy import PolicyFile


class Place(NamedTuple):
    """The stretch of source `source` from `begin` to before `end`, by its number; `lasting` = it has a name."""

    number: int
    begin: int
    end: int
    lasting: bool


class Places:
    """The items of policy files, and whatever other texts spans speak of; those have no names, but for nowhere."""

    def __init__(self, files: Iterable[tuple[Source, PolicyFile]] = ()) -> None:
        self.sources: list[Source] = []
        self.names: list[bytes] = []
        self.source_of = array("I")
        self.begins = array("Q")
        self._rows: dict[int, tuple[list[int], list[Place]]] = {}
        self._numbers: dict[bytes, int] = {}
        for source, tree in files:
            texts = {item.span.start: item.span.text for item in (tree.header, *tree.items)}
            self._add(source, {0: "", **texts}, lasting=True)

    def at(self, source: Source, offset: int) -> Place:
        """The place around an offset."""
        rows = self._rows.get(id(source))
        if rows is None:
            rows = self._add(source, {0: ""}, lasting=source is NOWHERE.source)
        begins, places = rows
        return places[bisect_right(begins, offset) - 1]

    def named(self, name: bytes) -> int | None:
        """The number of the place of that name."""
        return self._numbers.get(name)

    def _add(self, source: Source, texts: dict[int, str], *, lasting: bool) -> tuple[list[int], list[Place]]:
        begins = sorted(texts)
        ends = [*begins[1:], len(source.text) + 1]
        places = []
        for begin, end in zip(begins, ends, strict=True):
            name = digest((source.name, texts[begin]))
            places.append(Place(len(self.names), begin, end, lasting))
            if lasting:
                self._numbers.setdefault(name, len(self.names))
            self.names.append(name)
            self.source_of.append(len(self.sources))
            self.begins.append(begin)
        self.sources.append(source)
        self._rows[id(source)] = begins, places
        return begins, places


class Anchors:
    """The places that one piece speaks of, numbered within it. `lasting` = each can be found again in another store."""

    def __init__(self, places: Places) -> None:
        self.numbers: dict[int, int] = {}
        self.lasting = True
        self._places = places
        self._source: Source | None = None
        self._last = Place(0, 0, 0, True)
        self._local = 0

    def around(self, span: Span) -> tuple[int, int]:
        """The item around a span: its number in this piece, and where it begins."""
        last = self._last
        if span.source is not self._source or not last.begin <= span.start < last.end:
            last = self._last = self._places.at(span.source, span.start)
            self._source = span.source
            self.lasting &= last.lasting
            self._local = self.numbers.setdefault(last.number, len(self.numbers))
        return self._local, last.begin
