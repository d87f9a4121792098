"""Text results that hold JSON or YAML, read as values. The only door of the runtime to a YAML parser.

Whatever is not plainly one or the other stays text: duplicate keys, aliases, tags and over-deep or over-long documents
too, because of them nobody can say which value the agent read.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from policy_engine.base.errors import MisfitError
from policy_engine.semantics.schema.strict_json import parse_json

MAX_YAML_CHARS: Final = 200_000
"""Longer text is not tried as YAML, which is slow to read."""
_MAX_DEPTH: Final = 32
_YAML_HEAD: Final = re.compile(r"\s*(?:---\s*\n\s*)?(?:- +\S|[\w-]+:(?:\s|$))")
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class _NotPlain(Exception):
    """The document is not plain data."""


def values_in(text: str) -> dict[Any, Any] | list[Any] | None:
    """The list or map that a text holds; None where it is just text. Scalars of YAML stay text.

    One `key: value` alone is prose («Note: …»), not YAML.
    """
    head = text.lstrip()[:1]
    try:
        value = parse_json(text) if head in ("{", "[") else _yaml(text)
    except (MisfitError, ValueError, RecursionError, yaml.YAMLError, _NotPlain):
        return None
    return value if isinstance(value, dict | list) and value else None


def _yaml(text: str) -> Any:
    if len(text) > MAX_YAML_CHARS or not _YAML_HEAD.match(text):
        return None
    value = _plain(yaml.compose(text, Loader=_LOADER), set(), 0)
    return None if isinstance(value, dict) and len(value) < 2 else value


def _plain(node: Any, seen: set[int], depth: int) -> Any:
    if depth > _MAX_DEPTH or id(node) in seen or node is None:
        raise _NotPlain
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        return None if node.style is None and node.value in ("", "~", "null") else node.value
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, seen, depth + 1) for item in node.value]
    pairs = [(_plain(key, seen, depth + 1), _plain(item, seen, depth + 1)) for key, item in node.value]
    if any(not isinstance(key, str) for key, _ in pairs):
        raise _NotPlain
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NotPlain
    return found
