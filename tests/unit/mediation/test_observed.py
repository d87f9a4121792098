"""What operators see: metrics live and from the audit are the same, and spans go around what really happened."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from policy_engine import Denied, LimitReached, Mediator, Principal
from policy_engine.audit.metrics.stats import Stats
from policy_engine.telemetry.spans import OpenTelemetry

USER = Principal(id="u1", tenant="acme")
GOOD = {"id": "7", "card": "1", "tenant": "acme"}
RULES = """deny large on crm.refund when args.amount > 100.0 because "too much"
limit two on crm.look to 2 per 1h by principal.id
retry reads on crm.look up to 2 times when error.retryable
rewrite card on crm.look redact result.card with "****"
"""


def busy(mediator: Mediator, user: str) -> None:
    """A run with everything that metrics count."""
    lost = [ConnectionError("lost")]

    def look(id: str) -> Any:
        if lost:
            raise lost.pop()
        return GOOD

    agent = {"id": "bot", "model": "m1", "prompt_version": "7"}
    with mediator.run(principal=Principal(id=user, tenant="acme"), agent=agent, input="look up 7") as run:
        run.plan(["crm.look", "crm.refund"])
        run.step("model", text="first I look", tokens=12, cost=0.1)
        run.call("crm.look", {"id": "7"}, execute=look)
        run.call("crm.look", {"id": "7"}, execute=look)
        with pytest.raises(LimitReached):
            run.call("crm.look", {"id": "7"}, execute=look)
        for _ in range(2):
            with pytest.raises(Denied):
                run.call("crm.refund", {"id": "7", "amount": 900.0}, execute=lambda **args: pytest.fail("it ran"))
        with pytest.raises(ZeroDivisionError):
            run.call("crm.cached", {"key": "k"}, execute=lambda key: 1 / 0)
        run.answer("done")


def test_stats_from_the_audit_equal_the_live_ones(mediate: Callable[..., Mediator]) -> None:
    """The very same numbers, whether they were counted as it happened or read from the store afterwards."""
    live = Stats()
    mediator = mediate(RULES, watchers=[live])
    for user in ("u1", "u2", "u3"):
        busy(mediator, user)
    afterwards = Stats()
    for entry in mediator.audit.entries():
        afterwards.add(entry)
    assert live.result() == afterwards.result()
    told = live.result()
    assert told["completion"]["completed"] == 3
    assert told["completion"]["rate"] == 1.0


def test_each_stage_of_a_call_is_counted_once(mediate: Callable[..., Mediator]) -> None:
    """What the decision's record tells of a stage, the outcome's does not tell again: latencies count calls, not records."""
    live = Stats()
    mediator = mediate("", watchers=[live])
    with mediator.run(principal=USER, agent="bot", input="look up 7") as run:
        for _ in range(3):
            run.call("crm.look", {"id": "7"}, execute=lambda id: GOOD)
    stages = live.result()["latency"]
    assert {name: stages[name]["count"] for name in ("decide", "execute", "check")} == {
        "decide": 3, "execute": 3, "check": 3,
    }  # fmt: skip


def test_stats_stay_equal_when_threads_share_a_mediator(mediate: Callable[..., Mediator]) -> None:
    """Nothing is counted twice or lost under threads."""
    live = Stats()
    mediator = mediate("", watchers=[live])

    def work() -> None:
        with mediator.run(principal=USER) as run:
            for number in range(20):
                run.call("crm.look", {"id": str(number)}, execute=lambda id: GOOD)
            run.answer("done")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    afterwards = Stats()
    for entry in mediator.audit.entries():
        afterwards.add(entry)
    assert live.result() == afterwards.result()
    assert len([entry for entry in mediator.audit.entries() if entry.kind == "outcome"]) == 120


def test_spans_follow_the_run_and_the_tools_own_are_their_children(mediate: Callable[..., Mediator]) -> None:
    """`invoke_agent` holds `execute_tool`, which holds what the tool does; no argument or result is told."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    mediator = mediate("timeout slow on crm.* after 30s", telemetry=OpenTelemetry(tracer_provider=provider))

    def look(id: str) -> Any:
        with provider.get_tracer("tool").start_as_current_span("query"):
            return GOOD

    with mediator.run(principal=USER, agent="bot") as run:
        run.call("crm.look", {"id": "secret-7"}, execute=look)
    spans = {span.name: span for span in exporter.get_finished_spans()}
    agent, tool, query = spans["invoke_agent bot"], spans["execute_tool crm.look"], spans["query"]
    assert tool.parent is not None and tool.parent.span_id == agent.context.span_id
    assert query.parent is not None and query.parent.span_id == tool.context.span_id
    assert tool.attributes is not None and tool.attributes["policy.effect"] == "allow"
    assert not any("secret-7" in str(value) for span in spans.values() for value in (span.attributes or {}).values())
    assert trace.get_current_span().get_span_context().span_id == 0
