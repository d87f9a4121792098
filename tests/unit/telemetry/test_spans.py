"""Spans, as the SDK exports them: names and attributes of the conventions, parents across threads and tasks, no values."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import StatusCode

from policy_engine.runtime.ports.telemetry import Operation, Span, Telemetry
from policy_engine.telemetry.attributes import MAX_TEXT
from policy_engine.telemetry.presence import ASK_EVERY_SECONDS, Presence
from policy_engine.telemetry.spans import OpenTelemetry

SECRET = "sk-very-secret"


class Told:
    """A telemetry and what it exported."""

    def __init__(self, sampler: Sampler | None = None, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler) if sampler is not None else TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.telemetry: Telemetry = OpenTelemetry(tracer_provider=self.provider, **options)

    def begin(self, operation: Operation, name: str, **attributes: Any) -> Span:
        """A span that is there."""
        span = self.telemetry.begin(operation, name, {key.replace("__", "."): value for key, value in attributes.items()})
        assert span is not None
        return span

    def spans(self) -> dict[str, ReadableSpan]:
        """What was exported, by name."""
        return {span.name: span for span in self.exporter.get_finished_spans()}

    def of_the_tool(self) -> None:
        """What a tool does that begins spans of its own."""
        with self.provider.get_tracer("tool").start_as_current_span("the tool's own"):
            pass

    def parent_of_the_tools(self) -> str | None:
        """The name of the parent of the tool's own span."""
        spans = self.spans()
        parent = spans["the tool's own"].parent
        names = {span.context.span_id: name for name, span in spans.items() if span.context is not None}
        return None if parent is None else names.get(parent.span_id)


@pytest.fixture
def told() -> Iterator[Told]:
    """A telemetry over the real SDK."""
    yield Told()


def test_spans_are_named_after_the_conventions(told: Told) -> None:
    """`invoke_agent {agent}` holds `execute_tool {tool}`, each with the attributes that the conventions want."""
    run = told.begin("invoke_agent", "support", gen_ai__conversation__id="r1")
    with run.current():
        call = told.begin("execute_tool", "crm.refund", gen_ai__tool__call__id="c1", policy__digest="d")
    call.tell({"policy.effect": "allow", "policy.rules": ["a", "b"]})
    call.end()
    run.end()
    spans = told.spans()
    assert dict(spans["execute_tool crm.refund"].attributes or {}) == {
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "crm.refund", "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": "c1", "policy.digest": "d", "policy.effect": "allow", "policy.rules": ("a", "b"),
    }  # fmt: skip
    assert dict(spans["invoke_agent support"].attributes or {}) == {
        "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support", "gen_ai.conversation.id": "r1",
    }  # fmt: skip
    parent = spans["execute_tool crm.refund"].parent
    assert parent is not None and parent.span_id == spans["invoke_agent support"].context.span_id


@pytest.mark.parametrize("operation", ["step", "answer"])
def test_steps_and_answers_are_told_by_their_event(told: Told, operation: Operation) -> None:
    """They are no operations of the conventions, so they carry the event's name instead."""
    told.begin(operation, "plan").end()
    assert dict(told.spans()[f"{operation} plan"].attributes or {}) == {"policy.event": f"@{operation}"}


def test_an_error_is_told_by_its_class_alone(told: Told) -> None:
    """The status is an error, `error.type` its class; no message, for messages hold values."""
    span = told.begin("execute_tool", "t")
    span.end("ConnectionError")
    span.end("later")
    found = told.spans()["execute_tool t"]
    assert (found.status.status_code, found.status.description) == (StatusCode.ERROR, None)
    assert (found.attributes or {})["error.type"] == "ConnectionError"
    assert len(told.exporter.get_finished_spans()) == 1


def test_what_a_tool_raises_passes_through_and_is_not_recorded(told: Told) -> None:
    """Exceptions hold values; the mediation tells their class."""
    span = told.begin("execute_tool", "t")
    with pytest.raises(ValueError, match=SECRET), span.current():
        raise ValueError(SECRET)
    span.end("ValueError")
    assert told.spans()["execute_tool t"].events == ()


# ------------------------------------------------------------------ context
def test_spans_of_the_tool_are_children_in_this_thread(told: Told) -> None:
    """Whatever a tool begins hangs under its call."""
    span = told.begin("execute_tool", "t")
    with span.current():
        told.of_the_tool()
    span.end()
    assert told.parent_of_the_tools() == "execute_tool t"


def test_spans_of_the_tool_are_children_in_a_thread_with_a_copied_context(told: Told) -> None:
    """The pool that runs sync tools copies the context."""
    span = told.begin("execute_tool", "t")
    with span.current(), ThreadPoolExecutor(1) as pool:
        pool.submit(contextvars.copy_context().run, told.of_the_tool).result()
    span.end()
    assert told.parent_of_the_tools() == "execute_tool t"


async def test_spans_of_the_tool_are_children_in_a_task(told: Told) -> None:
    """Tasks begun within a call belong to it, and two calls at once do not mix."""

    async def tool() -> None:
        await asyncio.sleep(0)
        told.of_the_tool()

    async def other() -> None:
        with told.begin("execute_tool", "other").current():
            await asyncio.sleep(0)

    span = told.begin("execute_tool", "t")
    with span.current():
        await asyncio.gather(asyncio.create_task(tool()), asyncio.create_task(other()))
    span.end()
    assert told.parent_of_the_tools() == "execute_tool t"


def test_a_call_that_is_not_sampled_is_not_sampled_below_either() -> None:
    """The tool's own spans follow the decision about their parent."""
    told = Told(sampler=ParentBased(ALWAYS_OFF))
    span = told.begin("execute_tool", "t")
    with span.current():
        told.of_the_tool()
    span.tell({"policy.effect": "allow"})
    span.end()
    assert told.spans() == {}


# ------------------------------------------------------------------ values
def test_no_value_of_a_call_is_told_unless_the_operator_said_so() -> None:
    """Whatever the mediation hands over: only listed names pass."""
    given = {"gen_ai__tool__call__arguments": {"key": SECRET}, "gen_ai__tool__call__result": SECRET, "args": SECRET,
             "gen_ai__input__messages": SECRET, "input__value": SECRET}  # fmt: skip
    quiet, open_ = Told(), Told(values=True)
    for told in (quiet, open_):
        told.begin("execute_tool", "t", **given).end()
    assert SECRET not in quiet.spans()["execute_tool t"].to_json()
    shown = dict(open_.spans()["execute_tool t"].attributes or {})
    assert {name for name, value in shown.items() if SECRET in str(value)} == {
        "gen_ai.tool.call.arguments", "gen_ai.tool.call.result",
    }  # fmt: skip


def test_long_and_odd_attributes_are_cut_or_left_out(told: Told) -> None:
    """A text of a megabyte, a huge number, None and an object do no harm."""
    told.begin("execute_tool", "x" * 10**6, policy__a="y" * 10**6, policy__b=2**70, policy__c=None, policy__d=object()).end()
    (span,) = told.exporter.get_finished_spans()
    assert len(span.name) < MAX_TEXT
    attributes = dict(span.attributes or {})
    assert len(str(attributes["policy.a"])) == MAX_TEXT
    assert not {"policy.b", "policy.c", "policy.d"} & set(attributes)


# ------------------------------------------------------------------ nobody records, or something fails
def test_an_sdk_that_fails_never_stops_a_call() -> None:
    """A sampler that raises: no span, no exception."""

    class Broken(Sampler):
        def should_sample(self, *args: Any, **names: Any) -> SamplingResult:
            raise RuntimeError("broken")

        def get_description(self) -> str:
            return "broken"

    told = Told(sampler=Broken())
    assert told.telemetry.begin("execute_tool", "t", {}) is None


def test_a_processor_that_fails_never_stops_a_call(told: Told) -> None:
    """Telling and ending swallow what the SDK raises."""

    class Broken(trace.NonRecordingSpan):
        def is_recording(self) -> bool:
            raise RuntimeError("broken")

        def end(self, end_time: int | None = None) -> None:
            raise RuntimeError("broken")

    class Provider(trace.TracerProvider):
        def get_tracer(self, *args: Any, **names: Any) -> trace.Tracer:
            class Tracer(trace.NoOpTracer):
                def start_span(self, *args: Any, **names: Any) -> trace.Span:
                    return Broken(trace.INVALID_SPAN_CONTEXT)

            return Tracer()

    span = OpenTelemetry(tracer_provider=Provider()).begin("execute_tool", "t", {})
    assert span is not None
    span.tell({"policy.effect": "allow"})
    span.end("error")


def test_an_sdk_installed_later_is_noticed_within_a_second() -> None:
    """Until then nothing is begun; in a process of its own, for an SDK is installed for good."""
    script = (
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "from policy_engine.telemetry.spans import OpenTelemetry\n"
        "now = 0.0\n"
        "telemetry = OpenTelemetry(clock=lambda: now)\n"
        "assert telemetry.begin('execute_tool', 't', {}) is None\n"
        "trace.set_tracer_provider(TracerProvider())\n"
        f"now = {ASK_EVERY_SECONDS}\n"
        "assert telemetry.begin('execute_tool', 't', {}) is not None\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_whether_an_sdk_is_there_is_asked_once_a_second_at_most() -> None:
    """A thousand calls a second ask once; once it is there nobody asks again."""
    asked, now, there = 0, 0.0, False

    def installed() -> bool:
        nonlocal asked
        asked += 1
        return there

    present = Presence(installed, lambda: now)
    assert [present() for _ in range(1000)] == [False] * 1000
    assert asked == 1
    there, now = True, ASK_EVERY_SECONDS
    assert [present(), present()] == [True, True]
    assert asked == 2
