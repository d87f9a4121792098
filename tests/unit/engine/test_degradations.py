"""How ladders end in silence: refuse, reply, or a smaller call that is decided as a call of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policy_engine import Approval, Decision, Policy, PolicyError, Principal, Request

ARGS = {"amount": 500.0}


def decide(policy: Policy, approvals: Any = ()) -> Decision:
    request = Request(tool="crm.refund", args=ARGS, principal=Principal(id="u1"))
    return policy.decide(request, approvals=approvals)


def ended(policy: Policy, *silent: str) -> Decision:
    """The decision after silence towards the rules named, and approval of all others."""
    answers = [
        Approval(
            rule=ask.rule, queue=ask.queue, digest=ask.digest, expires=ask.expires, approver={"id": "p1"},
            answer="silent" if ask.rule.partition("/")[2] in silent else "approved",
        )
        for ask in decide(policy).asks
    ]  # fmt: skip
    return decide(policy, answers)


def rules(*ends: str, more: str = "", when: str = "args.amount > 100.0") -> str:
    """A policy of one escalation `e0`, `e1` … an end."""
    asking = "\n".join(
        f"escalate e{number} on crm.refund when {when} to finance within 1m {end}" for number, end in enumerate(ends)
    )
    return f"queues finance\nallow a on crm.refund\n{asking}\n{more}"


def test_a_reply_is_a_refusal_with_a_text(shop: Callable[..., Policy]) -> None:
    """The call does not pass."""
    decision = ended(shop(rules('else reply "closed"')), "e0")
    assert (decision.effect, decision.allowed) == ("deny", False)
    assert decision.degradation is not None and decision.degradation.text == "closed"


def test_a_smaller_call_runs_with_what_was_set(shop: Callable[..., Policy]) -> None:
    """Decided again, it is allowed as if it had been asked for."""
    decision = ended(shop(rules("else set args.amount to 100.0")), "e0")
    assert (decision.effect, decision.args, decision.rules) == ("allow", {"amount": 100.0}, ("shop/a",))


def test_a_call_made_smaller_tells_what_failed_about_both(shop: Callable[..., Policy]) -> None:
    """The rule asked because of an error, so the error is told though the smaller call passes; `observe` rules likewise."""
    more = (
        "observe deny seen on crm.refund when args.amount == 500.0\n"
        "observe deny after on crm.refund when args.amount == 100.0\n"
        "allow also on crm.refund when 1 / (int(args.amount) - 100) > 0\n"
    )
    when = "1 / (int(args.amount) - 500) > 5"
    policy = shop(rules("else set args.amount to 100.0", more=more, when=when))
    request = Request(tool="crm.refund", args=ARGS, principal=Principal(id="u1"))
    (ask,) = policy.decide(request).asks
    silent = Approval(
        rule=ask.rule, queue=ask.queue, digest=ask.digest, expires=ask.expires, approver={"id": "p1"}, answer="silent"
    )
    decision = policy.decide(request, approvals=[silent])
    assert (decision.effect, decision.rules) == ("allow", ("shop/a",))
    assert [error.rule for error in decision.errors] == ["shop/also", "shop/e0"]
    assert decision.observed == ("shop/after", "shop/seen")


@pytest.mark.parametrize(
    "more",
    [
        "deny d on crm.refund when args.amount == 100.0",
        "escalate s on crm.refund when args.amount == 100.0 to finance within 1m",
        "escalate s on crm.refund when args.amount == 100.0 to finance within 1m else set args.amount to 1.0",
        "rewrite r on crm.refund set args.count to args.count + 1 when args.amount == 100.0",
    ],
)
def test_a_smaller_call_that_does_not_pass_by_itself_is_a_deny(shop: Callable[..., Policy], more: str) -> None:
    """Denied, asked about once more, or in error: its own ladder is not climbed."""
    text = rules("else set args.amount to 100.0", more=more).replace("args.count +", f"args.?count.orValue({2**63 - 1}) +")
    decision = ended(shop(text), "e0")
    assert (decision.effect, decision.degradation) == ("deny", None)


def test_a_call_that_can_never_fit_is_found_before_it_is_needed(shop: Callable[..., Policy]) -> None:
    """Arguments that the other tool does not take stop the start."""
    with pytest.raises(PolicyError, match="does not take these arguments"):
        shop(rules("else call crm.lookup with {'nothing': 1}", more="allow l on crm.lookup"))


def test_another_call_is_named_only_when_it_is_allowed(shop: Callable[..., Policy]) -> None:
    """The first call stays refused; the host makes the other one."""
    text = rules("else call crm.lookup with {'id': 'x'}")
    assert ended(shop(text), "e0").degradation is None
    decision = ended(shop(text + "allow l on crm.lookup"), "e0")
    assert decision.effect == "deny" and decision.degradation is not None
    assert (decision.degradation.tool, decision.degradation.args) == ("crm.lookup", {"id": "x"})


@pytest.mark.parametrize(
    ("ends", "effect", "kind"),
    [
        (("else deny", 'else reply "r"'), "deny", None),
        (('else reply "r"', "else set args.amount to 1.0"), "deny", "reply"),
        (('else reply "r"', 'else reply "s"'), "deny", None),
        (('else reply "r"', 'else reply "r"'), "deny", "reply"),
        (("else set args.amount to 1.0", "else set args.amount to 2.0"), "deny", None),
        (("else set args.amount to 1.0", "else set args.amount to 1.0"), "allow", "set"),
        (("", "else set args.amount to 1.0"), "deny", None),
    ],
)
def test_the_strictest_end_of_several_ladders_counts(
    shop: Callable[..., Policy], ends: tuple[str, ...], effect: str, kind: str | None
) -> None:
    """Deny, then reply, then set or call; two different ones of a kind are a deny, in either order of the rules."""
    for order in (ends, ends[::-1]):
        decision = ended(shop(rules(*order)), "e0", "e1")
        assert (decision.effect, decision.degradation and decision.degradation.kind) == (effect, kind)


def test_a_smaller_call_waits_for_the_other_question_but_a_refusal_does_not(shop: Callable[..., Policy]) -> None:
    """While somebody may still refuse, nothing smaller is done."""
    policy = shop(rules("else set args.amount to 1.0", 'else reply "r"'))
    first, second = decide(policy).asks

    def quiet(ask: Any) -> Approval:
        return Approval(rule=ask.rule, queue=ask.queue, digest=ask.digest, expires=ask.expires, answer="silent")

    waiting = decide(policy, [quiet(first)])
    assert (waiting.effect, waiting.rules) == ("escalate", ("shop/e1",))
    assert decide(policy, [quiet(second)]).effect == "deny"
    assert ended(policy, "e0").args == {"amount": 1.0}


def test_a_smaller_call_is_made_smaller_only_once(shop: Callable[..., Policy]) -> None:
    """Where nobody is there to ask, one step down is decided; a second one that would be needed is a deny."""
    step = "escalate {} on crm.refund when args.amount {} 100.0 to user within 1m else set args.amount to {}"
    first, second = step.format("e", ">", "100.0"), step.format("s", "==", "1.0")
    assert decide(shop(f"allow a on crm.refund\n{first}")).args == {"amount": 100.0}
    decision = decide(shop(f"allow a on crm.refund\n{first}\n{second}"))
    assert (decision.effect, decision.rules, decision.degradation) == ("deny", ("shop/e",), None)
