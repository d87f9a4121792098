"""Functions of the host: typed, asked once a decision under a deadline, recorded, and on the safe side when they fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from policy_engine import Event, HostFunction, Policy, PolicyError, Request, check, loads
from policy_engine.assembly.deadlines import MOST_AT_ONCE

HEAD = """policy p
allow fine on mail.send
"""
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def policy_of(rules: str, *functions: HostFunction) -> Policy:
    return loads(HEAD + rules, functions=functions, clock=lambda: NOW)


def judge(call: Callable[..., Any], **options: Any) -> HostFunction:
    return HostFunction("judge", ["string"], "bool", call, **options)


def send(text: str = "x") -> Request:
    return Request(tool="mail.send", args={"text": text})


def test_a_pure_function_is_called_with_plain_python_and_its_type_is_checked() -> None:
    """Arguments arrive as Python values, a wrong type is found when the policy is loaded."""
    seen: list[Any] = []
    weigh = HostFunction("weigh", ["list(string)", "timestamp"], "double", lambda *given: seen.append(given) or 3, pure=True)
    policy = policy_of("deny heavy on mail.send when weigh([args.text], now) > 2.5", weigh)
    assert policy.decide(send()).rules == ("p/heavy",)
    assert seen[0] == (["x"], NOW)
    with pytest.raises(PolicyError) as problem:
        policy_of("deny heavy on mail.send when weigh(['a'], 1) > 2.5", weigh)
    assert {one.code.name for one in problem.value.diagnostics} >= {"type-mismatch"}


def test_a_function_that_is_not_pure_is_asked_once_and_recorded() -> None:
    """Two rules, a hint, errors and detail: one question; the decision holds the answer and makes itself again from it."""
    asked: list[str] = []
    policy = policy_of(
        "deny rude on mail.send when judge(args.text)\n"
        "deny cold on mail.send when judge(args.text) && args.text != 'y' because \"no\"",
        judge(lambda text: not asked.append(text)),
    )
    decision = policy.decide(send())
    assert decision.rules == ("p/cold", "p/rude")
    assert (decision.reason, decision.errors, decision.hint) == ("no", (), None)
    assert asked == ["x"]
    assert [(one.function, one.args, one.value, one.error) for one in decision.recorded] == [("judge", ("x",), True, None)]
    again = policy.decide(send(), recorded=decision.recorded)
    assert (again.effect, again.rules, again.recorded) == (decision.effect, decision.rules, decision.recorded)
    assert policy.decide(send("z"), recorded=decision.recorded).errors[0].kind == "not_available"
    assert asked == ["x"]


def test_an_answer_that_changes_does_not_change_a_decision() -> None:
    """What was said while it was decided holds for its errors and explanation too; the next decision asks again."""
    answers = iter([True, False])
    policy = policy_of("deny rude on mail.send when judge(args.text)", judge(lambda text: next(answers)))
    explained = policy.explain(send())
    assert explained.decision.effect == "deny"
    assert {rule.rule: rule.came_to for rule in explained.rules}["p/rude"] == "true"
    assert len(explained.decision.recorded) == 1
    assert policy.decide(send()).effect == "allow"


def fails(text: str) -> bool:
    raise ValueError(text)


FAULTS: list[tuple[str, Callable[[str], Any]]] = [
    ("failed (ValueError)", fails),
    ("returned something else than bool", lambda text: text),
    ("returned something else than bool", lambda text: 1),
    ("returned no value that a policy can read", lambda text: {1, 2}),
    ("failed (SystemExit)", lambda text: exit(1)),
]


@pytest.mark.parametrize("pure", [False, True])
@pytest.mark.parametrize(("problem", "call"), FAULTS[:4])
def test_a_failing_function_is_an_error_of_its_condition(problem: str, call: Callable[[str], Any], pure: bool) -> None:
    """`deny` denies, `allow` does not apply, the error is listed without values, and asked once it is not asked again."""
    policy = policy_of("deny rude on mail.send when judge(args.text)", judge(call, pure=pure))
    decision = policy.decide(send("a secret"))
    assert decision.effect == "deny"
    assert [error.kind for error in decision.errors] == ["not_available"]
    assert problem in decision.errors[0].message
    assert "a secret" not in decision.errors[0].message
    only = loads("policy p\nallow fine on mail.send when judge(args.text)", functions=[judge(call, pure=pure)])
    assert only.decide(send()).effect == "deny"


def test_a_function_that_ends_its_thread_ends_nothing_else() -> None:
    """`exit()` in a function is one more failure."""
    decision = policy_of("deny rude on mail.send when judge(args.text)", judge(FAULTS[4][1])).decide(send())
    assert "failed (SystemExit)" in decision.errors[0].message
    assert decision.recorded[0].error == decision.errors[0].message


def test_a_missed_deadline_is_an_error_and_counted() -> None:
    """The decision comes in time, the late answer changes nothing, and what still runs is bounded."""
    gate = threading.Event()
    slow = judge(lambda text: gate.wait(30), deadline=timedelta(milliseconds=20))
    policy = policy_of("deny rude on mail.send when judge(args.text)", slow)
    begin = time.monotonic()
    decision = policy.decide(send())
    assert time.monotonic() - begin < 5
    assert decision.effect == "deny"
    assert "did not answer within" in decision.errors[0].message
    assert (slow.missed, slow.running) == (1, 1)
    for number in range(MOST_AT_ONCE + 3):
        decision = policy.decide(send(str(number)))
    assert slow.running == MOST_AT_ONCE
    assert "is busy with" in decision.errors[0].message
    gate.set()
    for _ in range(500):
        if slow.running == 0:
            break
        time.sleep(0.01)
    assert slow.running == 0
    assert policy.decide(send()).effect == "deny"
    assert decision.errors[0].message.startswith("`judge` is busy")


def test_events_and_results_record_too() -> None:
    """A judge of answers is asked once an event, and the same decision can be made again."""
    asked: list[str] = []
    policy = policy_of(
        "validate kind on @answer require judge(answer.text) else withhold", judge(lambda text: bool(asked.append(text)))
    )
    event = Event(name="@answer", fields={"text": "hm"})
    decision = policy.decide_event(event)
    assert (decision.effect, len(decision.recorded), asked) == ("withhold", 1, ["hm"])
    assert policy.decide_event(event, recorded=decision.recorded).effect == "withhold"
    assert asked == ["hm"]


def test_a_smaller_call_is_decided_in_the_same_decision() -> None:
    """Functions hear the same arguments once, also where a rewrite changed others."""
    asked: list[str] = []
    policy = policy_of(
        "rewrite short on mail.send set args.n to 1 when judge(args.text)\ndeny rude on mail.send when !judge(args.text)",
        judge(lambda text: not asked.append(text)),
    )
    decision = policy.decide(Request(tool="mail.send", args={"text": "x", "n": 2}))
    assert (decision.effect, decision.args, asked) == ("allow", {"text": "x", "n": 1}, ["x"])


@pytest.mark.parametrize(("name", "params", "result"), [
    ("a.b", ["string"], "bool"), ("", [], "bool"), ("f", ["strin"], "bool"), ("f", ["list("], "bool"), ("f", [], "1"),
])  # fmt: skip
def test_a_name_or_type_that_policies_cannot_use_is_refused(name: str, params: list[str], result: str) -> None:
    """At once, where it is written."""
    with pytest.raises(ValueError, match="`"):
        HostFunction(name, params, result, lambda: True)


def test_a_name_of_the_language_cannot_be_taken(tmp_path: Any) -> None:
    """`said` means what it means; `check` knows the host's functions too."""
    with pytest.raises(PolicyError) as problem:
        policy_of("", HostFunction("said", ["dyn"], "bool", lambda value: True))
    assert problem.value.diagnostics[0].code.name == "hidden-function"
    path = tmp_path / "p.policy"
    path.write_text(HEAD + "deny rude on mail.send when judge(args.text)")
    assert check(path)[0].code.name == "unknown-function"
    assert "unknown-function" not in [one.code.name for one in check(path, functions=[judge(fails)])]
