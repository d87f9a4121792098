"""LangChain and LangGraph behind a policy, as one middleware. Put it first in the list, so that it is the outermost.

    agent = create_agent(model, tools, middleware=[guarded(mediator, principal=lambda runtime: runtime.context.user)])

With a `Mediator` each conversation is a run of it, which the middleware begins, goes on with and ends; with a bare `Policy`
calls are decided and nothing more. Every tool call is decided before it runs and its result before the model sees it;
unknown tools and arguments that do not fit are refused as well. The user's messages are `@input`, each turn of the model is
a `@step`, its last word an `@answer` too.
Not seen, and therefore to be guarded on their own: agents inside tools, provider-side tools, tools invoked by hand.
Middleware further in is trusted: it could still change a call that was decided. What tools report as an error reaches
the model unjudged, and tokens that are streamed were shown before the answer was judged.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Annotated, Any, NotRequired, TypeAlias
from uuid import uuid4

from langchain.agents.middleware import AgentMiddleware, AgentState, hook_config
from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, ToolMessage
from langchain_core.tools import BaseTool, tool as make_tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.prebuilt.tool_node import ToolCallRequest

from policy_engine import DeadlineExceeded, Denied, Event, Mediator, Pending, Policy, Request, Suspended, ToolSchema
from policy_engine_adapters.data import as_data
from policy_engine_adapters.guards import guard_of
from policy_engine_adapters.langchain_calls import Answer, ToolCalling, ToolError, answer_data
from policy_engine_adapters.langchain_messages import OURS, history_of, is_users, refused, shown_text
from policy_engine_adapters.protocol import (
    AgentOrAsk,
    Approvals,
    Asker,
    Asking,
    ContextOrAsk,
    Guard,
    GuardedRun,
    Past,
    WhoOrAsk,
)

MAX_RUNS = 1_000
"""Conversations kept in memory; an older one is read again from its messages when it goes on."""
Update: TypeAlias = dict[str, Any] | None
_REFUSALS = (Denied, Pending, DeadlineExceeded)


class PolicyState(AgentState[Any]):
    """What the middleware keeps in the graph's state, private to it."""

    policy_run: NotRequired[Annotated[str, PrivateStateAttr]]


def guarded(
    policy: Policy | Mediator,
    *,
    prefix: str = "",
    principal: WhoOrAsk = None,
    agent: AgentOrAsk = None,
    context: ContextOrAsk | None = None,
    approvals: Approvals | None = None,
    attended: bool = True,
) -> PolicyMiddleware:
    """The middleware that puts `policy`, or a `Mediator` of one, in front of every tool of an agent.

    `prefix` goes before the tools' names (`crm.`). `principal`, `agent` and `context` are values or functions of the
    graph's runtime. `approvals` gives the answers that people gave about a call; a mediator asks people itself, and a call
    that waited runs when the model makes it again. `attended` = the user can be asked. Raises `ValueError` for a bare policy
    that needs a mediator.
    """
    return PolicyMiddleware(guard_of(policy, approvals), Asking(principal, agent, context), prefix, attended)


def tools_of(
    tools: Sequence[BaseTool | Callable[..., Any] | dict[str, Any]], *, prefix: str = ""
) -> tuple[ToolSchema, ...]:
    """The schemas of an agent's tools as the model sees them, for `load(…, tools=…)`. Raises `PolicyError`."""
    listed = []
    for one in tools:
        function = convert_to_openai_tool(one if isinstance(one, BaseTool | dict) else make_tool(one))["function"]
        listed.append({**function, "name": prefix + function["name"]})
    return ToolSchema.from_live(listed)


@dataclass
class _Kept:
    """A conversation in memory: its run, and the ids of the messages it knows."""

    run: GuardedRun
    seen: set[str] = field(default_factory=set)
    lasts: bool = True
    """Whether it can be found again; a call in no conversation is a run of its own."""


class PolicyMiddleware(AgentMiddleware[PolicyState, Any, Any]):
    """Made by `guarded`. Holds the runs of conversations; share one among all agents that serve them."""

    state_schema = PolicyState

    def __init__(self, guard: Guard, asking: Asking, prefix: str, attended: bool) -> None:
        """Use `guarded`."""
        super().__init__()
        self._guard = guard
        self._asking = asking
        self._prefix = prefix
        self._attended = attended
        self._runs: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = Lock()

    def run_of(self, key: str) -> Any:
        """The run of a conversation, by its thread id, if it is in memory."""
        with self._lock:
            kept = self._runs.get(key)
        return kept.run if kept is not None else None

    def close(self) -> None:
        """End the runs of all conversations; one that goes on begins another."""
        with self._lock:
            ended, self._runs = list(self._runs.values()), OrderedDict()
        for kept in ended:
            kept.run.close()

    # ------------------------------------------------------------------ tools
    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Answer]) -> Answer:
        """Decide, run, judge the result."""
        calling = ToolCalling(request)
        try:
            kept, who, call = self._calling(request)
            with _ending(kept):
                return calling.shown(kept.run.call(who, execute=calling.executing(handler), to_data=answer_data, **call))
        except _STOPS as stopped:
            return _instead(request, stopped)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Answer]]
    ) -> Answer:
        """The same for `ainvoke` and `astream`."""
        calling = ToolCalling(request)
        try:
            kept, who, call = await asyncio.to_thread(self._calling, request)
            execute = calling.executing_async(handler)
            with _ending(kept):
                return calling.shown(await kept.run.call_async(who, execute=execute, to_data=answer_data, **call))
        except _STOPS as stopped:
            return _instead(request, stopped)

    def _calling(self, request: ToolCallRequest) -> tuple[_Kept, Asker, dict[str, Any]]:
        call, who = request.tool_call, self._asking(request.runtime)
        kept = self._run(request.state, request.runtime, who)
        annotations = _hints((request.tool.metadata or {}) if request.tool is not None else {})
        return kept, who, {
            "tool": self._prefix + call["name"], "args": call["args"], "id": call["id"], "annotations": annotations,
        }  # fmt: skip

    # ------------------------------------------------------------------ the conversation
    @hook_config(can_jump_to=["end"])
    def before_agent(self, state: Any, runtime: Any) -> Update:
        """A turn begins: what the user said since the last one is decided as `@input`."""
        key, who = state.get("policy_run") or _thread(runtime) or uuid4().hex, self._asking(runtime)
        changed: list[Any] = []
        try:
            kept = self._run({**state, "policy_run": key}, runtime, who, replaying=False)
        except _REFUSALS as refused:
            return {"policy_run": key, "messages": [_said(refused)], "jump_to": "end"}
        for message in state["messages"]:
            if not isinstance(message, HumanMessage) or not _is_new(message, kept.seen):
                continue
            text = shown_text(message.content)
            try:
                passed = kept.run.input(who, text, users=is_users(message))
            except _REFUSALS as refused:
                removed = [RemoveMessage(id=message.id)] if message.id else []
                return {"policy_run": key, "messages": [*changed, *removed, _said(refused)], "jump_to": "end"}
            if passed != text:
                changed.append(message.model_copy(update={"content": passed}))
        return {"policy_run": key, "messages": changed} if changed else {"policy_run": key}

    @hook_config(can_jump_to=["end"])
    async def abefore_agent(self, state: Any, runtime: Any) -> Update:
        """The same for `ainvoke` and `astream`; what waits for a disk waits in a thread."""
        return await asyncio.to_thread(self.before_agent, state, runtime)

    @hook_config(can_jump_to=["model", "end"])
    def after_model(self, state: Any, runtime: Any) -> Update:
        """The model has spoken: each turn is a `@step`, the last word an `@answer`."""
        who = self._asking(runtime)
        last = next((one for one in reversed(state["messages"]) if isinstance(one, AIMessage)), None)
        try:
            kept = self._run(state, runtime, who)
            for message in state["messages"]:
                if isinstance(message, HumanMessage):
                    _is_new(message, kept.seen)  # what appears within a turn is not the user's
            if last is None:
                return None
            tokens = last.usage_metadata["total_tokens"] if last.usage_metadata else 0
            kept.run.step(who, shown_text(last.content), tokens)
        except _REFUSALS as refused:
            return {"messages": [AIMessage(str(refused), id=None if last is None else last.id)], "jump_to": "end"}
        if len(_answers_to(last, state["messages"])) < len(last.tool_calls):
            return None
        return self._answer(last, state, kept.run, who)

    @hook_config(can_jump_to=["model", "end"])
    async def aafter_model(self, state: Any, runtime: Any) -> Update:
        """The same for `ainvoke` and `astream`."""
        return await asyncio.to_thread(self.after_model, state, runtime)

    def after_agent(self, state: Any, runtime: Any) -> Update:
        """A turn has ended; without a thread to go on with, so has the conversation."""
        key = state.get("policy_run")
        if key is not None and _thread(runtime) is None:
            with self._lock:
                kept = self._runs.pop(key, None)
            if kept is not None:
                kept.run.close()
        return None

    async def aafter_agent(self, state: Any, runtime: Any) -> Update:
        """The same for `ainvoke` and `astream`."""
        return await asyncio.to_thread(self.after_agent, state, runtime)

    def _answer(self, message: AIMessage, state: Any, run: GuardedRun, who: Asker) -> Update:
        structured = state.get("structured_response")
        text = shown_text(message.content)
        gone = _answers_to(message, state["messages"])
        emptied: dict[str, Any] = {} if structured is None else {"structured_response": None}
        data = as_data(structured)
        try:
            passed = run.answer(who, text, data)
        except _REFUSALS as refused:
            decision = refused.decision
            if decision is None or decision.effect != "retry":
                return {**emptied, "messages": [*gone, AIMessage(str(refused), id=message.id)], "jump_to": "end"}
            withheld = AIMessage("(withheld)", id=message.id)
            reason = HumanMessage(str(refused), additional_kwargs={"lc_source": OURS})
            return {**emptied, "messages": [*gone, withheld, reason], "jump_to": "model"}
        if isinstance(passed, str):
            return {**emptied, "messages": [*gone, AIMessage(passed, id=message.id)], "jump_to": "end"}
        if passed["text"] == text and passed.get("data") == data:
            return None
        redacted: dict[str, Any] = {"messages": [*gone, AIMessage(passed["text"], id=message.id)]}
        return redacted if structured is None else {**redacted, "structured_response": passed["data"]}

    # ------------------------------------------------------------------ runs
    def _run(self, state: Any, runtime: Any, who: Asker, *, replaying: bool = True) -> _Kept:
        """The run of a conversation; read from its messages if it is new here, or has ended, or is somebody else's.

        Raises `Denied` where it may not begin.
        """
        key = (state.get("policy_run") if isinstance(state, dict) else None) or _thread(runtime)
        ended: list[_Kept] = []
        with self._lock:
            kept = self._runs.get(key) if key is not None else None
            if kept is None or not kept.run.serves(who):
                ended = [] if kept is None else [kept]
                kept = self._begun(key, state, who, replaying=replaying)
            if key is not None:
                self._runs[key] = kept
                self._runs.move_to_end(key)
                if len(self._runs) > MAX_RUNS:
                    ended.append(self._runs.popitem(last=False)[1])
        for one in ended:
            one.run.close()
        return kept

    def _begun(self, key: str | None, state: Any, who: Asker, *, replaying: bool) -> _Kept:
        messages = state.get("messages", []) if isinstance(state, dict) else state
        seen: set[str] = set()
        past: list[Past] = []
        for one in history_of(list(messages) if replaying else _before_this_turn(messages)):
            if isinstance(one, HumanMessage):
                _is_new(one, seen)
                users = is_users(one)
                fields = {"text": shown_text(one.content), "source": "user" if users else "agent", "verified": users}
                past.append(Event(name="@input", fields=fields))
            else:
                call, outcome = one
                past.append((Request(tool=self._prefix + call["name"], args=call["args"], id=call["id"] or ""), outcome))
        return _Kept(self._guard.begin(who, key=key, attended=self._attended, past=past), seen, key is not None)


@contextmanager
def _ending(kept: _Kept) -> Iterator[None]:
    try:
        yield
    finally:
        if not kept.lasts:
            kept.run.close()


_STOPS = (*_REFUSALS, ToolError, Suspended)


def _instead(request: ToolCallRequest, stopped: BaseException) -> ToolMessage:
    """What the model reads of a call that did not pass. LangGraph's own control flow goes on as it was."""
    if isinstance(stopped, ToolError):
        return stopped.answer
    if isinstance(stopped, Suspended):
        raise stopped.__cause__ or stopped
    assert isinstance(stopped, _REFUSALS)
    unknown = isinstance(stopped, DeadlineExceeded) and stopped.started  # whoever reads it again must not take it for undone
    return refused(request.tool_call, str(stopped), None if unknown else stopped.decision)


def _said(refused: Exception) -> AIMessage:
    return AIMessage(str(refused), additional_kwargs={"lc_source": OURS})


def _is_new(message: HumanMessage, seen: set[str]) -> bool:
    """Whether a message was not seen before; it is from now on."""
    known = message.id or f"text:{shown_text(message.content)}"
    new = known not in seen
    seen.add(known)
    return new


def _before_this_turn(messages: Sequence[Any]) -> list[Any]:
    """Everything up to the last word of model or tool; what follows is new."""
    last = max((n for n, one in enumerate(messages) if not isinstance(one, HumanMessage)), default=-1)
    return list(messages[: last + 1])


def _answers_to(message: AIMessage, messages: Sequence[Any]) -> list[RemoveMessage]:
    """Takes away the answers to a message's tool calls, as a structured answer has one that repeats it."""
    ids = {call["id"] for call in message.tool_calls}
    found = [one for one in messages if isinstance(one, ToolMessage) and one.tool_call_id in ids]
    return [RemoveMessage(id=one.id) for one in found if one.id]


def _thread(runtime: Any) -> str | None:
    """The thread of a conversation that has no private state (a bare `ToolNode`)."""
    config = getattr(runtime, "config", None) or {}
    thread = config.get("configurable", {}).get("thread_id")
    info = getattr(runtime, "execution_info", None)
    thread = thread or getattr(info, "thread_id", None)
    return str(thread) if thread else None


def _hints(metadata: dict[str, Any]) -> dict[str, Any]:
    """MCP's annotations among a tool's metadata."""
    return {name: value for name, value in metadata.items() if name.endswith("Hint") and isinstance(value, bool)}
