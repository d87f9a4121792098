"""A run remembers what it was told, hands out immutable views, and refuses to be scanned without end."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest

from policy_engine.base.decision import Decision, Label
from policy_engine.base.errors import EvaluationError
from policy_engine.base.limits import MAX_SCANNED_CALLS
from policy_engine.base.request import Approval, Event, Outcome, Request
from policy_engine.base.values import Timestamp
from policy_engine.runtime.trace.run import Run
from policy_engine.semantics.context import Provenance


class _Silent:
    def reason(self) -> str:
        return ""

    detail = reason

    def hint(self) -> None:
        return None

    def errors(self) -> tuple[()]:
        return ()


def output(effect: Any, result: Any, *labels: Label) -> Decision:
    return Decision(
        effect,
        "result",
        "t",
        args={"a": 1},
        rules=(),
        details=_Silent(),
        policy_digest="",
        obligations=labels,
        result=result,
    )


def begun(**more: Any) -> Run:
    return Run(clock=lambda: Timestamp(5), **more)


def test_calls_are_those_that_returned_and_attempts_are_all() -> None:
    """With tool, args, result, outcome, at, labels and id."""
    run = begun(id="r1", input="hello")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    run.record(Request(tool="a", args={"x": 1}, id="c1"), Outcome(result=[1], at=at))
    run.record(Request(tool="b"), Outcome(status="error", error="no"))
    run.record(Request(tool="c"), Outcome(status="denied"))
    value = run.snapshot().value
    assert [call["tool"] for call in value["calls"]] == ["a"]
    assert [(call["tool"], call["outcome"]) for call in value["attempts"]] == [
        ("a", "returned"), ("b", "error"), ("c", "denied"),
    ]  # fmt: skip
    assert value["calls"][0] == {
        "tool": "a", "args": {"x": 1}, "result": [1], "outcome": "returned",
        "at": Timestamp(int(at.timestamp()) * 10**9), "labels": [], "id": "c1",
    }  # fmt: skip
    assert value["id"] == "r1" and value["started"] == Timestamp(5)
    assert value["input"] == {"text": "hello", "source": "user", "verified": True}


def test_a_running_or_pending_call_is_completed_by_its_id() -> None:
    """It stays one attempt, in its place."""
    run = begun()
    for status in ("pending", "running", "returned"):
        run.record(Request(tool="a", id="c1"), Outcome(status=status, result=status))
        run.record(Request(tool="b"), Outcome())
    attempts = run.snapshot().value["attempts"]
    assert [(call["tool"], call["outcome"]) for call in attempts] == [
        ("a", "returned"), ("b", "returned"), ("b", "returned"), ("b", "returned"),
    ]  # fmt: skip
    run.record(Request(tool="a", id="c1"), Outcome())
    assert len(run.snapshot().value["attempts"]) == 5


def test_the_decision_about_the_result_gives_labels_and_what_the_agent_saw() -> None:
    """A withheld result was never seen, and its labels never entered."""
    run = begun()
    shown = output("redact", "DE1 ***", Label("p/l", "untrusted", "result", True))
    run.record(Request(tool="a"), Outcome(result="DE1 secret"), output=shown)
    hidden = output("withhold", "DE9", Label("p/l", "secret", "result", True))
    run.record(Request(tool="a"), Outcome(result="DE9"), decision=hidden)
    view = run.snapshot()
    assert view.labels("DE1") == ["untrusted"] and view.value["labels"] == ["untrusted"]
    assert view.origins("secret") == [] and view.origins("DE9") == []
    assert view.value["calls"][0]["args"] == {"a": 1}


def test_a_result_recorded_without_its_decision_is_judged() -> None:
    """So that no label rule is skipped."""
    run = begun(judge=lambda run, request, outcome, decision: output("pass", "DE1", Label("p/l", "u", "result", True)))
    run.record(Request(tool="a"), Outcome(result="DE1"))
    assert run.snapshot().labels("DE1") == ["u"]


def test_what_is_changed_afterwards_does_not_count() -> None:
    """Arguments and results are copied, views do not move."""
    run = begun(input="hello")
    args, result = {"x": ["DE1"]}, {"y": ["DE2"]}
    run.record(Request(tool="a", args=args), Outcome(result=result))
    view = run.snapshot()
    args["x"].append("DE8")
    result["y"].append("DE9")
    run.record(Request(tool="b"), Outcome(result="DE7"))
    assert view is not run.snapshot() and run.snapshot() is run.snapshot()
    assert view.origins("DE2") and not view.origins("DE9") and not view.origins("DE7") and not view.carried("DE8")


def test_events_add_words_and_steps_unless_they_were_refused() -> None:
    """What was refused never reached the agent."""
    run = begun(input="pay DE1")
    run.event(Event(name="@input", fields={"text": "and DE2"}))
    run.event(Event(name="@step", fields={"kind": "plan", "text": "think", "tokens": 3, "cost": 0.1}))
    run.event(Event(name="@input", fields={"text": "and DE3"}), decision=output("withhold", None))
    view = run.snapshot()
    assert view.said("DE1") and view.said("DE2") and not view.said("DE3")
    assert view.value["input"]["text"] == "and DE2"
    assert [step["tokens"] for step in view.value["steps"]] == [3]


def test_a_used_approval_stays_used() -> None:
    """By its id, and by what it says when it comes back under another id."""
    run = begun()
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    first = Approval(rule="p/r", queue="q", digest="d", expires=moment, approver={"id": "u1"}, id="a1")
    again = Approval(rule="p/r", queue="q", digest="d", expires=moment, approver={"id": "u1"}, id="a2")
    other = Approval(rule="p/r", queue="q", digest="d", expires=moment, approver={"id": "u2"})
    run.approval_used(first)
    view = run.snapshot()
    assert view.used(first) and view.used(again) and not view.used(other)


def test_a_run_too_long_to_scan_is_an_error() -> None:
    """One call more than the bound, and reading the whole run falls to the safe side; provenance needs no scan."""
    run = begun(input="hello")
    for _ in range(MAX_SCANNED_CALLS - 1):
        run.put_call("a", {"x": "y1"}, "returned", result="z1")
    assert len(run.snapshot().value["calls"]) == MAX_SCANNED_CALLS - 1
    run.put_call("a", {}, "returned")
    view = run.snapshot()
    with pytest.raises(EvaluationError) as caught:
        _ = view.value
    assert caught.value.kind == "too_costly"
    assert view.said("hello") and view.carried("y1") and len(view.origins("z1")) == MAX_SCANNED_CALLS - 1


def test_what_cannot_be_read_makes_questions_errors() -> None:
    """It is recorded, and nobody is told that it was clean."""
    run = begun(input="hello")
    run.record(Request(tool="a"), Outcome(result=object()))
    view = run.snapshot()
    with pytest.raises(EvaluationError) as caught:
        view.labels("x")
    assert caught.value.kind == "not_available"


def test_a_view_is_a_provenance_and_knows_who_is_there() -> None:
    """The engine knows nothing else of it."""
    view: Provenance = begun(attended=False).snapshot()
    assert view.said(None)
    assert begun(attended=False).snapshot().attended is False and begun().snapshot().attended is True


def test_threads_lose_nothing() -> None:
    """Eight threads record and look at the same time."""
    run = begun()

    def work(name: str) -> None:
        for number in range(50):
            run.record(Request(tool="t", args={"n": number}, id=f"{name}-{number}"), Outcome(result=f"{name}-{number}"))
            assert run.snapshot().origins(f"{name}-{number}")

    threads = [Thread(target=work, args=(f"w{index}",)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({call["id"] for call in run.snapshot().value["calls"]}) == 400


def test_broken_arguments_of_an_agent_do_not_spoil_the_run() -> None:
    """They say nothing; JSON text is read as the object it holds."""
    run = begun(input="hello")
    run.record(Request(tool="a", args='{"x": 1, "x": 2}'), Outcome(status="denied"))
    run.record(Request(tool="a", args="[1]"), Outcome(status="denied"))
    run.record(Request(tool="a", args='{"x": "C-1"}'), Outcome())
    view = run.snapshot()
    assert [call["args"] for call in view.value["attempts"]] == [{}, {}, {"x": "C-1"}]
    assert view.carried("C-1") and view.said("hello")
