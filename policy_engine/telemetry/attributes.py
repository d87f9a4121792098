"""What may stand in attributes: names that are listed here, plain values, and nothing that agents, users or tools chose.

A list of what may pass, not of what may not: whatever a later version tells without being asked stays out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

MAX_TEXT: Final = 1_000
"""Characters of one text; the rest is cut off."""
CONVENTIONS: Final = frozenset((
    "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.tool.name", "gen_ai.tool.type",
    "gen_ai.tool.call.id", "gen_ai.agent.id", "gen_ai.agent.name", "gen_ai.agent.version", "gen_ai.conversation.id",
    "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "error.type",
))  # fmt: skip
"""Attributes of the semantic conventions that pass."""
VALUES: Final = frozenset(("gen_ai.tool.call.arguments", "gen_ai.tool.call.result"))
"""Attributes that hold values of calls: they pass only where the operator said so."""
OURS: Final = "policy."
"""Attributes of ours begin so."""
Plain = str | bool | int | float | tuple[str, ...]


def passing(attributes: Mapping[str, Any], *, values: bool) -> Iterator[tuple[str, Plain]]:
    """The attributes that may be told, as OpenTelemetry takes them; None and what is no plain value are left out."""
    for name, value in attributes.items():
        if values and name in VALUES:
            yield name, json.dumps(value, default=str)[:MAX_TEXT]
        elif name in CONVENTIONS or name.startswith(OURS):
            plain = _plain(value)
            if plain is not None:
                yield name, plain


def _plain(value: Any) -> Plain | None:
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if isinstance(value, bool | int | float):
        return value if abs(value) < 2**63 else None
    if isinstance(value, list | tuple):
        return tuple(item[:MAX_TEXT] for item in value if isinstance(item, str))
    return None
