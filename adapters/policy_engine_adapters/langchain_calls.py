"""One tool call of LangChain on its way through a guard: what runs, what rules read of the answer, what the model gets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from langchain_core.messages import ToolMessage
from langgraph.errors import GraphBubbleUp
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command

from policy_engine import Suspended
from policy_engine_adapters.langchain_messages import content_of, data_of, messages_in, refused, shown_text

Answer: TypeAlias = ToolMessage | Command[Any]
_UNSHOWN = "The call was made, but its result cannot be shown."


class ToolError(Exception):
    """The tool answered with an error instead of raising one; the model reads it as it is."""

    def __init__(self, answer: ToolMessage) -> None:
        super().__init__(shown_text(answer.content))
        self.answer = answer


class ToolCalling:
    """Holds what the handler answered, so that the same message goes on where its content passes."""

    def __init__(self, request: ToolCallRequest) -> None:
        self.request = request
        self._answer: Any = None

    def executing(self, handler: Callable[[ToolCallRequest], Answer]) -> Callable[..., Answer]:
        """A function of the decided arguments that runs the tool once. LangGraph's own control flow is no failure."""

        def execute(**decided: Any) -> Answer:
            try:
                return self._came(handler(self._decided(decided)))
            except GraphBubbleUp as signal:
                raise Suspended from signal

        return execute

    def executing_async(self, handler: Callable[[ToolCallRequest], Awaitable[Answer]]) -> Callable[..., Awaitable[Answer]]:
        """The same for a coroutine function."""

        async def execute(**decided: Any) -> Answer:
            try:
                return self._came(await handler(self._decided(decided)))
            except GraphBubbleUp as signal:
                raise Suspended from signal

        return execute

    def _decided(self, args: dict[str, Any]) -> ToolCallRequest:
        return self.request.override(tool_call={**self.request.tool_call, "args": args})

    def _came(self, answer: Answer) -> Answer:
        self._answer = answer
        if isinstance(answer, ToolMessage) and answer.status == "error":
            raise ToolError(answer)
        return answer

    def shown(self, passed: Any) -> Answer:
        """What the model gets: the answer itself where it passed, else a message with what the guard made of it."""
        call = self.request.tool_call
        if isinstance(passed, ToolMessage) and passed.tool_call_id != call["id"]:  # made before, under another id
            return passed.model_copy(update={"tool_call_id": call["id"] or ""})
        if isinstance(passed, ToolMessage | Command):
            return passed
        message = _only(self._answer)
        if message is None and self._answer is not None:
            return refused(call, _UNSHOWN)
        content = content_of(passed)
        if message is None:
            return ToolMessage(content=content, tool_call_id=call["id"] or "", name=call["name"])
        redacted = message.model_copy(update={"content": content, "artifact": None})  # the artifact may hold the same
        if isinstance(self._answer, Command):
            return Command(update={"messages": [redacted]}, goto=self._answer.goto, graph=self._answer.graph)
        return redacted


def answer_data(answer: Any) -> Any:
    """What rules read of an answer; something that is no data where nobody can say what it would show."""
    messages = messages_in(answer)
    if messages is None:
        return object()
    message = _only(answer)
    return [shown_text(getattr(one, "content", "")) for one in messages] if message is None else data_of(message.content)


def _only(answer: Any) -> ToolMessage | None:
    """The tool's message, where it answers with that and no other."""
    messages = messages_in(answer) or []
    return messages[0] if len(messages) == 1 and isinstance(messages[0], ToolMessage) else None
