"""What an allowed call owes: an amount of each limit that matches it, and the time it may take."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from policy_engine import Event, Policy, Request, loads
from policy_engine.base.decision import Reserve, Window
from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import UInt
from policy_engine.runtime.keys import item_text, key_text

ALLOW = "allow all on shop.pay, shop.look\n"


_TOOLS = '[{"name": "shop.pay", "inputSchema": {}}]'


def shop(rules: str) -> Policy:
    """A policy over tools that take any arguments."""
    return loads(f"policy shop\n{rules}")


def refund(**args: Any) -> Request:
    """A refund of 5 for u1."""
    return Request(tool="shop.pay", args={"amount": 5.0, **args}, principal={"id": "u1"})


def reserves(policy: Policy, **args: Any) -> dict[str, Reserve]:
    """The reserves of an allowed refund by rule."""
    decision = policy.decide(refund(**args))
    assert decision.effect == "allow", decision.errors
    return {reserve.rule.removeprefix("shop/"): reserve for reserve in decision.reserves}


def test_each_form_of_a_limit_is_a_reserve() -> None:
    """How often, how much, of how many, until later, at once: amount, keys, bound and window as written."""
    policy = shop(
        ALLOW
        + """limit rate on shop.pay to 5 per 1h30m by principal.id, args.amount
limit volume on shop.pay to 500 of args.amount per day in "Europe/Berlin" by has(args.note)
limit notes on * to 3 of distinct args.note per month
limit spend on * to 2.5 of call.cost reserve 0.5 per run
limit places on * to 4 at once
"""
    )
    found = reserves(policy, note="x")
    assert found == {
        "rate": Reserve("shop/rate", 1.0, ("text:u1", "number:5"), 5.0, Window("sliding", 5_400_000_000_000)),
        "volume": Reserve("shop/volume", 5.0, ("bool:True",), 500.0, Window("calendar", 0, "day", "Europe/Berlin")),
        "notes": Reserve("shop/notes", 1.0, (), 3.0, Window("calendar", 0, "month", "UTC"), "text:x"),
        "spend": Reserve("shop/spend", 0.5, (), 2.5, Window("run"), None, True),
        "places": Reserve("shop/places", 1.0, (), 4.0, Window("at_once")),
    }
    assert list(found) == sorted(found)


def test_only_limits_whose_guards_hold_are_reserved() -> None:
    """`when` and `unless` choose; a denied call reserves nothing."""
    policy = shop(
        "allow all on shop.pay when args.amount < 100.0\nlimit a on shop.pay to 1 per 1h when args.amount > 10.0\n"
        "limit b on shop.pay to 1 per 1h unless args.amount > 10.0"
    )
    assert list(reserves(policy)) == ["b"]
    assert list(reserves(policy, amount=20.0)) == ["a"]
    assert policy.decide(refund(amount=200.0)).obligations == ()


def test_what_was_rewritten_is_what_counts() -> None:
    """The amount is that of the decided arguments."""
    policy = shop(ALLOW + "rewrite cap on shop.pay set args.amount to 3.0\nlimit a on shop.pay to 9 of args.amount per 1h")
    assert reserves(policy, amount=50.0)["a"].amount == 3.0


def test_an_escalated_call_owes_as_well() -> None:
    """Sums are held while a person thinks, so that they are told with the question."""
    decision = shop(
        ALLOW + "queues boss\nescalate e on shop.pay to boss within 5m\nlimit a on shop.pay to 9 per 1h\n"
        "timeout t on shop.pay after 2s"
    ).decide(refund())
    assert [type(one).__name__ for one in decision.obligations] == ["Ask", "Reserve", "Timeout"]
    (ask,) = decision.asks
    assert ask.binding and ask.binding != ask.digest


WRONG = [
    ("limit a on shop.pay to 9 of args.amount per 1h", {"amount": -1.0}, "invalid_argument"),
    ("limit a on shop.pay to 9 of args.amount / double(args.count) per 1h", {"count": 0}, "invalid_argument"),
    ("limit a on shop.pay to 9 of args.meta.n per 1h", {"meta": {"n": "x"}}, "no_such_overload"),
    ("limit a on shop.pay to 9 of args.meta.n per 1h", {"meta": {"n": True}}, "no_such_overload"),
    ("limit a on shop.pay to 9 of args.meta.n per 1h", {"meta": {}}, "no_such_field"),
    ("limit a on shop.pay to args.meta.n per 1h", {"meta": {"n": "5"}}, "no_such_overload"),
    ("limit a on shop.pay to args.amount / double(args.count) per 1h", {"count": 0}, "invalid_argument"),
    ("limit a on shop.pay to 9 per 1h by args.tags", {"tags": ["x"]}, "no_such_overload"),
    ("limit a on shop.pay to 9 per 1h by args.meta.k", {"meta": {"k": None}}, "no_such_overload"),
    ("limit a on shop.pay to 9 per 1h when args.meta.n > 1", {"meta": {"n": "x"}}, "no_such_overload"),
    ("limit a on shop.pay to 9.0 of call.cost reserve args.amount per run", {"amount": -0.5}, "invalid_argument"),
]


@pytest.mark.parametrize(("rule", "args", "kind"), WRONG)
def test_a_limit_that_cannot_be_worked_out_refuses(rule: str, args: dict[str, Any], kind: str) -> None:
    """Guard, bound, amount or key: the call is denied by that limit, and the error is listed; other calls pass."""
    policy = shop(ALLOW + rule)
    decision = policy.decide(refund(**args))
    assert (decision.effect, decision.rules, decision.obligations) == ("deny", ("shop/a",), ())
    assert [(error.rule, error.kind) for error in decision.errors] == [("shop/a", kind)]
    assert decision.hint is None
    assert policy.decide(Request(tool="shop.look", args={})).effect == "allow"


@pytest.mark.parametrize(("rule", "args", "kind"), WRONG)
def test_an_observed_limit_refuses_nobody(rule: str, args: dict[str, Any], kind: str) -> None:
    """It would have refused, and says so."""
    decision = shop(f"{ALLOW}observe {rule}").decide(refund(**args))
    assert (decision.effect, decision.rules, decision.observed) == ("allow", ("shop/all",), ("shop/a",))
    assert [(error.rule, error.kind) for error in decision.errors] == [("shop/a", kind)]


def test_an_observed_limit_is_counted_and_marked() -> None:
    """So that whoever counts can tell when it would have refused."""
    decision = shop(ALLOW + "observe limit a on shop.pay to 9 per 1h").decide(refund())
    assert [reserve.observe for reserve in decision.reserves] == [True]
    assert decision.observed == ()


def test_the_shortest_timeout_that_applies_is_owed() -> None:
    """One that is not sure to apply does; an observed one ends nothing."""
    policy = shop(
        ALLOW + "timeout a on * after 10s\ntimeout b on shop.pay after 2s when args.amount > 10.0\n"
        "observe timeout c on * after 1s\ntimeout d on * after 5s when args.meta.n > 1"
    )

    def owed(**args: Any) -> tuple[str, timedelta]:
        timeout = policy.decide(refund(**args)).timeout
        assert timeout is not None
        return timeout.rule, timeout.after

    assert owed(meta={"n": 1}) == ("shop/a", timedelta(seconds=10))
    assert owed(meta={"n": 1}, amount=20.0) == ("shop/b", timedelta(seconds=2))
    assert owed(meta={}) == ("shop/d", timedelta(seconds=5))
    assert [error.rule for error in policy.decide(refund(meta={})).errors] == ["shop/d"]


def test_events_owe_what_limits_and_timeouts_say() -> None:
    """By their own fields; what is denied or replaced owes nothing."""
    policy = shop(
        "limit tokens on @step to 1000 of step.tokens per run\ntimeout t on @step after 3s\n"
        'deny bad on @step when step.kind == "bad"\nvalidate v on @step require step.kind != "worse" else withhold'
    )

    def step(kind: str, tokens: int = 7) -> Event:
        return Event(name="@step", fields={"kind": kind, "text": "", "tokens": tokens, "cost": 0.0})

    decision = policy.decide_event(step("plan"))
    assert [reserve.amount for reserve in decision.reserves] == [7.0]
    assert decision.timeout is not None and decision.timeout.after == timedelta(seconds=3)
    assert policy.decide_event(step("bad")).obligations == policy.decide_event(step("worse")).obligations == ()
    refused = policy.decide_event(step("plan", -1))
    assert (refused.effect, refused.rules, [error.kind for error in refused.errors]) == (
        "deny", ("shop/tokens",), ["invalid_argument"],
    )  # fmt: skip


def test_a_policy_says_whether_it_needs_a_mediator() -> None:
    """Any limit, timeout, retry or breaker, in whatever layer."""
    assert not shop(ALLOW).mediated
    for rule in (
        "limit a on * to 1 per 1h", "timeout a on @run after 1s", "retry a on * up to 1 times",
        "breaker a on * open after 1 failures in 1s probe after 1s", "observe limit a on @answer to 1 per 1h",
    ):  # fmt: skip
        assert shop(ALLOW + rule).mediated
        files = {"base.policy": f"policy base\nuse tools \"tools.json\"\ndefault abstain\n{rule}", "tools.json": _TOOLS}
        assert loads(f'policy shop\nunder "base.policy"\n{ALLOW}', files=files).mediated


# ---------------------------------------------------------------------- keys and items
SCALARS = st.one_of(
    st.text(max_size=6), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**64 - 1).map(UInt),
    st.floats(allow_nan=False), st.sampled_from([0.0, -0.0, 1.0, 2.0**63, UInt(1), 1, "1", True]),
)  # fmt: skip
ITEMS = st.recursive(
    st.one_of(SCALARS, st.none(), st.binary(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=3)), max_leaves=6,
)  # fmt: skip


def same(left: Any, right: Any) -> bool:
    """Equality as the language has it: numbers by value, all else by kind too."""
    if isinstance(left, bool) or isinstance(right, bool) or not isinstance(left, int | float):
        if type(left) is not type(right):
            return False
        if isinstance(left, list):
            return len(left) == len(right) and all(map(same, left, right))
        if isinstance(left, dict):
            return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
        return bool(left == right)
    return isinstance(right, int | float) and left == right


@given(SCALARS, SCALARS)
def test_keys_are_one_text_where_they_are_equal_and_never_where_they_are_not(left: Any, right: Any) -> None:
    """Tenants never meet, and one tenant is always one."""
    assert (key_text(left) == key_text(right)) == same(left, right)


@given(ITEMS, ITEMS)
def test_items_are_one_text_where_they_are_equal_and_never_where_they_are_not(left: Any, right: Any) -> None:
    """Lists and maps too, whatever their texts hold."""
    assert (item_text(left) == item_text(right)) == same(left, right)


@pytest.mark.parametrize("value", [None, [1], {"a": 1}, b"x", float("nan")])
def test_what_is_no_key_is_an_error(value: Any) -> None:
    """Text, number or truth value, nothing else."""
    with pytest.raises(EvaluationError):
        key_text(value)
