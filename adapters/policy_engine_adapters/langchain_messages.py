"""LangChain messages ⇄ the plain data that policies read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolCall, ToolMessage
from langgraph.types import Command

from policy_engine import Ask, Decision, Outcome

OURS: Final = "policy"
"""Marks messages that this adapter wrote, and the part of a tool message's artifact that is its."""


def text_of(content: Any) -> str | None:
    """The text of a message's content; None where it holds anything but text."""
    if isinstance(content, str):
        return content
    parts = [part if isinstance(part, str) else _block_text(part) for part in content]
    whole = [part for part in parts if part is not None]
    return "\n".join(whole) if len(whole) == len(parts) else None


def shown_text(content: Any) -> str:
    """The text parts of a message's content, whatever else it holds."""
    if isinstance(content, str):
        return content
    return "\n".join(part if isinstance(part, str) else _block_text(part) or "" for part in content)


def _block_text(block: Any) -> str | None:
    return block.get("text") if isinstance(block, dict) and block.get("type") == "text" else None


def data_of(content: Any) -> Any:
    """What a policy reads of a tool's answer: the value where it is the JSON of a list or an object, else the text."""
    text = text_of(content)
    if text is None:
        return content
    if text[:1] in ("{", "["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def content_of(data: Any) -> str:
    """A message's content from data."""
    return data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, default=str)


def refused(call: ToolCall, text: str, decision: Decision | None = None) -> ToolMessage:
    """The answer to a call that was not made, or whose result is not shown. Its artifact is for the host."""
    told: dict[str, Any] = {"effect": "withhold", "phase": "result", "rules": [], "asks": []}
    if decision is not None:
        asks = [_told(ask) for ask in decision.asks]
        told = {"effect": decision.effect, "phase": decision.phase, "rules": list(decision.rules), "asks": asks}
    return ToolMessage(
        content=text, tool_call_id=call["id"] or "", name=call["name"], status="error", artifact={OURS: told}
    )


def _told(ask: Ask) -> dict[str, Any]:
    bound = {"rule": ask.rule, "queue": ask.queue, "count": ask.count}
    return {**bound, "digest": ask.digest, "expires": ask.expires.isoformat()}


def is_users(message: AnyMessage) -> bool:
    """Whether a message may be the user's own words: not written by a middleware."""
    return isinstance(message, HumanMessage) and "lc_source" not in message.additional_kwargs


def messages_in(answer: Any) -> list[Any] | None:
    """The messages that a tool's answer adds to the conversation; None where that cannot be known."""
    if isinstance(answer, ToolMessage):
        return [answer]
    if isinstance(answer, Command):
        update = answer.update
        if update is None:
            return []
        found = update.get("messages", []) if isinstance(update, dict) else None
        return list(found) if isinstance(found, list | tuple) else None if found is None else [found]
    if isinstance(answer, list):
        inner = [messages_in(one) for one in answer]
        return None if any(one is None for one in inner) else [message for one in inner for message in one or []]
    return None


def history_of(messages: Iterable[AnyMessage]) -> Iterator[HumanMessage | tuple[ToolCall, Outcome]]:
    """What a conversation tells of its past, in order: what people said, and what came of each call."""
    calls: dict[str, ToolCall] = {}
    for message in messages:
        if isinstance(message, HumanMessage):
            yield message
        elif isinstance(message, AIMessage):
            calls.update({call["id"]: call for call in message.tool_calls if call["id"]})
        elif isinstance(message, ToolMessage) and message.tool_call_id in calls:
            yield calls[message.tool_call_id], _outcome(message)


def _outcome(message: ToolMessage) -> Outcome:
    if message.status != "error":
        return Outcome(result=data_of(message.content))
    told = message.artifact.get(OURS) if isinstance(message.artifact, dict) else None
    if isinstance(told, dict) and told.get("phase") == "call":
        return Outcome(status="pending" if told.get("effect") == "escalate" else "denied")
    return Outcome(status="error", error=shown_text(message.content))
