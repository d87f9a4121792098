"""Keys under which a rule or a tool's plan is found again: digests of all that can influence it, but for places.

Texts are taken as they are written: a rule that only moved has its old key, one with another blank has a new one. All
that rules share (declarations, schemas, data, params, the tools there are) is part of every key, so that a change
there forgets everything. The engine and Python are part of what names a cache entry already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final

from policy_engine.compiler.analysis.draft import Draft, Layer, LoadedFile
from policy_engine.semantics.ast.policy import Rule

_READS_FILES: Final = "fits"
"""The function whose schemas are read while rules are checked: no key knows what they hold."""


def take_shared(draft: Draft) -> None:
    """Fill `draft.shared`: everything that is no rule. It stays None where a declaration reads a schema of its own, or a
    tool is named like an event."""
    parts: list[str | bytes] = [repr(draft.executable)]
    for layer in draft.layers:
        for file in layer.files:
            texts = [file.tree.header.span.text, *(item.span.text for item in file.declarations)]
            if any(_READS_FILES in text for text in texts):
                return
            parts += (f"{layer.index} {layer.imposed} {len(texts)}", file.source.name, *texts)
    for name, content in draft.material:
        if not name.startswith("policy "):  # the files themselves, rules and all
            parts += (name, content)
    if not any(name.startswith("@") for name in draft.tools):
        draft.shared = digest(parts)


def rule_key(draft: Draft, layer: Layer, file: LoadedFile, rule: Rule) -> bytes | None:
    """The key of a rule; None where the texts do not tell what it depends on."""
    text = rule.span.text
    if draft.shared is None or _READS_FILES in text:
        return None
    return digest((draft.shared, str(layer.index), file.source.name, file.name, text))


def plan_key(draft: Draft, tool: str, rules: Sequence[tuple[bytes | None, int]]) -> bytes | None:
    """The key of a tool's plan, by the rules about it and the groups of their subjects that it is in.

    None where one of them has none. A tool without rules depends on its schema all the same.
    """
    if draft.shared is None or any(key is None for key, _ in rules):
        return None
    return digest((draft.shared, tool, *sorted(f"{key.hex()} {number}" for key, number in rules if key is not None)))


def digest(parts: Iterable[str | bytes]) -> bytes:
    """Stands for these texts, in this order."""
    made = blake2b(digest_size=16)
    for part in parts:
        content = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        made.update(len(content).to_bytes(8, "big") + content)
    return made.digest()
