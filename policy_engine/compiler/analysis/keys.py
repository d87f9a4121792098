"""Keys under which a rule or a tool's plan is found again: digests of all that can influence it, but for places.

Texts are taken as they are written: a rule that only moved has its old key, one with another blank has a new one. All
that rules share (declarations, schemas, data, params, the tools there are) is part of every key, so that a change
there forgets everything. The engine and Python are part of what names a cache entry already.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from policy_engine.compiler.analysis.draft import Draft, Layer, LoadedFile
from policy_engine.semantics.ast.policy import Rule

_READS_FILES: Final = "fits"
"""The function whose schemas are read while rules are checked: no key knows what they hold."""


class Keys:
    """Makes the keys of one compilation, once the passes before the rules are done."""

    def __init__(self, draft: Draft) -> None:
        self._shared = _shared(draft)

    def rule(self, layer: Layer, file: LoadedFile, rule: Rule) -> bytes | None:
        """The key of a rule; None where the texts do not tell what it depends on."""
        text = rule.span.text
        if self._shared is None or _READS_FILES in text:
            return None
        return digest((self._shared, str(layer.index), file.source.name, file.name, text))


def plan_key(tool: str, rules: Iterable[tuple[bytes, int]]) -> bytes:
    """The key of a plan: the tool, and the rules about it, each with the group of its subjects that the tool is in."""
    return digest((tool, *(f"{key.hex()} {number}" for key, number in sorted(rules))))


def digest(parts: Iterable[str | bytes]) -> bytes:
    """Stands for these texts, in this order."""
    made = blake2b(digest_size=16)
    for part in parts:
        content = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        made.update(len(content).to_bytes(8, "big") + content)
    return made.digest()


def _shared(draft: Draft) -> bytes | None:
    """Everything that is no rule; None where a declaration reads a schema of its own, or a tool is named like an event."""
    if any(name.startswith("@") for name in draft.tools):
        return None
    parts: list[str | bytes] = [repr(draft.executable)]
    for layer in draft.layers:
        for file in layer.files:
            texts = [file.tree.header.span.text, *(item.span.text for item in file.declarations)]
            if any(_READS_FILES in text for text in texts):
                return None
            parts += (f"{layer.index} {layer.imposed} {len(texts)}", file.source.name, *texts)
    for name, content in draft.material:
        if not name.startswith("policy "):  # the files themselves, rules and all
            parts += (name, content)
    return digest(parts)
