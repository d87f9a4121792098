"""LangChain and LangGraph behind a policy, as one middleware. Put it first in the list, so that it is the outermost.

    agent = create_agent(model, tools, middleware=[guarded(policy, principal=lambda runtime: runtime.context.user)])

Every tool call is decided before it runs and its result before the model sees it; unknown tools and arguments that do
not fit are refused as well. The user's messages are `@input`, the model's turns `@step`, its last word `@answer`.
Not seen, and therefore to be guarded on their own: agents inside tools, provider-side tools, tools invoked by hand.
Middleware further in is trusted: it could still change a call that was decided. What tools report as an error reaches
the model unjudged, and tokens that are streamed were shown before the answer was judged.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from threading import Lock
from typing import Annotated, Any, NotRequired, TypeAlias
from uuid import uuid4

from langchain.agents.middleware import AgentMiddleware, AgentState, hook_config
from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, ToolMessage
from langchain_core.tools import BaseTool, tool as make_tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.errors import GraphBubbleUp
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command

from policy_engine import Decision, Policy, Run, ToolSchema, message_of
from policy_engine_adapters.data import as_data
from policy_engine_adapters.gate import AgentOrAsk, Approvals, ContextOrAsk, Gate, Passage, WhoOrAsk
from policy_engine_adapters.langchain_messages import (
    OURS,
    content_of,
    data_of,
    history_of,
    is_users,
    messages_in,
    refused,
    shown_text,
)

MAX_RUNS = 1_000
"""Conversations kept in memory; an older one is read again from its messages when it goes on."""
Answer: TypeAlias = ToolMessage | Command[Any]
Update: TypeAlias = dict[str, Any] | None


class PolicyState(AgentState[Any]):
    """What the middleware keeps in the graph's state, private to it."""

    policy_run: NotRequired[Annotated[str, PrivateStateAttr]]
    policy_attempts: NotRequired[Annotated[int, PrivateStateAttr]]


def guarded(
    policy: Policy,
    *,
    prefix: str = "",
    principal: WhoOrAsk = None,
    agent: AgentOrAsk = None,
    context: ContextOrAsk | None = None,
    approvals: Approvals | None = None,
    attended: bool = True,
) -> PolicyMiddleware:
    """The middleware that puts `policy` in front of every tool of an agent.

    `prefix` goes before the tools' names (`crm.`). `principal`, `agent` and `context` are values or functions of the
    graph's runtime. `approvals` gives the answers that people gave about a call. `attended` = the user can be asked.
    """
    gate = Gate(policy, principal=principal, agent=agent, context=context, approvals=approvals)
    return PolicyMiddleware(gate, prefix, attended)


def tools_of(
    tools: Sequence[BaseTool | Callable[..., Any] | dict[str, Any]], *, prefix: str = ""
) -> tuple[ToolSchema, ...]:
    """The schemas of an agent's tools as the model sees them, for `load(…, tools=…)`. Raises `PolicyError`."""
    listed = []
    for one in tools:
        function = convert_to_openai_tool(one if isinstance(one, BaseTool | dict) else make_tool(one))["function"]
        listed.append({**function, "name": prefix + function["name"]})
    return ToolSchema.from_live(listed)


class PolicyMiddleware(AgentMiddleware[PolicyState, Any, Any]):
    """Made by `guarded`. Holds the runs of conversations; share one among all agents that serve them."""

    state_schema = PolicyState

    def __init__(self, gate: Gate, prefix: str, attended: bool) -> None:
        """Use `guarded`."""
        super().__init__()
        self._gate = gate
        self._prefix = prefix
        self._attended = attended
        self._runs: OrderedDict[str, tuple[Run, set[str]]] = OrderedDict()
        self._lock = Lock()

    def run_of(self, key: str) -> Run | None:
        """The run of a conversation, by its thread id, if it is in memory."""
        with self._lock:
            kept = self._runs.get(key)
        return kept[0] if kept is not None else None

    # ------------------------------------------------------------------ tools
    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Answer]) -> Answer:
        """Decide, run, judge the result."""
        passage = self._begin(request)
        if passage.decision.effect != "allow":
            return _not_made(request, passage.decision)
        try:
            answer = handler(_decided(request, passage.decision))
        except GraphBubbleUp:
            self._gate.paused(passage)
            raise
        except BaseException as fault:
            self._gate.failed(passage, f"{type(fault).__name__}: {fault}")
            raise
        return self._finish(request, passage, answer)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Answer]]
    ) -> Answer:
        """The same for `ainvoke` and `astream`."""
        passage = self._begin(request)
        if passage.decision.effect != "allow":
            return _not_made(request, passage.decision)
        try:
            answer = await handler(_decided(request, passage.decision))
        except GraphBubbleUp:
            self._gate.paused(passage)
            raise
        except BaseException as fault:
            self._gate.failed(passage, f"{type(fault).__name__}: {fault}")
            raise
        return self._finish(request, passage, answer)

    def _begin(self, request: ToolCallRequest) -> Passage:
        call = request.tool_call
        run, _ = self._run(request.state, request.runtime)
        annotations = (request.tool.metadata or {}) if request.tool is not None else {}
        return self._gate.begin(
            self._prefix + call["name"], call["args"], run, id=call["id"], annotations=_hints(annotations),
            knows=(request.runtime,),
        )  # fmt: skip

    def _finish(self, request: ToolCallRequest, passage: Passage, answer: Answer) -> Answer:
        if isinstance(answer, ToolMessage) and answer.status == "error":
            self._gate.failed(passage, shown_text(answer.content))
            return answer
        messages = messages_in(answer)
        plain = messages is not None and len(messages) == 1 and isinstance(messages[0], ToolMessage)
        if messages is None:
            output = self._gate.finish(passage, object())  # nobody can say what it would show
        elif plain:
            output = self._gate.finish(passage, data_of(messages[0].content))
        else:
            output = self._gate.finish(passage, [shown_text(getattr(one, "content", "")) for one in messages])
        if output.effect == "pass":
            return answer
        if output.effect == "redact" and plain and messages is not None:
            return _redacted(answer, messages[0], output.result)
        return refused(request.tool_call, message_of(output), output)

    # ------------------------------------------------------------------ the conversation
    @hook_config(can_jump_to=["end"])
    def before_agent(self, state: Any, runtime: Any) -> Update:
        """A turn begins: what the user said since the last one is decided as `@input`."""
        key = state.get("policy_run") or _thread(runtime) or uuid4().hex
        state = {**state, "policy_run": key}
        run, seen = self._run(state, runtime, replaying=False)
        for message in state["messages"]:
            if not isinstance(message, HumanMessage) or not self._is_new(message, seen):
                continue
            stopped = self._input(message, run, runtime, users=is_users(message))
            if stopped is not None:
                removed = [RemoveMessage(id=message.id)] if message.id else []
                said = AIMessage(message_of(stopped), additional_kwargs={"lc_source": OURS})
                return {"policy_run": key, "messages": [*removed, said], "jump_to": "end"}
        return {"policy_run": key, "policy_attempts": 0}

    @hook_config(can_jump_to=["end"])
    async def abefore_agent(self, state: Any, runtime: Any) -> Update:
        """The same for `ainvoke` and `astream`."""
        return self.before_agent(state, runtime)

    @hook_config(can_jump_to=["model", "end"])
    def after_model(self, state: Any, runtime: Any) -> Update:
        """The model has spoken: a turn with tool calls is a `@step`, the last word is the `@answer`."""
        run, seen = self._run(state, runtime)
        for message in state["messages"]:
            if isinstance(message, HumanMessage):
                self._is_new(message, seen)  # what appears within a turn is not the user's
        last = next((one for one in reversed(state["messages"]) if isinstance(one, AIMessage)), None)
        if last is None:
            return None
        if len(_answers_to(last, state["messages"])) < len(last.tool_calls):
            return self._step(last, run, runtime)
        return self._answer(last, state, run, runtime)

    @hook_config(can_jump_to=["model", "end"])
    async def aafter_model(self, state: Any, runtime: Any) -> Update:
        """The same for `ainvoke` and `astream`."""
        return self.after_model(state, runtime)

    def _input(self, message: HumanMessage, run: Run, runtime: Any, *, users: bool) -> Decision | None:
        """Decide one message of the user; the decision if it must not go on."""
        fields = {"text": shown_text(message.content), "source": "user" if users else "agent", "verified": users}
        decision = self._gate.event("@input", fields, run, knows=(runtime,))
        return None if decision.effect == "pass" else decision

    def _step(self, message: AIMessage, run: Run, runtime: Any) -> Update:
        tokens = message.usage_metadata["total_tokens"] if message.usage_metadata else 0
        fields = {"kind": "model", "text": shown_text(message.content), "tokens": tokens, "cost": 0.0}
        decision = self._gate.event("@step", fields, run, knows=(runtime,))
        if decision.allowed:
            return None
        return {"messages": [AIMessage(message_of(decision), id=message.id)], "jump_to": "end"}

    def _answer(self, message: AIMessage, state: Any, run: Run, runtime: Any) -> Update:
        attempts = state.get("policy_attempts", 0)
        structured = state.get("structured_response")
        fields = {"text": shown_text(message.content), "data": as_data(structured)}
        decision = self._gate.event("@answer", fields, run, attempt=attempts, knows=(runtime,))
        if decision.effect == "pass":
            return None
        gone = _answers_to(message, state["messages"])
        if decision.effect == "redact":
            redacted: dict[str, Any] = {"messages": [*gone, AIMessage(decision.result["text"], id=message.id)]}
            return redacted if structured is None else {**redacted, "structured_response": decision.result["data"]}
        emptied: dict[str, Any] = {} if structured is None else {"structured_response": None}
        if decision.effect == "retry":
            withheld = AIMessage("(withheld)", id=message.id)
            reason = HumanMessage(message_of(decision), additional_kwargs={"lc_source": OURS})
            again = {"messages": [*gone, withheld, reason], "policy_attempts": attempts + 1, "jump_to": "model"}
            return {**emptied, **again}
        return {**emptied, "messages": [*gone, AIMessage(message_of(decision), id=message.id)], "jump_to": "end"}

    # ------------------------------------------------------------------ runs
    def _run(self, state: Any, runtime: Any, *, replaying: bool = True) -> tuple[Run, set[str]]:
        """The run of a conversation and the ids of the messages it knows; read from the messages if it is new here."""
        key = (state.get("policy_run") if isinstance(state, dict) else None) or _thread(runtime)
        with self._lock:
            if key is not None and key in self._runs:
                self._runs.move_to_end(key)
                return self._runs[key]
            run, seen = self._gate.policy.run(id=key, attended=self._attended), set[str]()
            messages = state.get("messages", []) if isinstance(state, dict) else state
            history = list(messages) if replaying else _before_this_turn(messages)
            for past in history_of(history):
                if isinstance(past, HumanMessage):
                    self._is_new(past, seen)
                    self._input(past, run, runtime, users=is_users(past))
                else:
                    call, outcome = past
                    name = self._prefix + call["name"]
                    self._gate.remember(name, call["args"], call["id"] or "", outcome, run, (runtime,))
            if key is not None:
                self._runs[key] = (run, seen)
                if len(self._runs) > MAX_RUNS:
                    self._runs.popitem(last=False)
            return run, seen

    @staticmethod
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


def _decided(request: ToolCallRequest, decision: Decision) -> ToolCallRequest:
    return request.override(tool_call={**request.tool_call, "args": decision.args or {}})


def _not_made(request: ToolCallRequest, decision: Decision) -> ToolMessage:
    said = message_of(decision)
    return refused(request.tool_call, said, decision)


def _redacted(answer: Answer, message: ToolMessage, result: Any) -> Answer:
    """The answer with the message's content replaced; the artifact, which may hold the same, is dropped."""
    content = content_of(result)
    shown = message.model_copy(update={"content": content, "artifact": None})
    if isinstance(answer, ToolMessage):
        return shown
    return Command(update={"messages": [shown]}, goto=answer.goto, graph=answer.graph)
