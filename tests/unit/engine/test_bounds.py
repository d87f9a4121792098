"""What follows where a limit, a timeout or a breaker stops a call, where an attempt failed, and what a call really used."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from policy_engine import Approval, Decision, Event, HostFunction, Outcome, Policy, Request, loads
from policy_engine.runtime.bounds.failing import CallError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAFE = {"idempotentHint": True}


def shop(rules: str) -> Policy:
    """A policy over tools that take any arguments, at a moment that does not pass."""
    return loads(f"policy shop\nqueues boss, chief\nallow all on shop.pay, shop.note\n{rules}", clock=lambda: NOW)


def pay(**args: Any) -> Request:
    """A payment of 5 that u1 asked for."""
    return Request(tool="shop.pay", args={"amount": 5.0, **args}, principal={"id": "u1"})


def over(policy: Policy, request: Request, rule: str = "shop/l", approvals: tuple[Approval, ...] = ()) -> Decision:
    """What becomes of an allowed call beyond a limit."""
    return policy.bounds.over_limit(request, policy.decide(request), rule, approvals=approvals)


def answers(asked: Decision, answer: Any, who: str = "ann") -> tuple[Approval, ...]:
    """One person's answer to each question."""
    approver = {} if answer == "silent" else {"id": who}
    return tuple(
        Approval(rule=ask.rule, queue=ask.queue, digest=ask.digest, expires=ask.expires, approver=approver, answer=answer)
        for ask in asked.asks
    )


# ---------------------------------------------------------------------- beyond a limit
def test_beyond_a_limit_is_a_deny_by_its_id() -> None:
    """With its `because`, or words that leak nothing; the operator reads which limit it was."""
    limit = "limit l on shop.pay to 5 per 1h"
    plain = over(shop(limit), pay())
    assert (plain.effect, plain.rules, plain.reason) == ("deny", ("shop/l",), "a limit for this is reached")
    assert "over the limit" in plain.detail
    told = over(shop(f'{limit} because "five an hour"'), pay())
    assert told.reason == "five an hour"


def test_else_reply_is_said_to_the_agent() -> None:
    """The text is worked out from the call; one that cannot be is a plain deny with the error."""
    policy = shop('limit l on shop.pay to 5 per 1h else reply "not " + args.who')
    said = over(policy, pay(who="bob"))
    assert said.effect == "deny" and said.degradation is not None and said.degradation.text == "not bob"
    broken = over(policy, pay())
    assert (broken.degradation, [error.rule for error in broken.errors]) == (None, ["shop/l"])


def test_else_set_is_decided_again_once() -> None:
    """The smaller call passes with its own obligations; beyond a limit again, it is denied; where rules deny it, so is it."""
    rules = "limit l on shop.pay to 9 of args.amount per 1h else set args.amount to 1.0"
    policy, request = shop(rules), pay()
    smaller = over(policy, request)
    assert (smaller.effect, smaller.args) == ("allow", {"amount": 1.0})
    assert smaller.degradation is not None and smaller.degradation.kind == "set"
    assert [reserve.amount for reserve in smaller.reserves] == [1.0]
    assert policy.bounds.over_limit(request, smaller, "shop/l").effect == "deny"
    denied = over(shop(f"{rules}\ndeny small on shop.pay when args.amount < 2.0"), request)
    assert (denied.effect, denied.rules) == ("deny", ("shop/l",))


def test_else_call_names_another_call_with_its_own_obligations() -> None:
    """The first is denied; the other one is decided on its own, and nothing follows it when it is stopped too."""
    policy = shop(
        'limit l on shop.pay to 5 per 1h else call shop.note with {"text": "later"}\n'
        'limit notes on shop.note to 5 per 1h else reply "no more notes"'
    )
    request = pay()
    first = over(policy, request)
    assert first.effect == "deny" and first.degradation is not None
    assert (first.degradation.tool, first.degradation.args) == ("shop.note", {"text": "later"})
    found = policy.bounds.instead(request, first)
    assert found is not None
    other, decision = found
    assert (other.tool, decision.effect, [one.rule for one in decision.reserves]) == ("shop.note", "allow", ["shop/notes"])
    end = policy.bounds.over_limit(other, decision, "shop/notes")
    assert (end.effect, end.degradation) == ("deny", None)
    assert policy.bounds.instead(request, policy.decide(request)) is None


def test_else_escalate_asks_and_counts_only_answers_to_this_call() -> None:
    """Asked with its obligations; approved, the call may go beyond this limit; refused is final; silence leads on."""
    policy = shop(
        "limit l on shop.pay to 5 per 1h else escalate to boss within 1h else to chief within 2h else reply \"nobody\""
    )
    request = pay()
    asked = over(policy, request)
    assert (asked.effect, asked.rules, [ask.queue for ask in asked.asks]) == ("escalate", ("shop/l",), ["boss"])
    assert [reserve.rule for reserve in asked.reserves] == ["shop/l"]
    assert over(policy, request, approvals=answers(asked, "approved")).effect == "allow"
    assert over(policy, pay(amount=6.0), approvals=answers(asked, "approved")).effect == "escalate"
    assert over(policy, request, approvals=answers(asked, "approved", "u1")).effect == "escalate"
    assert over(policy, request, approvals=answers(asked, "refused")).effect == "deny"
    later = over(policy, request, approvals=answers(asked, "silent"))
    assert [ask.queue for ask in later.asks] == ["chief"]
    end = over(policy, request, approvals=(*answers(asked, "silent"), *answers(later, "silent")))
    assert end.effect == "deny" and end.degradation is not None and end.degradation.text == "nobody"


def test_a_changed_limit_is_asked_anew() -> None:
    """An approval is for the bound that was shown; the same limit with another bound is another question."""
    rule = "limit l on shop.pay to {} per 1h else escalate to boss within 1h"
    request = pay()
    asked = over(shop(rule.format(5)), request)
    assert over(shop(rule.format(5)), request, approvals=answers(asked, "approved")).effect == "allow"
    assert over(shop(rule.format(6)), request, approvals=answers(asked, "approved")).effect == "escalate"
    assert over(shop(rule.format(5)), request).asks[0].binding == asked.asks[0].binding


def test_a_limit_asks_beside_those_who_are_asked_already() -> None:
    """The call waits for all of them."""
    policy = shop("escalate e on shop.pay to chief within 1h\nlimit l on shop.pay to 5 per 1h else escalate to boss within 1h")
    asked = over(policy, pay())
    assert (asked.effect, asked.rules) == ("escalate", ("shop/e", "shop/l"))
    assert sorted(ask.queue for ask in asked.asks) == ["boss", "chief"]


def test_beyond_an_observed_limit_the_call_goes_on() -> None:
    """And the decision says what would have refused it."""
    policy = shop("observe limit l on shop.pay to 5 per 1h")
    decision = over(policy, pay())
    assert (decision.effect, decision.observed, len(decision.reserves)) == ("allow", ("shop/l",), 1)


def test_an_event_beyond_its_limit_is_denied_replaced_or_asked_about() -> None:
    """As calls are, but for another call."""
    event = Event(name="@answer", fields={"text": "hello", "data": None}, principal={"id": "u1"})
    for ending, effect in (("", "deny"), ('else reply "enough"', "reply"), ("else escalate to boss within 1h", "escalate")):
        policy = shop(f"limit l on @answer to 3 per run {ending}")
        decision = policy.bounds.over_limit(event, policy.decide_event(event), "shop/l")
        assert (decision.effect, decision.phase, decision.rules) == (effect, "event", ("shop/l",))
        met = policy.bounds.over_limit(event, policy.decide_event(event), "shop/l", approvals=answers(decision, "approved"))
        assert met.effect == ("pass" if effect == "escalate" else effect)


# ---------------------------------------------------------------------- time and breakers
def test_what_took_too_long_ends_as_its_rule_says() -> None:
    """The rule of the decision's own timeout: deny, reply or another call."""
    for ending, kind in (("", None), ('else reply "slow"', "reply"), ('else call shop.note with {"a": 1}', "call")):
        policy = shop(f"timeout l on shop.pay after 2s {ending}\ntimeout m on shop.pay after 3s")
        request = pay()
        decision = policy.bounds.timed_out(request, policy.decide(request))
        assert (decision.effect, decision.rules) == ("deny", ("shop/l",))
        assert (None if decision.degradation is None else decision.degradation.kind) == kind
        assert "may have happened" in decision.reason


def test_an_open_breaker_refuses_as_its_rule_says() -> None:
    """All enforced breakers of a tool are asked; an observed one is not."""
    policy = shop(
        'breaker l on shop.* open after 5 failures in 30s probe after 1m else reply "down"\n'
        "observe breaker m on shop.pay open after 1 failures in 1s probe after 1s"
    )
    assert [(rule, breaker.failures) for rule, breaker in policy.bounds.breakers("shop.pay")] == [("shop/l", 5)]
    assert policy.bounds.breakers("nobody") == ()
    request = pay()
    decision = policy.bounds.broken(request, policy.decide(request), "shop/l")
    assert decision.effect == "deny" and decision.degradation is not None and decision.degradation.text == "down"


def test_the_time_of_runs_and_of_checks_is_known_before() -> None:
    """By the event's own fields; without a rule there is none."""
    policy = shop(
        "timeout run on @run after 10m\ntimeout short on @run after 1m when principal.id == \"u2\"\n"
        "timeout check on @answer after 2s when answer.text.size() > 3\ntimeout sure on @step after 1s when step.kind == ''"
    )
    run = Event(name="@run", fields={}, principal={"id": "u1"})

    def owed(event: Event) -> Any:
        timeout = policy.bounds.event_timeout(event)
        return timeout and (timeout.rule, timeout.after)

    assert owed(run) == ("shop/run", timedelta(minutes=10))
    assert owed(replace(run, principal={"id": "u2"})) == ("shop/short", timedelta(minutes=1))
    assert owed(Event(name="@answer", fields={"text": "hello"})) == ("shop/check", timedelta(seconds=2))
    assert owed(Event(name="@answer", fields={"text": ""})) is None
    assert owed(Event(name="@step", fields=object())) == ("shop/sure", timedelta(seconds=1))  # type: ignore[arg-type]
    late = policy.bounds.timed_out(Event(name="@answer", fields={"text": "hello"}), None, "shop/check")
    assert (late.effect, late.phase, late.rules) == ("deny", "event", ("shop/check",))


def test_an_observed_timeout_ends_nothing_and_says_what_it_would_have_ended() -> None:
    """It owes nothing; told how long the call took, it is named or not."""
    policy = shop("observe timeout l on shop.pay after 2s\nobserve timeout m on shop.pay after 9s")
    request = pay()
    decision = policy.decide(request)
    assert decision.obligations == ()
    assert policy.bounds.overdue(request, decision, timedelta(seconds=3)) == ("shop/l",)
    assert policy.bounds.overdue(request, decision, timedelta(seconds=1)) == ()


# ---------------------------------------------------------------------- failures
def failed(policy: Policy, request: Request, **error: Any) -> Any:
    """The verdict on a failed attempt."""
    fields = {"kind": "timeout", "message": "slow", "attempt": 1, "retryable": True, **error}
    return policy.bounds.on_error(request, policy.decide(request), CallError(**fields))


def test_a_tool_is_tried_again_only_where_that_does_no_harm() -> None:
    """Read-only or idempotent, by the schema or by the host; and the rule must call the error retryable."""
    policy = shop("retry l on shop.pay up to 3 times when error.retryable")
    assert failed(policy, pay()).retry is None
    assert not policy.bounds.repeatable(pay())
    for hints in (SAFE, {"readOnlyHint": True}):
        assert failed(policy, replace(pay(), annotations=hints)).retry_rule == "shop/l"
    for hints in ({"readOnlyHint": "true"}, {"idempotentHint": False}, {"destructiveHint": False}):
        assert failed(policy, replace(pay(), annotations=hints)).retry is None
    assert failed(policy, replace(pay(), annotations=SAFE), retryable=False).retry is None


def test_so_many_more_tries_and_no_more() -> None:
    """`up to 2 times` is two after the first; pauses are 200ms to 5s unless the rule says."""
    policy = shop("retry l on shop.pay up to 2 times")
    request = replace(pay(), annotations=SAFE)
    assert [failed(policy, request, attempt=number).retry is not None for number in (1, 2, 3)] == [True, True, False]
    retry = failed(policy, request).retry
    assert (retry.times, retry.first_nanos, retry.last_nanos) == (2, 200_000_000, 5_000_000_000)


def test_of_several_retry_rules_the_one_with_most_tries_counts() -> None:
    """Of those the one that waits longer first; an observed one tries nothing again."""
    policy = shop(
        "retry a on shop.pay up to 2 times\nretry b on shop.pay up to 3 times backoff 1s..2s\n"
        "retry c on shop.pay up to 3 times\nobserve retry d on shop.pay up to 9 times"
    )
    verdict = failed(policy, replace(pay(), annotations=SAFE))
    assert (verdict.retry_rule, verdict.observed) == ("shop/b", ("shop/d",))


def test_a_breaker_counts_the_failures_it_names_and_those_nobody_can_judge() -> None:
    """An error in its guard counts; in the guard of a retry it does not try again."""
    policy = shop(
        'breaker a on shop.pay open after 5 failures in 30s probe after 1m when error.kind == "timeout"\n'
        "breaker b on shop.pay open after 5 failures in 30s probe after 1m when args.gone > 1\n"
        "retry c on shop.pay up to 3 times when args.gone > 1"
    )
    request = replace(pay(), annotations=SAFE)
    verdict = failed(policy, request, kind="timeout")
    assert [(rule, counts) for rule, _, counts in verdict.breakers] == [("shop/a", True), ("shop/b", True)]
    assert (verdict.retry, [error.rule for error in verdict.errors]) == (None, ["shop/b", "shop/c"])
    other = failed(policy, request, kind="no such user")
    assert [(rule, counts) for rule, _, counts in other.breakers] == [("shop/a", False), ("shop/b", True)]
    broken = failed(policy, request, message=object())
    assert all(counts for _, _, counts in broken.breakers) and broken.retry is None and broken.errors


# ---------------------------------------------------------------------- what it really used
def test_what_was_used_is_settled_by_what_came_back() -> None:
    """Costs and results; what is no amount keeps what was reserved, and says so."""
    policy = shop(
        "limit cost on shop.pay to 9.0 of call.cost reserve 1 per run\n"
        "limit rows on shop.pay to 9.0 of result.rows reserve 1 per run\nlimit known on shop.pay to 9 of args.amount per run"
    )
    request = pay()
    decision = policy.decide(request)
    both = policy.bounds.settle(request, Outcome(result={"rows": 3}, cost=0.25), decision)
    assert both == {"shop/cost": 0.25, "shop/rows": 3.0} and both.errors == ()
    for result, cost in (({"rows": -3}, 0.25), ({"rows": "3"}, 0.25), ({}, 0.25)):
        one = policy.bounds.settle(request, Outcome(result=result, cost=cost), decision)
        assert one == {"shop/cost": 0.25} and [error.rule for error in one.errors] == ["shop/rows"]
    assert policy.bounds.settle(request, Outcome(result={"rows": 3}, cost=float("nan")), decision) == {"shop/rows": 3.0}
    unread = policy.bounds.settle(request, Outcome(result=object()), decision)
    assert unread == {} and unread.errors


# ---------------------------------------------------------------------- faults
@pytest.mark.parametrize("rule", ["shop/none", "", "shop/all"])
def test_a_question_about_no_rule_is_a_refusal(rule: str) -> None:
    """Never an exception, never a grant."""
    policy = shop("limit l on shop.pay to 5 per 1h")
    request = pay()
    decision = policy.decide(request)
    for made in (
        policy.bounds.over_limit(request, decision, rule), policy.bounds.timed_out(request, decision, rule),
        policy.bounds.broken(request, decision, rule), policy.bounds.over_limit(replace(request, tool="x"), decision, rule),
    ):  # fmt: skip
        assert (made.effect, [error.rule for error in made.errors]) == ("deny", ["engine"])


def test_what_a_function_answered_is_not_asked_again() -> None:
    """The decision and what follows it speak of one value; from the record it can be made again later, without asking."""
    asked: list[str] = []

    def level(name: str) -> float:
        asked.append(name)
        return float(len(asked))

    policy = loads(
        'policy shop\nallow all on shop.pay\n'
        'limit l on shop.pay to level("a") per 1h else reply string(level("a")) + " " + string(level("b"))',
        functions=[HostFunction("level", ["string"], "double", level)], clock=lambda: NOW,
    )  # fmt: skip
    request = pay()
    decision = policy.decide(request)
    stopped = policy.bounds.over_limit(request, decision, "shop/l")
    assert stopped.degradation is not None and stopped.degradation.text == "1 2"
    assert asked == ["a", "b"]
    again = policy.bounds.over_limit(request, decision, "shop/l", recorded=stopped.recorded)
    assert again.degradation == stopped.degradation and asked == ["a", "b"]
