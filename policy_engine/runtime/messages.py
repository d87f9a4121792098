"""Turning `because` and `detail` notes into text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import outward
from policy_engine.runtime.environment import DecisionEnvironment
from policy_engine.semantics.artifact import CompiledRule, Message
from policy_engine.semantics.evaluation import run_value


def rendered(
    message: Message, namespace: Mapping[str, Any], args: Any, principal: Any, environment: DecisionEnvironment
) -> str:
    """The text of a note with its `{…}` filled in; a piece that comes to an error reads `…`."""
    pieces = []
    for part in message.parts:
        if isinstance(part, str):
            pieces.append(part)
            continue
        try:
            pieces.append(shown(run_value(namespace, part, args, principal, environment)))
        except EvaluationError:
            pieces.append("…")
    return "".join(pieces)


def shown(value: Any) -> str:
    """A number, boolean, text or moment as a person would write it: `100`, not `100.0`."""
    value = outward(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, list):
        return ", ".join(shown(item) for item in value)
    return "null" if value is None else str(value)


def joined(
    rules: Iterable[CompiledRule],
    note: str,
    namespace: Mapping[str, Any],
    args: Any,
    principal: Any,
    environment: DecisionEnvironment,
) -> list[str]:
    """The notes (`because` or `detail`) of several rules, each once, in the order of the rules."""
    texts: list[str] = []
    for rule in rules:
        message: Message | None = getattr(rule, note)
        if message is not None:
            text = rendered(message, namespace, args, principal, environment)
            if text not in texts:
                texts.append(text)
    return texts
