"""What comes back: redaction, labels and validation of results and events. Whatever is in doubt is hidden."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policy_engine import Decision, Event, Outcome, Policy, Request

REDACT = 'rewrite r on crm.refund redact result.lines[*].email with "*"'
LABEL = "labels outside\nlabel l on crm.refund as outside at result.body"
VALID = "validate v on crm.refund require result.ok == true else withhold"


def result_of(policy: Policy, result: Any, **request: Any) -> Decision:
    call = Request(**{"tool": "crm.refund", "args": {"amount": 1.0}, **request})
    return policy.decide_result(call, Outcome(result=result))


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        ({"lines": [{"email": "a"}, {"x": 1}]}, {"lines": [{"email": "*"}, {"x": 1}]}),
        ({"lines": ({"email": ["a", "b"]},)}, {"lines": [{"email": "*"}]}),
        ({"lines": []}, {"lines": []}),
        ({"other": "a"}, {"other": "a"}),
    ],
)
def test_every_place_of_a_redaction_is_covered(shop: Callable[..., Policy], result: Any, shown: Any) -> None:
    """Whatever stands there, and in each element."""
    decision = result_of(shop(f"allow a on *\n{REDACT}"), result)
    assert (decision.effect, decision.rules, decision.result) == ("redact", ("shop/r",), shown)


@pytest.mark.parametrize(
    ("rules", "result"),
    [
        *((REDACT, result) for result in (
            "mail a@b.c", '{"lines": [{"email": "a"}]}', {"lines": "a@b.c"}, {"lines": None},
            {"lines": [{"email": "a"}, "mail"]}, {"lines": {"email": "a"}}, [{"lines": []}], None, 5,
        )),
        *((LABEL, result) for result in ("text", ["text"], None, 5)),
        (REDACT + " when result.flag", {"lines": []}),
        (LABEL + " when result.flag", {"body": "x"}),
        *((VALID, result) for result in ({}, {"ok": 1}, {"ok": "true"}, {"ok": [True]}, "ok", None, [])),
        *(("", result) for result in (float("nan"), {1: 2}, {"a": {1}}, "\ud800", 2**64, Ellipsis)),
    ],
    ids=repr,
)  # fmt: skip
def test_a_result_that_a_rule_cannot_reach_into_is_withheld(shop: Callable[..., Policy], rules: str, result: Any) -> None:
    """Text where a record was meant, an element of another kind, an error: nobody can say what would have been hidden."""
    decision = result_of(shop(f"allow a on *\n{rules}"), result)
    assert (decision.effect, decision.result, decision.allowed) == ("withhold", None, False)


def test_labels_stand_at_the_places_that_are_there(shop: Callable[..., Policy]) -> None:
    """Each element by its index; what is absent carries none."""
    policy = shop("labels outside\nallow a on *\nlabel l on crm.refund as outside at result.items[*].subject")
    decision = result_of(policy, {"items": [{"subject": "x"}, {}, {"subject": None}]})
    assert [(one.label, one.path) for one in decision.labels] == [
        ("outside", "result.items[0].subject"), ("outside", "result.items[2].subject"),
    ]  # fmt: skip


def test_a_declassification_in_doubt_takes_no_label_away(shop: Callable[..., Policy]) -> None:
    """The label stays, the error is listed."""
    policy = shop("labels outside\nallow a on *\nlabel l on crm.refund as outside\n"
                  "declassify d on crm.refund of outside when result.flag")  # fmt: skip
    decision = result_of(policy, "text")
    assert [(one.label, one.add) for one in decision.labels] == [("outside", True)]
    assert [error.rule for error in decision.errors] == ["shop/d"]


def test_a_validation_reads_what_came_back_not_what_is_shown(shop: Callable[..., Policy]) -> None:
    """A redaction must not hide a fault from a check."""
    policy = shop("allow a on *\nrewrite r on crm.refund redact result.card with \"*\"\n"
                  "validate v on crm.refund require result.card != \"4111\" else withhold")  # fmt: skip
    assert result_of(policy, {"card": "4111"}).effect == "withhold"
    assert result_of(policy, {"card": "x"}).result == {"card": "*"}


def test_the_strictest_end_of_failed_validations_counts(shop: Callable[..., Policy]) -> None:
    """fail, withhold, reply, retry; two different replies are withheld; without `else` it fails."""
    def effect(*ends: str) -> str:
        rules = "\n".join(f"validate v{n} on crm.refund require result.ok {end}" for n, end in enumerate(ends))
        return result_of(shop(f"allow a on *\n{rules}"), {"ok": False}).effect

    reply, withhold, retry = 'else reply "r"', "else withhold", "else retry up to 2 times"
    assert effect("") == "fail"
    assert effect(withhold, "") == "fail"
    assert effect(reply, withhold) == "withhold"
    assert effect(retry, reply) == "reply"
    assert effect(reply, 'else reply "s"') == "withhold"
    assert effect(reply, reply) == "reply"
    assert effect(retry) == "retry"


def test_results_of_calls_that_do_not_fit_are_withheld(shop: Callable[..., Policy]) -> None:
    """An unknown tool, or arguments that it does not take, in the words of the result phase."""
    policy = shop("allow a on *")
    for request in ({"tool": "nope"}, {"args": {"q": 1}}, {"args": None}, {"principal": 5}):
        decision = result_of(policy, {"ok": True}, **request)
        assert (decision.effect, decision.phase, decision.result) == ("withhold", "result", None)


@pytest.mark.parametrize(
    "event",
    [
        Event(name="@bogus", fields={"text": "x"}),  # type: ignore[arg-type]
        Event(name="crm.refund", fields={}),  # type: ignore[arg-type]
        Event(name="@answer", fields=[1]),  # type: ignore[arg-type]
        Event(name="@answer", fields={"text": float("nan")}),
        Event(name="@answer", fields={}),
        Event(name="@answer", fields={"text": 5}),
        Event(name="@answer", fields={"text": None}),
        Event(name="@answer", fields={"text": "my secret"}),
    ],
    ids=repr,
)
def test_events_that_cannot_be_read_do_not_pass(shop: Callable[..., Policy], event: Event) -> None:
    """A name that is none, fields that are none, a text that is no text."""
    policy = shop('allow a on *\nvalidate v on @answer require !answer.text.contains("secret") else withhold')
    decision = policy.decide_event(event)
    assert not decision.allowed and decision.result is None


def test_a_rule_on_all_tools_says_nothing_of_events_and_the_other_way_round(shop: Callable[..., Policy]) -> None:
    """`*` is every tool, `@*` every event."""
    answer = Event(name="@answer", fields={"text": "x"})
    tools, events = shop("deny d on *"), shop("allow a on *\ndeny d on @*")
    assert tools.decide_event(answer).allowed and not events.decide_event(answer).allowed
    assert events.decide(Request(tool="crm.lookup")).allowed


def test_tries_are_counted_by_the_host_and_end(shop: Callable[..., Policy]) -> None:
    """`retry up to 2 times` is two more tries, then what follows."""
    policy = shop('allow a on *\nvalidate v on @answer require answer.text != "x" else retry up to 2 times else reply "no"')
    event = Event(name="@answer", fields={"text": "x"})
    assert [policy.decide_event(event, attempt=n).effect for n in range(4)] == ["retry", "retry", "reply", "reply"]
