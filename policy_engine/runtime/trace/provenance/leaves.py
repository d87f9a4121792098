"""The parts of an input, a result or an error that values are compared with: one leaf a number, text or truth value.

Text that holds JSON or YAML is read as the values it holds. Each leaf knows where it stands and which labels rules put
there. Used by all words but `said` and `coverage`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from policy_engine.runtime.trace.provenance.structured import values_in
from policy_engine.runtime.trace.provenance.text import is_identifier
from policy_engine.runtime.trace.provenance.tokens import Text

MAX_SEEN_LEAVES: Final = 1_000_000
"""Leaves of a run that are remembered; beyond it every question about where a value came from is an error."""
_NONE: Final[frozenset[str]] = frozenset()
_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class LabelAt(NamedTuple):
    """A label that a rule put on the part at `path` (`result.items[2].subject`), or took off."""

    label: str
    path: str
    add: bool


class Leaf:
    """One value that was seen. `source` is `user`, `input`, `result` or `error`; `call` the id of the call.

    `labels` were put on it or on what holds it; `cleared` were declassified there and not put on again. `number`
    counts the leaves of one record. Never changed.
    """

    __slots__ = ("_text", "call", "cleared", "labels", "number", "path", "source", "tool", "value")

    def __init__(
        self, value: Any, source: str, tool: str, path: str, call: str, labels: frozenset[str], cleared: frozenset[str],
        number: int,
    ) -> None:  # fmt: skip
        self.value = value
        self.source = source
        self.tool = tool
        self.path = path
        self.call = call
        self.labels = labels
        self.cleared = cleared
        self.number = number
        self._text: Text | None = None

    @property
    def origin(self) -> dict[str, Any]:
        """The record that `origins` gives."""
        return {"source": self.source, "tool": self.tool, "path": self.path, "call": self.call}

    @property
    def text(self) -> Text | None:
        """What it says, if it is text; the scan's, which keeps what it took apart."""
        if self._text is None and isinstance(self.value, str):
            self._text = Text(self.value)
        return self._text


def leaves_of(
    value: Any,
    path: str,
    source: str,
    tool: str,
    call: str,
    marks: Sequence[LabelAt],
    *,
    structured: bool = True,
) -> Iterator[Leaf]:
    """Every leaf of `value`, in order. With `structured`, a text result that holds values is read as these."""
    for number, (at, plain, item) in enumerate(_walk(opened(value) if structured else value, path, path)):
        if not marks:
            yield Leaf(item, source, tool, at, call, _NONE, _NONE, number)
            continue
        here = [mark for mark in marks if covers(mark.path, at) or covers(mark.path, plain)]
        labels = frozenset(mark.label for mark in here if mark.add)
        cleared = frozenset(mark.label for mark in here if not mark.add) - labels
        yield Leaf(item, source, tool, at, call, labels, cleared, number)


def _walk(value: Any, path: str, plain: str) -> Iterator[tuple[str, str, Any]]:
    """Path, the same with keys unquoted, and value of each leaf. An odd key is quoted: it must not pass for a path."""
    if isinstance(value, dict):
        for key, item in value.items():
            written, is_data = step(str(key))
            inside, bare = path + written, f"{plain}.{key}"
            if is_data and isinstance(key, str):
                yield inside, bare, key
            if isinstance(item, dict | list):
                yield from _walk(item, inside, bare)
            elif item is not None:
                yield inside, bare, item
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, f"{path}[{index}]", f"{plain}[{index}]")
    elif value is not None:
        yield path, plain, value


@lru_cache(maxsize=4_096)
def step(key: str) -> tuple[str, bool]:
    """How a path goes on with a key, and whether the key is itself data."""
    return (f".{key}" if _FIELD.fullmatch(key) else f"[{json.dumps(key)}]"), _is_data(key)


def opened(value: Any) -> Any:
    """A text result as the values it holds: the whole result, or each text of an MCP one.

    Text deeper inside stays text, because anybody may have written it.
    """
    if isinstance(value, str):
        held = values_in(value)
        return value if held is None else held
    if isinstance(value, dict) and isinstance(value.get("content"), list):
        return {**value, "content": [_opened_block(block) for block in value["content"]]}
    return value


def _opened_block(block: Any) -> Any:
    if isinstance(block, dict) and block.get("type") == "text" and isinstance(block.get("text"), str):
        return {**block, "text": opened(block["text"])}
    return block


def _is_data(key: str) -> bool:
    """Whether a key is itself something a tool said, and not the name of a field."""
    return " " in key or (is_identifier(key) and not key.replace("_", "").isalpha())


def covers(marked: str, path: str) -> bool:
    """Whether what stands at `path` is the marked part or in it."""
    return path == marked or (path.startswith(marked) and path[len(marked)] in ".[")
