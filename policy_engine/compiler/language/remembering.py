"""Items that were parsed before are not parsed again: kept by their text, and moved to where the text stands now.

Called by `parser.py`. A process that loads a policy again after one rule was changed parses that rule. Only items that
parsed without any finding are kept, so whoever reads a fault sees it each time. They are kept packed, as a few bytes a
node, because most are never asked for again.
"""

from __future__ import annotations

import marshal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from hashlib import blake2b
from types import ModuleType
from typing import Any, Final
from zlib import compress, decompress

from policy_engine.base import values
from policy_engine.base.source import Source, Span
from policy_engine.semantics.ast import expressions, policy

MAX_KEPT_CHARS: Final = 8_000_000
"""Characters of items that are kept; beyond them everything is forgotten and begun anew."""
_MODULES: Final[tuple[ModuleType, ...]] = (expressions, policy)
_new: Final = object.__new__
_put: Final = object.__setattr__


def _fields() -> dict[type, tuple[str, ...]]:
    return {
        found: tuple(field.name for field in fields(found))
        for module in _MODULES
        for found in vars(module).values()
        if isinstance(found, type) and is_dataclass(found) and found.__module__ == module.__name__
    }


_FIELDS: Final = _fields()
_KINDS: Final = tuple(_FIELDS.items())
_NUMBERS: Final = {kind: number for number, kind in enumerate(_FIELDS)}
_SPANS: Final = frozenset(("span", "keyword_span"))
"""The fields that hold spans; no others do (`test_remembered_items`)."""
_PARTS: Final = frozenset((list, tuple))
_LONGEST: Final = 1 << 16
"""Characters: a span's start and length are kept as one number, and an item with a longer one is not kept."""
_ATOMS: Final = frozenset((type(None), bool, int, float, str, bytes, *(
    found for found in vars(values).values() if isinstance(found, type)
)))  # fmt: skip


def _packed(node: Any, by: int) -> Any:
    """A tree as what `marshal` writes: a node as a tuple that begins with its kind, a tuple as a list, spans as numbers."""
    kind = node.__class__
    if kind in _ATOMS:
        return node
    if kind is tuple:
        return [_packed(part, by) for part in node]
    made = [_NUMBERS[kind]]
    for name in _FIELDS[kind]:
        part = getattr(node, name)
        made.append(_place(part, by) if part.__class__ is Span else _packed(part, by))
    return tuple(made)


def _place(span: Span, by: int) -> int:
    start, length = span.start - by, span.end - span.start
    if start < 0 or length >= _LONGEST:
        raise ValueError("a span that is too long, or of another text")
    return start * _LONGEST + length


def _unpacked(packed: Any, source: Source, by: int) -> Any:
    kind = packed.__class__
    if kind is list:
        return tuple([_unpacked(part, source, by) for part in packed])
    if kind is not tuple:
        return packed
    made_of, names = _KINDS[packed[0]]
    made = _new(made_of)
    for place, name in enumerate(names, 1):
        part = packed[place]
        if name in _SPANS:
            start = by + part // _LONGEST
            part = Span(source, start, start + part % _LONGEST)
        elif part.__class__ in _PARTS:
            part = _unpacked(part, source, by)
        _put(made, name, part)
    return made


@dataclass(frozen=True)
class Carried:
    """Packed trees from one compilation to the next, by the digests of their keys: those there were, and those there are."""

    before: Mapping[bytes, bytes]
    after: dict[bytes, bytes]


class Remembered:
    """Trees by their text. `key` = texts, the last one alone with NULs: all that a tree depends on beside its place."""

    def __init__(self) -> None:
        self._kept: dict[bytes, bytes] = {}
        self._chars = 0

    def recall(self, key: Sequence[str], span: Span, carried: Carried | None = None) -> Any | None:
        """The tree of a text that was parsed before, here or where `carried` comes from, as it stands at `span`."""
        name = _digest(key)
        kept = self._kept.get(name)
        if carried is not None:
            kept = kept or carried.before.get(name)
            if kept is not None:
                carried.after[name] = kept
        return None if kept is None else _unpacked(marshal.loads(decompress(kept)), span.source, span.start)

    def keep(self, key: Sequence[str], node: Any, span: Span, carried: Carried | None = None) -> None:
        """Remember a tree that was parsed at `span` without a finding. What cannot be moved is not kept."""
        self._chars += span.end - span.start
        if self._chars > MAX_KEPT_CHARS:
            self._kept, self._chars = {}, span.end - span.start
        try:
            name, kept = _digest(key), compress(marshal.dumps(_packed(node, span.start)), 1)
        except (KeyError, ValueError):  # a kind of node that nobody listed, a literal that `marshal` does not know
            return
        self._kept[name] = kept
        if carried is not None:
            carried.after[name] = kept


def _digest(key: Sequence[str]) -> bytes:
    """Stands for the texts: they are many times longer, and would be all that holds on to what they were cut from."""
    return blake2b("\0".join(key).encode("utf-8", "surrogatepass"), digest_size=16).digest()
