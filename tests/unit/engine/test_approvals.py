"""What meets an escalation, and everything that must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from policy_engine import Approval, Ask, Decision, Policy, Principal, Request, Run

RULES = """queues finance, managers
approver { id: string, level: int }
allow refund on crm.refund
escalate big on crm.refund when args.amount > 100.0
  to finance within 30m
  else to 2 of managers where approver.level > 3 within 1h
"""
USER = Principal(id="u1")
ARGS = {"amount": 500.0}


@pytest.fixture
def policy(shop: Callable[..., Policy]) -> Policy:
    """Large refunds ask finance, then two managers of some standing."""
    return shop(RULES)


def decide(policy: Policy, approvals: Any = (), args: Any = ARGS, principal: Any = USER, run: Run | None = None) -> Decision:
    return policy.decide(Request(tool="crm.refund", args=args, principal=principal), approvals=approvals, run=run)


def answer(ask: Ask, **changed: Any) -> Approval:
    """An approval by p1, but for what is `changed`."""
    whole = Approval(
        rule=ask.rule, queue=ask.queue, digest=ask.digest, expires=ask.expires, approver={"id": "p1", "level": 5}
    )
    return replace(whole, **changed)


def silent(ask: Ask, queue: str = "finance") -> Approval:
    return answer(ask, answer="silent", approver={}, queue=queue)


def test_one_approval_of_the_asked_queue_lets_the_call_pass(policy: Policy) -> None:
    """And the rule that is cited is the one that grants: an approval never is access."""
    ask = decide(policy).asks[0]
    decision = decide(policy, [answer(ask)])
    assert (decision.effect, decision.rules) == ("allow", ("shop/refund",))


@pytest.mark.parametrize(
    "changed",
    [
        {"approver": {"id": "u1", "level": 5}},
        {"approver": {"id": "p1"}},
        {"approver": {"level": 5}},
        {"approver": {"id": "", "level": 5}},
        {"approver": {"id": ["p1"], "level": 5}},
        {"approver": {"id": "p1", "level": "5"}},
        {"queue": "managers"},
        {"queue": "Finance"},
        {"digest": "0" * 64},
        {"rule": "big"},
        {"rule": "shop/refund"},
        {"answer": "yes"},
        {"answer": "APPROVED"},
        {"expires": "2026-03-01T13:30:00Z"},
        {"expires": None},
    ],
    ids=lambda changed: "+".join(f"{key}={value}" for key, value in changed.items()),
)
def test_an_answer_that_is_not_quite_the_asked_one_changes_nothing(policy: Policy, changed: dict[str, Any]) -> None:
    """The requester, a record that does not fit, another queue, digest, rule or word: the question stays open."""
    first = decide(policy)
    second = decide(policy, [answer(first.asks[0], **changed)])
    assert (second.effect, second.rules) == ("escalate", first.rules)


def test_an_answer_with_moved_or_naive_expiry_does_not_count(policy: Policy) -> None:
    """The moment is part of what was approved."""
    ask = decide(policy).asks[0]
    for expires in (ask.expires + timedelta(days=1), ask.expires.replace(tzinfo=None)):
        assert decide(policy, [answer(ask, expires=expires)]).effect == "escalate"


def test_an_approval_is_for_one_call_of_one_person(policy: Policy) -> None:
    """Other arguments or another principal ask again; equal arguments, written otherwise, do not."""
    given = answer(decide(policy).asks[0])
    assert decide(policy, [given], args={"amount": 501.0}).effect == "escalate"
    assert decide(policy, [given], args={"amount": 500.0, "note": ""}).effect == "escalate"
    assert decide(policy, [given], principal=Principal(id="u2")).effect == "escalate"
    assert decide(policy, [given], args='{"amount": 5e2}').effect == "allow"


def test_a_numeric_requester_does_not_approve_as_text(policy: Policy) -> None:
    """Nobody approves their own request, whichever way the host writes their id."""
    asking = Principal(id=7)
    ask = decide(policy, principal=asking).asks[0]
    own = answer(ask, approver={"id": "7", "level": 5})
    assert decide(policy, [own], principal=asking).effect == "escalate"


def test_an_expired_approval_asks_again(policy: Policy, shop: Callable[..., Policy]) -> None:
    """Two hours later nothing is left of it."""
    given = answer(decide(policy).asks[0])
    later = shop(RULES, at=given.expires + timedelta(seconds=1))
    assert decide(later, [given]).effect == "escalate"


def test_an_approval_counts_once_in_a_run(policy: Policy) -> None:
    """Used, it lets no second call pass, not even under another id."""
    run = policy.run(input="refund")
    given = answer(decide(policy, run=run).asks[0], id="1")
    assert decide(policy, [given], run=run).effect == "allow"
    run.approval_used(given)
    assert decide(policy, [given], run=run).effect == "escalate"
    assert decide(policy, [replace(given, id="2")], run=run).effect == "escalate"


def test_a_refusal_is_final_however_late_and_whoever_else_approves(policy: Policy) -> None:
    """Also in a tier whose time ran out, and in one that is not asked yet."""
    ask = decide(policy).asks[0]
    no = answer(ask, answer="refused")
    for answers in ([no], [no, answer(ask)], [silent(ask), no], [answer(ask, queue="managers", answer="refused")]):
        decision = decide(policy, answers)
        assert (decision.effect, decision.rules) == ("deny", ("shop/big",))


def test_two_of_a_queue_are_two_people_who_each_fit(policy: Policy) -> None:
    """One person twice, or a second one below the bar, leaves the question open."""
    ask = decide(policy).asks[0]
    first = answer(ask, queue="managers")
    again = replace(first, id="again")
    low, high = (replace(first, approver={"id": "p2", "level": level}) for level in (3, 4))
    assert [(one.queue, one.count) for one in decide(policy, [silent(ask)]).asks] == [("managers", 2)]
    for answers, effect in (
        ([first], "escalate"), ([first, again], "escalate"), ([first, low], "escalate"), ([first, high], "allow"),
    ):  # fmt: skip
        assert decide(policy, [silent(ask), *answers]).effect == effect


def test_an_approval_of_a_silent_tier_comes_too_late(policy: Policy) -> None:
    """Its time ran out; the next tier decides."""
    ask = decide(policy).asks[0]
    assert [one.queue for one in decide(policy, [silent(ask), answer(ask)]).asks] == ["managers"]


def test_silence_in_every_tier_without_an_else_is_a_deny(policy: Policy) -> None:
    """Nobody answered, so nobody granted."""
    ask = decide(policy).asks[0]
    assert decide(policy, [silent(ask), silent(ask, "managers")]).effect == "deny"


def test_approved_once_denied_since_is_denied(shop: Callable[..., Policy]) -> None:
    """On resume the call is decided again, denies included."""
    policy = shop("queues finance\nallow a on crm.refund\nescalate e on crm.refund to finance within 1m\n"
                  "deny frozen on crm.refund when context.frozen == true")  # fmt: skip

    def call(frozen: bool, answers: Any = ()) -> Decision:
        request = Request(tool="crm.refund", args=ARGS, principal=USER, context={"frozen": frozen})
        return policy.decide(request, approvals=answers)

    given = answer(call(False).asks[0])
    assert call(False, [given]).effect == "allow"
    assert call(True, [given]).rules == ("shop/frozen",)


def test_every_escalation_is_met_or_the_call_waits(shop: Callable[..., Policy]) -> None:
    """Two rules ask two queues; one approval leaves the other's question."""
    policy = shop("queues finance, managers\nallow a on crm.refund\nescalate e on crm.refund to finance within 1m\n"
                  "escalate f on crm.refund to managers within 1m")  # fmt: skip
    asks = decide(policy).asks
    waiting = decide(policy, [answer(asks[0])])
    assert (waiting.effect, waiting.rules) == ("escalate", ("shop/f",))
    assert decide(policy, [answer(ask) for ask in asks]).effect == "allow"


def test_the_queue_user_is_silent_where_no_user_is(shop: Callable[..., Policy]) -> None:
    """Without a run, and in an unattended one, the ladder's end follows at once; the own user may say yes to the own call."""
    policy = shop("allow a on crm.refund\nescalate e on crm.refund when args.amount > 100.0 to user within 1m\n"
                  "  else set args.amount to 100.0")  # fmt: skip
    unattended = policy.run(input="refund", attended=False)
    for decision in (decide(policy), decide(policy, run=unattended)):
        assert (decision.effect, decision.args) == ("allow", {"amount": 100.0})
        assert decision.degradation is not None and decision.degradation.kind == "set"
    attended = policy.run(input="refund")
    ask = decide(policy, run=attended).asks[0]
    assert ask.queue == "user"
    assert decide(policy, [answer(ask, approver={"id": "u1"})], run=attended).args == ARGS


def test_an_approval_by_the_user_satisfies_no_other_queue(policy: Policy) -> None:
    """`user` is a queue of its own."""
    run = policy.run(input="refund")
    ask = decide(policy, run=run).asks[0]
    assert decide(policy, [answer(ask, queue="user")], run=run).effect == "escalate"


def test_a_user_who_cannot_be_asked_is_said_to_be_so(shop: Callable[..., Policy]) -> None:
    """Without an attended run there is nobody to ask: the operator is told what is missing, the agent is not."""
    policy = shop("allow a on crm.refund\nescalate e on crm.refund to user within 1m")
    request = Request(tool="crm.refund", args={"amount": 5.0}, principal=Principal(id="u1"))
    alone = policy.decide(request)
    assert alone.effect == "deny" and "attended run" in alone.detail and "attended" not in alone.reason
    asked = policy.decide(request, run=policy.run(input="refund"))
    assert asked.effect == "escalate" and "attended" not in asked.detail


def test_a_policy_shows_which_it_is(shop: Callable[..., Policy]) -> None:
    """Name and the beginning of the digest, as in logs."""
    policy = shop("allow a on crm.refund")
    assert repr(policy) == f"Policy(shop, {policy.digest[:12]})"
