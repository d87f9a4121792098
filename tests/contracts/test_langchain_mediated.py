"""Real LangChain agents with a scripted model, in front of a mediator."""

from __future__ import annotations

import asyncio
import time as clock
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("langchain", reason="LangChain is not installed: its adapter is not tested")

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, ToolCall, ToolMessage
from langchain_core.tools import BaseTool, ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt

from policy_engine import Mediator, Principal, loads
from policy_engine_adapters.langchain import PolicyMiddleware, guarded, tools_of
from tests.unit.mediation.persons import Person, registry

TEXT = """
policy shop
queues finance
labels outside
principal { id: string }
approver { id: string }

allow all on refund, look, flaky, slow, ask, web, broken
escalate large on refund when args.amount > 1000.0 to finance within 30m
limit three on refund to 3 per run
limit volume on refund to 6000.0 of args.amount per 1d by principal.id
rewrite no-cents on refund set args.amount to 99.0 when args.amount == 99.5
rewrite card on look redact result.card with "****"
timeout slow on slow after 50ms
retry reads on flaky up to 2 times backoff 1ms..2ms when error.retryable
breaker shut on broken open after 2 failures in 1m probe after 1m else reply "broken is down"
label outside on web as outside at result
deny leak on refund when "outside" in labels(args.order)
limit tokens on @step to 100 of step.tokens per run
deny shouting on @input when input.text == "SHOUT" because "please do not shout"
rewrite secret on @input redact input.text with "find my [hidden]" when input.text.contains("hunter2")
validate clean on @answer require !answer.text.contains("tulip") else retry up to 1 times else withhold
"""
RAN: list[Any] = []
USER = Principal(id="u1")
FAY = Person("fay", "finance")


@tool
def refund(order: str, amount: float) -> str:
    """Refund an order."""
    RAN.append((order, amount))
    return f"refunded {amount}"


@tool
def look(order: str) -> dict[str, str]:
    """Look an order up."""
    return {"order": order, "card": "4111"}


@tool
def flaky(order: str) -> str:
    """Fail twice."""
    RAN.append("flaky")
    if RAN.count("flaky") < 3:
        raise ConnectionError("lost")
    return "found"


@tool
def slow(order: str) -> str:
    """Take long."""
    clock.sleep(0.5)
    return "too late"


@tool
def ask() -> str:
    """Ask the graph's user."""
    RAN.append("asked")
    return str(interrupt("really?"))


@tool
def web(url: str) -> str:
    """Read a page."""
    return "order number seventeen thousand"


@tool
def broken() -> str:
    """Report a failure."""
    raise ToolException("kaboom")


flaky.metadata = {"readOnlyHint": True}
broken.handle_tool_error = True
TOOLS: list[BaseTool] = [refund, look, flaky, slow, ask, web, broken]


class Scripted(FakeMessagesListChatModel):
    """A model that says what it was told to say."""

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        return self


def calls(*wanted: tuple[str, dict[str, Any]], tokens: int = 0) -> AIMessage:
    made = [ToolCall(name=name, args=args, id=f"{name}-{len(RAN)}-{n}-{next(NUMBERS)}") for n, (name, args) in enumerate(wanted)]
    usage: Any = {"input_tokens": 0, "output_tokens": tokens, "total_tokens": tokens} if tokens else None
    return AIMessage("", tool_calls=made, usage_metadata=usage)


NUMBERS = iter(range(1_000_000))


def sync(agent: Any, state: Any, config: Any = None) -> Any:
    return agent.invoke(state, config)


def unsync(agent: Any, state: Any, config: Any = None) -> Any:
    return asyncio.run(agent.ainvoke(state, config))


Way = Callable[..., Any]
ways = pytest.mark.parametrize("way", [sync, unsync])


@pytest.fixture(params=["memory", "sqlite"])
def mediator(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Mediator]:
    RAN.clear()
    store = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/state.db"
    with Mediator(loads(TEXT, tools=tools_of(TOOLS)), store, approvers=registry(FAY)) as made:
        yield made


@pytest.fixture
def middleware(mediator: Mediator) -> PolicyMiddleware:
    return guarded(mediator, principal=USER)


def agent_of(middleware: PolicyMiddleware, *script: AIMessage, **options: Any) -> Any:
    return create_agent(Scripted(responses=list(script)), TOOLS, middleware=[middleware], **options)


def said(text: str = "refund order o1 please") -> Any:
    return {"messages": [HumanMessage(text)]}


def answers(state: Any) -> list[ToolMessage]:
    return [message for message in state["messages"] if isinstance(message, ToolMessage)]


def kinds(mediator: Mediator) -> list[str]:
    return [entry.kind for entry in mediator.audit.entries() if entry.kind != "policy"]


def bodies(mediator: Mediator, kind: str) -> list[Any]:
    return [entry.body for entry in mediator.audit.entries() if entry.kind == kind]


@ways
def test_a_conversation_is_one_run_in_the_record(mediator: Mediator, middleware: PolicyMiddleware, way: Way) -> None:
    """Its input, steps, calls and answer stand in order; without a thread it ends with the turn."""
    script = (calls(("refund", {"order": "o1", "amount": 99.5}), tokens=12), AIMessage("done"))
    state = way(agent_of(middleware, *script), said())
    assert RAN == [("o1", 99.0)] and answers(state)[0].status == "success"
    assert kinds(mediator) == [
        "run.begun", "event", "event", "event", "decision", "outcome", "event", "event", "run.ended",
    ]  # fmt: skip
    names = [body["name"] for body in bodies(mediator, "event")]
    assert names == ["@run", "@input", "@step", "@step", "@answer"]
    assert bodies(mediator, "event")[2]["tokens"] == 12
    assert bodies(mediator, "run.ended")[0]["completed"] is True


@ways
def test_limits_hold_over_the_turns_of_a_thread(mediator: Mediator, middleware: PolicyMiddleware, way: Way) -> None:
    """The fourth refund of a conversation is refused, whichever turn it is in; another conversation has its own."""
    small = ("refund", {"order": "o1", "amount": 1.0})
    script = (calls(small, small), AIMessage("two"), calls(small, small), AIMessage("four"), calls(small), AIMessage("five"))
    agent = agent_of(middleware, *script, checkpointer=InMemorySaver())
    one, other = ({"configurable": {"thread_id": name}} for name in ("one", "other"))
    way(agent, said(), one)
    state = way(agent, said("more"), one)
    assert sorted(answer.status for answer in answers(state)) == ["error", "success", "success", "success"]
    (refused,) = [answer for answer in answers(state) if answer.status == "error"]
    assert "not made" in str(refused.content)
    assert answers(way(agent, said(), other))[0].status == "success"
    assert len(RAN) == 4
    assert kinds(mediator).count("run.begun") == 2 and kinds(mediator).count("run.ended") == 0
    middleware.close()
    assert kinds(mediator).count("run.ended") == 2


@ways
def test_results_are_redacted_retried_and_bounded_in_time(middleware: PolicyMiddleware, way: Way) -> None:
    """A flaky read is made again until it answers, a slow one is given up, a card is hidden."""
    script = (
        calls(("flaky", {"order": "o1"})), calls(("slow", {"order": "o1"})), calls(("look", {"order": "o1"})), AIMessage("done"),
    )  # fmt: skip
    found, late, card = answers(way(agent_of(middleware, *script), said()))
    assert found.content == "found" and RAN.count("flaky") == 3
    assert late.status == "error" and "too late" not in str(late.content)
    assert "****" in str(card.content) and "4111" not in str(card)


@ways
def test_a_tool_that_reports_errors_opens_its_breaker(middleware: PolicyMiddleware, way: Way) -> None:
    """The model reads the tool's own words twice, then those of the policy."""
    script = [*(calls(("broken", {})) for _ in range(3)), AIMessage("done")]
    first, second, third = answers(way(agent_of(middleware, *script), said()))
    assert [first.content, second.content] == ["kaboom", "kaboom"]
    assert "broken is down" in str(third.content) and third.status == "error"


@ways
def test_people_are_asked_and_the_call_runs_when_it_is_made_again(
    mediator: Mediator, middleware: PolicyMiddleware, way: Way
) -> None:
    """The model reads which approval is awaited; approved by a real key, the same call under a new id is made once, and has
    not been counted twice while it waited."""
    big = ("refund", {"order": "o1", "amount": 5000.0})
    script = (calls(big), AIMessage("waiting"), calls(big), calls(big), AIMessage("done"))
    agent = agent_of(middleware, *script, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "t"}}
    (pending,) = answers(way(agent, said(), config))
    assert pending.status == "error" and "waits for approval" in str(pending.content)
    assert pending.artifact["policy"]["asks"][0]["queue"] == "finance" and RAN == []
    FAY.say(mediator._stores.approvals, clock.time_ns())
    _, made, again = answers(way(agent, said("approved"), config))
    assert made.status == "success" and RAN == [("o1", 5000.0)]
    assert again.status == "error"
    assert bodies(mediator, "decision")[1]["approvers"] == ["fay"]


def test_the_host_may_resume_under_the_same_id(mediator: Mediator, middleware: PolicyMiddleware) -> None:
    """Taking the pending answer out of the thread and going on makes the very same call again."""
    big = calls(("refund", {"order": "o1", "amount": 5000.0}))
    agent = agent_of(middleware, big, AIMessage("waiting"), AIMessage("done"), checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "t"}}
    state = sync(agent, said(), config)
    FAY.say(mediator._stores.approvals, clock.time_ns())
    gone = [RemoveMessage(id=one.id) for one in state["messages"][2:]]
    agent.update_state(config, {"messages": gone}, as_node=f"{middleware.name}.after_model")
    (made,) = answers(sync(agent, None, config))
    assert made.status == "success" and made.tool_call_id == big.tool_calls[0]["id"] and RAN == [("o1", 5000.0)]


@ways
def test_an_interrupt_is_no_failure(mediator: Mediator, middleware: PolicyMiddleware, way: Way) -> None:
    """The graph pauses, the resumed call is the same call, and only then it has an outcome."""
    agent = agent_of(middleware, calls(("ask", {})), AIMessage("done"), checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "t"}}
    assert "__interrupt__" in way(agent, said(), config)
    assert bodies(mediator, "outcome") == []
    state = way(agent, Command(resume="yes"), config)
    assert [answer.content for answer in answers(state)] == ["yes"]
    assert [body["status"] for body in bodies(mediator, "outcome")] == ["returned"]


@ways
def test_inputs_and_answers_are_judged(middleware: PolicyMiddleware, way: Way) -> None:
    """A refused input ends the turn, a redacted one goes on redacted; an answer is sent back once and then withheld."""
    stopped = way(agent_of(middleware, AIMessage("never said")), said("SHOUT"))
    assert [message.type for message in stopped["messages"]] == ["ai"]
    hidden = way(agent_of(middleware, AIMessage("fine")), said("find my hunter2"))
    assert [message.content for message in hidden["messages"]] == ["find my [hidden]", "fine"]
    again = way(agent_of(middleware, AIMessage("a tulip"), AIMessage("a rose")), said())
    assert again["messages"][-1].content == "a rose" and "tulip" not in str(again["messages"])
    withheld = way(agent_of(middleware, AIMessage("a tulip"), AIMessage("more tulips")), said())
    assert "cannot be said" in str(withheld["messages"][-1].content) and "tulip" not in str(withheld["messages"])


@ways
def test_steps_are_counted_by_their_tokens(middleware: PolicyMiddleware, way: Way) -> None:
    """A turn beyond the tokens of its run ends the run's work."""
    script = (calls(("look", {"order": "o1"}), tokens=80), calls(("refund", {"order": "o1", "amount": 1.0}), tokens=80))
    state = way(agent_of(middleware, *script, AIMessage("done")), said())
    assert RAN == [] and len(answers(state)) == 1
    assert "cannot be said" in str(state["messages"][-1].content)


def test_another_process_goes_on_with_a_conversation(mediator: Mediator, middleware: PolicyMiddleware) -> None:
    """Labels and limits per run survive a restart: a new middleware over the same checkpoints reads the messages."""
    saver = InMemorySaver()
    config = {"configurable": {"thread_id": "t"}}
    small = ("refund", {"order": "o1", "amount": 1.0})
    sync(agent_of(middleware, calls(("web", {"url": "x"}), small, small), AIMessage("ok"), checkpointer=saver), said(), config)
    other = guarded(mediator, principal=USER)
    script = calls(("refund", {"order": "order number seventeen thousand", "amount": 1.0}), small, small)
    *_, leaked, third, fourth = answers(
        sync(agent_of(other, script, AIMessage("done"), checkpointer=saver), said("go on"), config)
    )
    assert leaked.status == "error" and sorted((third.status, fourth.status)) == ["error", "success"]
    begun = [entry for entry in mediator.audit.entries() if entry.kind == "run.begun"]
    assert [entry.body["root"] for entry in begun] == ["t", "t"] and begun[0].run != begun[1].run


def test_whoever_comes_next_has_a_run_of_their_own(mediator: Mediator) -> None:
    """In one thread, another principal never acts in the run of the first."""
    asking = {"id": "u1"}
    middleware = guarded(mediator, principal=lambda runtime: dict(asking))
    script = (calls(("look", {"order": "o1"})), AIMessage("a"), calls(("look", {"order": "o1"})), AIMessage("b"))
    agent = agent_of(middleware, *script, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "t"}}
    sync(agent, said(), config)
    asking["id"] = "u2"
    sync(agent, said("and me"), config)
    begun = [entry for entry in mediator.audit.entries() if entry.kind == "run.begun"]
    assert [entry.value("principal") for entry in begun] == [{"id": "u1"}, {"id": "u2"}]


def test_a_bare_tool_node_has_a_run_for_each_call(mediator: Mediator, middleware: PolicyMiddleware) -> None:
    """Where no conversation can be told, each call begins and ends its own."""
    node = ToolNode(TOOLS, wrap_tool_call=middleware.wrap_tool_call, awrap_tool_call=middleware.awrap_tool_call)
    graph = StateGraph(MessagesState).add_node("tools", node).add_edge(START, "tools").add_edge("tools", END).compile()
    asked = (("refund", {"order": "o1", "amount": 5.0}), ("refund", {"order": "o2", "amount": 5.0}))
    state = sync(graph, {"messages": [HumanMessage("refund o1"), calls(*asked)]})
    assert [answer.status for answer in answers(state)] == ["success", "success"]
    assert kinds(mediator).count("run.begun") == kinds(mediator).count("run.ended") == 2


def test_approvals_of_the_host_are_not_for_a_mediator(mediator: Mediator) -> None:
    """It would look as if somebody had been asked."""
    with pytest.raises(TypeError, match="approvers"):
        guarded(mediator, approvals=lambda request: [])
