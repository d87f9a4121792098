"""Items that were parsed before are not parsed again: kept by their text, and moved to where the text stands now.

Called by `parser.py`. A process that loads a policy again after one rule was changed parses that rule. Only items that
parsed without any finding are kept, so whoever reads a fault sees it each time.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import Any, Final, TypeVar

from policy_engine.base import values
from policy_engine.base.source import Source, Span
from policy_engine.semantics.ast import expressions, policy

MAX_KEPT_CHARS: Final = 8_000_000
"""Characters of items that are kept; beyond them everything is forgotten and begun anew."""
_MODULES: Final[tuple[ModuleType, ...]] = (expressions, policy)
_NOWHERE: Final = Source("<kept>", "")
_new: Final = object.__new__
_put: Final = object.__setattr__
Node = TypeVar("Node")


def _fields() -> dict[type, tuple[str, ...]]:
    return {
        found: tuple(field.name for field in fields(found))
        for module in _MODULES
        for found in vars(module).values()
        if isinstance(found, type) and is_dataclass(found) and found.__module__ == module.__name__
    }


_FIELDS: Final = _fields()
_ATOMS: Final = frozenset((type(None), bool, int, float, str, bytes, *(
    found for found in vars(values).values() if isinstance(found, type)
)))  # fmt: skip


def moved(node: Node, source: Source, by: int) -> Node:
    """A copy of a tree (or a part of one) whose spans stand in `source`, `by` characters further on."""
    made: Node = _moved(node, source, by)
    return made


def _moved(node: Any, source: Source, by: int) -> Any:
    kind = node.__class__
    if kind is Span:
        return Span(source, node.start + by, node.end + by)
    if kind in _ATOMS:
        return node
    if kind is tuple:
        return tuple([_moved(part, source, by) for part in node]) if node else node
    made = _new(kind)
    for name in _FIELDS[kind]:
        _put(made, name, _moved(getattr(node, name), source, by))
    return made


class Remembered:
    """Trees by their text. `key` holds all that the tree depends on beside its place."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Any, ...], Any] = {}
        self._chars = 0

    def recall(self, key: tuple[Any, ...], span: Span) -> Any | None:
        """The tree of a text that was parsed before, as it stands at `span`."""
        kept = self._kept.get(key)
        return None if kept is None else _moved(kept, span.source, span.start)

    def keep(self, key: tuple[Any, ...], node: Any, span: Span) -> None:
        """Remember a tree that was parsed at `span` without a finding. What cannot be moved is not kept."""
        self._chars += span.end - span.start
        if self._chars > MAX_KEPT_CHARS:
            self._kept, self._chars = {}, span.end - span.start
        try:
            self._kept[key] = _moved(node, _NOWHERE, -span.start)
        except KeyError:  # a kind of node that nobody listed
            return
