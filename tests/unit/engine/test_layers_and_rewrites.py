"""Layers and rewrites: who grants, who restricts, whose write stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policy_engine import Decision, Policy, PolicyError, Request

ALLOW = "allow own on crm.refund"
FINANCE = "queues finance\n"


def decide(policy: Policy, args: Any = None, tool: str = "crm.refund") -> Decision:
    return policy.decide(Request(tool=tool, args={"amount": 500.0} if args is None else args))


@pytest.mark.parametrize(
    ("own", "base", "effect", "rules"),
    [
        (ALLOW, "default abstain\ndeny x on crm.refund when args.amount > 1000.0", "allow", ("shop/own",)),
        (ALLOW, "default abstain\ndeny x on crm.refund", "deny", ("base/x",)),
        (ALLOW, "default deny\nallow x on crm.lookup", "deny", ("base/default",)),
        (ALLOW, "default deny\nallow x on crm.refund", "allow", ("base/x", "shop/own")),
        (ALLOW, FINANCE + "default escalate to finance within 1m\nallow x on crm.lookup", "escalate", ("base/default",)),
        (ALLOW, FINANCE + "default abstain\nescalate x on * to finance within 1m", "escalate", ("base/x",)),
        ("allow own on crm.lookup", FINANCE + "default abstain\nescalate x on * to finance within 1m", "deny", ("shop/default",)),
        ("allow own on crm.lookup", FINANCE + "default escalate to finance within 1m", "deny", ("shop/default",)),
        ("default abstain\ndeny own on crm.lookup", "allow x on crm.refund", "allow", ("base/x",)),
        ("default abstain\ndeny own on crm.lookup", "default abstain\ndeny x on crm.lookup", "deny",
         ("base/default", "shop/default")),
        ("default abstain\nescalate own on crm.refund to user within 1m", "default abstain\ndeny x on crm.lookup", "deny",
         ("base/default", "shop/default")),
        ("observe allow own on crm.refund", "allow x on crm.refund", "deny", ("shop/default",)),
    ],
)  # fmt: skip
def test_every_layer_must_agree(shop: Callable[..., Policy], own: str, base: str, effect: str, rules: tuple[str, ...]) -> None:
    """Whether the layer above is named by the policy or imposed by the host."""
    for policy in (shop(own, base=base), shop(own, imposed=base.replace("base", "imposed"))):
        decision = decide(policy)
        assert decision.effect == effect
        assert tuple(rule.replace("imposed/", "base/") for rule in decision.rules) == rules


def test_a_policy_cannot_drop_what_the_host_imposes(shop: Callable[..., Policy]) -> None:
    """No word in the policy reaches the layer above it."""
    policy = shop("default abstain\nallow own on *", imposed="default abstain\ndeny x on crm.refund")
    assert decide(policy).rules == ("imposed/x",)


@pytest.mark.parametrize(
    ("own", "base", "args"),
    [
        ("set args.amount to 1.0", "set args.amount to 2.0", {"amount": 2.0}),
        ("set args.meta to {'a': 1, 'b': 2}", "set args.meta.a to 9", {"amount": 500.0, "meta": {"a": 9, "b": 2}}),
        ("set args.meta.a to 9", "set args.meta to {'a': 1}", {"amount": 500.0, "meta": {"a": 1}}),
        ("set args.note to 'own'", "redact args.note with '*'", {"amount": 500.0, "note": "*"}),
        ("set args.amount to args.amount + 1.0", "set args.count to int(args.amount)", {"amount": 501.0, "count": 500}),
    ],
)
def test_the_highest_write_to_a_place_or_its_parent_stays(
    shop: Callable[..., Policy], own: str, base: str, args: dict[str, Any]
) -> None:
    """And each value reads the original arguments."""
    sent = {"amount": 500.0, **({"meta": {"a": 0, "q": 3}} if "meta" in args else {})}
    policy = shop(f"{ALLOW}\nrewrite r on crm.refund {own}", base=f"default abstain\nrewrite r on crm.refund {base}")
    assert decide(policy, sent).args == args


@pytest.mark.parametrize(
    "steps",
    [
        ("set args.amount to 1.0", "set args.amount to 2.0"),
        ("set args.meta to {'a': 1}", "set args.meta.a to 2"),
        ("set args.tags to ['a']", "redact args.tags[*]"),
        ("redact args.note", "redact args.note with '*'"),
    ],
)
def test_two_writes_of_one_layer_to_one_place_do_not_load(shop: Callable[..., Policy], steps: tuple[str, str]) -> None:
    """Nobody could say which wins; observed, they may."""
    with pytest.raises(PolicyError, match="may both write"):
        shop(f"{ALLOW}\nrewrite r on crm.refund {steps[0]}\nrewrite s on crm.refund {steps[1]}")
    shop(f"{ALLOW}\nrewrite r on crm.refund {steps[0]}\nobserve rewrite s on crm.refund {steps[1]}")


@pytest.mark.parametrize(
    "rewrite",
    [
        "set args.count to args.count + 1 when has(args.count)",
        "set args.count to int(args.note) when has(args.note)",
        "set args.tags to args.meta.nothing when has(args.meta)",
        "set args.meta.a.b to 1 when has(args.meta)",
        "set args.note to 'x' when has(args.meta) && args.meta.flag",
    ],
)
def test_a_rewrite_that_cannot_be_worked_out_denies(shop: Callable[..., Policy], rewrite: str) -> None:
    """Its value, its place or its condition comes to an error, and the rule is cited; observed, it changes nothing."""
    args = {"amount": 1.0, "count": 2**63 - 1, "note": "x", "meta": {"a": 5}}
    denied = decide(shop(f"{ALLOW}\nrewrite r on crm.refund {rewrite}"), args)
    assert (denied.effect, denied.rules) == ("deny", ("shop/r",))
    assert {error.rule for error in denied.errors} == {"shop/r"}
    assert decide(shop(f"{ALLOW}\nobserve rewrite r on crm.refund {rewrite}"), args).args == args


def test_what_was_written_is_validated_again_and_decided(shop: Callable[..., Policy]) -> None:
    """A value that does not fit the tool is a deny; one that fits is what the rules see and what is executed."""
    odd = shop(f"{ALLOW}\nrewrite r on crm.refund set args.tags to args.meta.list when has(args.meta)")
    assert decide(odd, {"amount": 1.0, "meta": {"list": [1]}}).effect == "deny"
    seen = shop("allow own on crm.refund when args.amount <= 100.0\nrewrite r on crm.refund set args.amount to 100.0")
    decision = decide(seen)
    assert (decision.effect, decision.args) == ("allow", {"amount": 100.0})


def test_observed_rules_are_told_and_change_nothing(shop: Callable[..., Policy]) -> None:
    """Allow, deny and escalate alike; also where their condition comes to an error, which is listed."""
    policy = shop(
        f"{ALLOW}\nobserve deny d on crm.refund\nobserve escalate e on crm.refund to user within 1m\n"
        "observe deny f on crm.refund when has(args.count) && args.count + 1 > 0"
    )
    decision = decide(policy, {"amount": 1.0, "count": 2**63 - 1})
    assert (decision.effect, decision.rules) == ("allow", ("shop/own",))
    assert {"shop/d", "shop/e"} <= set(decision.observed)
    assert [error.rule for error in decision.errors] == ["shop/f"]


@pytest.mark.parametrize(
    ("targets", "reached"),
    [
        ("*", {"crm.refund", "crm.lookup", "crm.open"}),
        ("crm.*", {"crm.refund", "crm.lookup", "crm.open"}),
        ("*refund", {"crm.refund"}),
        ("c*d", {"crm.refund"}),
        ("* except crm.refund", {"crm.lookup", "crm.open"}),
        ("crm.* except crm.*o*", {"crm.refund"}),
        ("group_of", {"crm.lookup", "crm.refund"}),
        ("crm.open, group_of except crm.refund", {"crm.open", "crm.lookup"}),
    ],
)
def test_globs_groups_and_exceptions_reach_the_tools_they_name(
    shop: Callable[..., Policy], targets: str, reached: set[str]
) -> None:
    """`*` crosses dots; a group of groups is all their tools but those taken away."""
    policy = shop(f"group inner = crm.lookup, crm.open\ngroup group_of = inner, crm.refund except crm.open\nallow a on {targets}")
    args = {"crm.refund": {"amount": 1.0}}
    tools = {tool for tool in policy.tools if decide(policy, args.get(tool, {}), tool).effect == "allow"}
    assert tools == reached
