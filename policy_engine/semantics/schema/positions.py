"""Where each part of a JSON text stands, so that a fault in a schema can be shown where it was written.

Built on the first fault or span asked for; the text was parsed (strictly) before.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final

from policy_engine.base.source import Source, Span

_TOKEN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)

Path = tuple[str | int, ...]


class Places:
    """The places of a JSON text. Paths are keys and indices from the root."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def of(self, path: Path) -> Span:
        """The first characters of the value at `path` (all of a scalar), or of the nearest value around it."""
        while path and path not in self._values:
            path = path[:-1]
        start, end = self._values.get(path, (0, min(1, len(self.source.text))))
        return Span(self.source, start, end)

    def key(self, path: Path) -> Span:
        """The key under which the value at `path` stands; the value where it has none."""
        place = self._keys.get(path)
        return self.of(path) if place is None else Span(self.source, *place)

    @property
    def _values(self) -> dict[Path, tuple[int, int]]:
        return self._found[0]

    @property
    def _keys(self) -> dict[Path, tuple[int, int]]:
        return self._found[1]

    @cached_property
    def _found(self) -> tuple[dict[Path, tuple[int, int]], dict[Path, tuple[int, int]]]:
        return _scan(self.source.text)


def _scan(text: str) -> tuple[dict[Path, tuple[int, int]], dict[Path, tuple[int, int]]]:
    """One pass over the tokens with a stack of the open lists and objects."""
    values: dict[Path, tuple[int, int]] = {}
    keys: dict[Path, tuple[int, int]] = {}
    path: list[str | int] = []
    awaiting_key: list[bool] = []
    for match in _TOKEN.finditer(text):
        token, place = match.group(), match.span()
        first = token[0]
        if first in "]}":
            if awaiting_key:
                awaiting_key.pop()
                path.pop()
        elif first == ",":
            if awaiting_key and isinstance(path[-1], int):
                path[-1] += 1
            elif awaiting_key:
                awaiting_key[-1] = True
        elif first == ":":
            continue
        elif awaiting_key and awaiting_key[-1]:
            path[-1] = _unquoted(token)
            awaiting_key[-1] = False
            keys[tuple(path)] = place
        else:
            values.setdefault(tuple(path), place)
            if first in "[{":
                path.append(0 if first == "[" else "")
                awaiting_key.append(first == "{")
    return values, keys


def _unquoted(token: str) -> str:
    """The key that a token writes; keys with escapes are rare and only cost a less exact place."""
    return token[1:-1]
