"""What LANGUAGE.md says of ladders, approvals and people, one fact a case, with the engine and the desk together."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policy_engine import Principal, Request, Run
from policy_engine.runtime.ports.approvals import NotAsked, TooManyQuestions
from tests.unit.people.conftest import MINUTE, START, Desk

ALLOW = "allow refund on crm.refund\n"
ONE = ALLOW + "escalate big on crm.refund when args.amount > 100.0 to finance within 30m\n"
TWO = ALLOW + """escalate big on crm.refund when args.amount > 100.0
  to finance within 30m
  else to 2 of managers where approver.level > 3 && approver.id != args.?author.orValue("") within 1h
  else set args.amount to 100.0
"""
Shop = Callable[..., Desk]


def kinds(desk: Desk) -> list[str]:
    """What was told to the audit, shortly."""
    return [f"{event['answer']} {event['queue']}" if "answer" in event else f"ask {event['queue']}" for event in desk.events]


def test_an_approval_lets_the_call_pass_once(shop: Shop) -> None:
    """And for no other call afterwards, which asks anew."""
    desk = shop(ONE)
    assert desk.ask().effect == "escalate"
    desk.say("fay")
    assert desk.ask().effect == "allow" and desk.use()
    assert desk.ask().effect == "allow" and desk.use()  # the same call, asked again after a crash
    first = desk.told[0].id
    assert desk.ask(call="c2").effect == "escalate"
    assert desk.question.id not in str(first)


def test_the_first_ask_binds_and_later_ones_find_it(shop: Shop) -> None:
    """However often the agent asks, there is one question, with the digest and the end of the first."""
    desk = shop(ONE)
    desk.ask()
    question = desk.question
    desk.pass_minutes(10)
    desk.ask()
    assert desk.question == question
    assert len(desk.notices) == 1 and kinds(desk) == ["ask finance"]


def test_silence_moves_to_the_next_tier(shop: Shop) -> None:
    """Told once to the audit; the next queue is told that it is asked."""
    desk = shop(TWO)
    desk.ask()
    desk.pass_minutes(30)
    desk.ask()
    assert desk.question.queue == "finance"  # the very moment is still in time
    desk.clock[0] += 1
    desk.ask()
    desk.ask()
    assert (desk.question.queue, desk.question.count) == ("managers", 2)
    assert kinds(desk) == ["ask finance", "silent finance", "ask managers"]
    assert [notice.queue for notice in desk.notices] == ["finance", "managers"]


def test_silence_to_the_end_degrades(shop: Shop) -> None:
    """However late somebody looks; the smaller call is decided as a call of its own."""
    desk = shop(TWO)
    desk.ask()
    desk.pass_minutes(300)
    decision = desk.ask()
    assert decision.effect == "allow" and decision.args == {"amount": 100.0}
    assert kinds(desk) == ["ask finance", "silent finance", "ask managers", "silent managers"]
    assert desk.ask(call="c2").effect == "escalate"  # another call asks anew


def test_a_refusal_is_final_and_asked_nobody_again(shop: Shop) -> None:
    """The same call, by whatever name, is refused for as long as the question would have been open."""
    desk = shop(TWO)
    desk.ask()
    desk.say("fay", "refused")
    assert desk.ask().effect == "deny"
    assert desk.ask(call="c2").effect == "deny"
    assert desk.store.list() == [] and desk.store.list(state="refused")
    desk.pass_minutes(92)
    assert desk.ask(call="c3").effect == "escalate"


def test_a_refusal_of_an_earlier_tier_counts_however_late(shop: Shop) -> None:
    """Finance refuses when managers are asked, and one of them has approved already."""
    desk = shop(TWO)
    desk.ask()
    desk.pass_minutes(31)
    desk.ask()
    desk.say("max")
    desk.say("fay", "refused", queue="finance")
    assert desk.ask().effect == "deny"


def test_a_late_approval_of_an_earlier_tier_is_not_taken(shop: Shop) -> None:
    """Whoever was silent is told so, and the next tier decides."""
    desk = shop(TWO)
    desk.ask()
    question = desk.question
    desk.pass_minutes(31)
    with pytest.raises(NotAsked):
        desk.say("fay", question=question)
    desk.ask()
    with pytest.raises(NotAsked, match="managers"):
        desk.say("fay", question=question)


@pytest.mark.parametrize(
    ("people", "author", "effect"),
    [
        (["max", "mia"], "zoe", "allow"),
        (["max"], "zoe", "escalate"),
        (["max", "max"], "zoe", "escalate"),
        (["max", "moe"], "zoe", "escalate"),
        (["max", "u1"], "zoe", "escalate"),
        (["max", "mia"], "mia", "escalate"),
        (["max", "fay"], "zoe", "escalate"),
    ],
)
def test_a_quorum_is_of_different_people_who_may(shop: Shop, people: list[str], author: str, effect: str) -> None:
    """Two managers of some standing; not one twice, not of another queue, not the requester, not the author."""
    desk = shop(TWO)
    desk.ask(author=author)
    desk.pass_minutes(31)
    desk.ask(author=author)
    for person in people:
        desk.say(person)
    assert desk.ask(author=author).effect == effect


def test_an_approval_in_time_counts_although_nobody_looked_then(shop: Shop) -> None:
    """The tier is not silent: it was met before its time was over. Even the last one, for a minute."""
    desk = shop(TWO)
    desk.ask()
    desk.say("fay")
    desk.pass_minutes(45)
    assert desk.ask().effect == "allow"
    desk = shop(ONE)
    desk.ask()
    desk.pass_minutes(30)
    desk.say("fay")
    desk.pass_minutes(0.9)
    assert desk.ask().effect == "allow"


def test_an_approval_that_expired_is_asked_for_again(shop: Shop) -> None:
    """Nobody was silent, so nothing degrades; and what expired lets nothing pass."""
    desk = shop(ONE)
    desk.ask()
    old = desk.question.id
    desk.say("fay")
    desk.pass_minutes(32)
    assert desk.ask().effect == "escalate" and desk.question.id != old


def test_every_escalation_must_be_met(shop: Shop) -> None:
    """One approval is not enough for two rules that ask."""
    desk = shop(ONE + "escalate noted on crm.refund when has(args.note) to ops within 1h\n")
    assert desk.ask(note="x").effect == "escalate"
    assert desk.settled is not None
    finance, ops = sorted(desk.settled.questions, key=lambda one: one.queue)
    desk.say("fay", question=finance)
    assert desk.ask(note="x").effect == "escalate" and desk.question.id == ops.id
    desk.say("olga", question=ops)
    assert desk.ask(note="x").effect == "allow" and desk.use()
    assert {question.state for question in desk.store.list(state=None)} == {"used"}


@pytest.mark.parametrize(
    ("ends", "effect", "amount", "text"),
    [
        (("set args.amount to 100.0", "set args.amount to 100.0"), "allow", 100.0, None),
        (("set args.amount to 100.0", "set args.amount to 50.0"), "deny", None, None),
        (("set args.amount to 100.0", 'reply "later"'), "deny", None, "later"),
        (("deny", 'reply "later"'), "deny", None, None),
    ],
)
def test_of_several_degradations_the_strictest_counts(
    shop: Shop, ends: tuple[str, str], effect: str, amount: float | None, text: str | None
) -> None:
    """Deny, then a reply, then a smaller call; two different ones of the same strength deny."""
    first, second = ends
    desk = shop(
        f"{ALLOW}escalate a on crm.refund when args.amount > 100.0 to finance within 30m else {first}\n"
        f"escalate b on crm.refund when args.amount > 100.0 to ops within 10m else {second}\n"
    )
    desk.ask()
    desk.pass_minutes(60)
    decision = desk.ask()
    assert decision.effect == effect
    if amount is not None:
        assert decision.args == {"amount": amount}
    assert (decision.degradation.text if decision.degradation else None) == text or effect == "allow"


def test_an_edit_of_the_arguments_is_a_new_call(shop: Shop) -> None:
    """An approval of 500 is none of 501, nor of 499."""
    desk = shop(ONE)
    desk.ask(500.0)
    desk.say("fay")
    for amount in (501.0, 499.0):
        assert desk.ask(amount, call=f"c{amount}").effect == "escalate"
    assert desk.ask(500.0).effect == "allow"


def test_denies_are_asked_again_when_people_have_answered(shop: Shop) -> None:
    """An approval is never access: a rule that denies by then still denies, and a new escalation asks."""
    desk = shop(ONE)
    desk.ask()
    desk.say("fay")
    reloaded = shop(ONE + "deny closed on crm.refund\n", beside=desk)
    assert reloaded.ask().effect == "deny"
    reloaded = shop(ONE + "escalate more on crm.refund to ops within 1h\n", beside=desk)
    assert reloaded.ask().effect == "escalate" and reloaded.question.queue == "ops"


def test_a_reload_that_leaves_the_asking_rule_keeps_its_question(shop: Shop) -> None:
    """Other rules came and went, in another process; the question and its approval stay."""
    desk = shop(ONE)
    desk.ask()
    question = desk.question.id
    reloaded = shop(ONE + "deny closed on crm.refund when args.amount > 9000.0\n", beside=desk)
    reloaded.ask()
    assert reloaded.question.id == question
    reloaded.say("fay")
    assert reloaded.ask().effect == "allow" and reloaded.use()


def test_a_reload_that_changes_the_asking_rule_voids_its_question(shop: Shop) -> None:
    """The old one is withdrawn, and its approval counts for nothing."""
    desk = shop(ONE)
    desk.ask()
    desk.say("fay")
    reloaded = shop(ONE.replace("100.0", "200.0"), beside=desk)
    assert reloaded.ask().effect == "escalate"
    assert [question.state for question in desk.store.list(state=None)] == ["withdrawn", "open"]
    assert kinds(reloaded) == ["withdrawn finance", "ask finance"]


USER = ALLOW + """escalate sure on crm.refund when args.amount > 100.0
  to user within 10m
  else to ops within 1h
"""


def test_the_user_of_the_conversation_answers_through_the_host(shop: Shop) -> None:
    """No key is needed, and none would do; the requester may answer for themselves here."""
    desk = shop(USER)
    run = desk.policy.run(input="refund 500")
    desk.ask(run=run)
    desk.say("u1")  # a signature is not what the queue of the user takes
    assert desk.ask(run=run).effect == "escalate"
    desk.people.answer_as_user(desk.question.id, "approved", {"id": "u1", "level": 0}, desk.now)
    assert desk.ask(run=run).effect == "allow"


def test_the_user_satisfies_no_other_queue(shop: Shop) -> None:
    """Once their time is over, others are asked, and only they can answer."""
    desk = shop(USER)
    run = desk.policy.run(input="refund 500")
    desk.ask(run=run)
    desk.pass_minutes(11)
    desk.ask(run=run)
    assert desk.question.queue == "ops"
    with pytest.raises(NotAsked):
        desk.people.answer_as_user(desk.question.id, "approved", {"id": "u1", "level": 0}, desk.now)


def test_nobody_asks_the_user_of_an_unattended_run(shop: Shop) -> None:
    """The next tier is asked at once, and for its own time."""
    desk = shop(USER)
    run = desk.policy.run(attended=False)
    desk.ask(run=run)
    assert desk.question.queue == "ops" and desk.question.until == START + 60 * MINUTE
    desk.say("olga")
    assert desk.ask(run=run).effect == "allow"


def test_identical_questions_merge(shop: Shop) -> None:
    """Two calls ask once; the approval lets one of them pass, and the other asks again."""
    desk = shop(ONE)
    desk.ask(call="c1")
    first = desk.question.id
    desk.ask(call="c2", root="r2")
    assert desk.question.id == first and len(desk.notices) == 1
    desk.say("fay")
    assert desk.ask(call="c1").effect == desk.ask(call="c2").effect == "allow"
    desk.ask(call="c2")
    assert desk.use("c2")
    desk.told = ()
    assert desk.ask(call="c1").effect == "escalate" and desk.question.id != first


def test_of_two_calls_that_were_allowed_by_one_approval_one_may_run(shop: Shop) -> None:
    """Both were decided before either ran."""
    desk = shop(ONE)
    desk.ask(call="c1")
    desk.ask(call="c2")
    desk.say("fay")
    assert desk.ask(call="c1").effect == "allow"
    answers = desk.told
    assert desk.people.use(answers, "c1") and not desk.people.use(answers, "c2") and desk.people.use(answers, "c1")


def test_what_looks_different_does_not_merge(shop: Shop) -> None:
    """The same arguments, once said by the user and once the model's own, are two questions to a person."""
    desk = shop(ONE)
    said = desk.policy.run(input="refund 500 please")
    made_up = desk.policy.run(input="hello")
    desk.ask(call="c1", run=said)
    first = desk.question
    desk.ask(call="c2", run=made_up)
    assert desk.question.id != first.id and desk.question.binding == first.binding


def test_a_call_that_is_given_up_withdraws_what_only_it_asked(shop: Shop) -> None:
    """A question that somebody else waits for stays."""
    desk = shop(ONE)
    desk.ask(call="c1")
    desk.ask(call="c2")
    assert desk.people.withdraw("c1") == ()
    assert len(desk.store.list()) == 1
    (event,) = desk.people.withdraw("c2")
    assert event["answer"] == "withdrawn"
    assert desk.store.list() == []


@pytest.mark.parametrize(("caps", "same"), [({"most_per_run": 2}, "root"), ({"most_per_principal": 2}, "principal")])
def test_open_questions_are_capped(shop: Shop, caps: dict[str, int], same: str) -> None:
    """The third is not asked; others may ask, and the same again once one was answered."""
    desk = shop(ONE, **caps)
    other = {"root": {"root": "r2"}, "principal": {"principal": "u2"}}[same]
    for number in (1, 2):
        desk.ask(500.0 + number, call=f"c{number}", root=f"r{number}" if same == "principal" else "r1")
    with pytest.raises(TooManyQuestions):
        desk.ask(503.0, call="c3", root="r9" if same == "principal" else "r1")
    assert desk.ask(503.0, call="c4", **other).effect == "escalate"
    desk.say("fay", "refused", question=desk.store.list()[0])
    desk.ask(501.0, call="c1", root="r1")
    assert desk.ask(503.0, call="c3", root="r9" if same == "principal" else "r1").effect == "escalate"


def test_a_cap_half_way_leaves_nothing_asked(shop: Shop) -> None:
    """Of two escalations the second has no room: the first is withdrawn again."""
    rules = ONE + "escalate noted on crm.refund when has(args.note) to ops within 1h\n"
    desk = shop(rules, most_per_run=1)
    with pytest.raises(TooManyQuestions):
        desk.ask(note="x")
    assert desk.store.list() == []


def test_a_process_whose_clock_is_ahead_moves_the_ladder_for_all(shop: Shop) -> None:
    """Nothing is lost and nothing told twice: the other one sees the next tier when its own clock gets there."""
    desk = shop(TWO)
    desk.ask(call="c1")
    ahead = shop(TWO, beside=desk, clock=[START + 31 * MINUTE])
    ahead.ask(call="c1")
    assert ahead.question.queue == "managers"
    desk.ask(call="c1")
    desk.pass_minutes(31)
    desk.ask(call="c1")
    assert desk.question.queue == "managers"
    assert kinds(desk) == ["ask finance"]
    assert kinds(ahead) == ["silent finance", "ask managers"]
    for person in ("max", "mia"):
        desk.say(person)
    assert desk.ask(call="c1").effect == ahead.ask(call="c1").effect == "allow"


def test_a_clock_that_is_set_back_changes_nothing(shop: Shop) -> None:
    """A silence that was seen stays seen."""
    desk = shop(TWO)
    desk.ask()
    desk.pass_minutes(31)
    desk.ask()
    told, before = desk.told, desk.question
    desk.pass_minutes(-5)
    desk.ask(told=told)
    assert desk.question == before and len(desk.store.list(state=None)) == 1


def test_a_timer_moves_what_nobody_looks_at(shop: Shop) -> None:
    """The next queue is told although the call sleeps."""
    desk = shop(TWO)
    desk.ask()
    desk.pass_minutes(31)
    assert [event.get("answer") for event in desk.people.tick(desk.now)] == ["silent", None]
    assert desk.people.tick(desk.now) == ()
    assert [notice.queue for notice in desk.notices] == ["finance", "managers"]
    for person in ("max", "mia"):
        desk.say(person)
    assert desk.ask().effect == "allow"


def test_a_timer_does_not_leave_a_tier_that_may_be_met(shop: Shop) -> None:
    """Whether an approval counts, a decision must tell."""
    desk = shop(TWO)
    desk.ask()
    desk.say("fay")
    desk.pass_minutes(31)
    assert desk.people.tick(desk.now) == ()
    assert desk.ask().effect == "allow"


def test_answers_are_told_once_with_who_and_how_long(shop: Shop) -> None:
    """Two processes see the same approval; one of them records it."""
    desk = shop(ONE)
    desk.ask()
    other = shop(ONE, beside=desk)
    desk.pass_minutes(3)
    desk.say("fay")
    desk.ask()
    other.ask()
    told = [event for event in (*desk.events, *other.events) if "answer" in event]
    assert [(event["answer"], event["approver"], event["waited"]) for event in told] == [("approved", "fay", 3 * MINUTE)]


def test_a_run_remembers_used_approvals_by_itself_too(shop: Shop) -> None:
    """The engine does not count an approval that this run told it was used."""
    desk = shop(ONE)
    run: Run = desk.policy.run(input="x")
    desk.ask(run=run)
    desk.say("fay")
    assert desk.ask(run=run).effect == "allow"
    run.approval_used(desk.told[0])
    request = Request(tool="crm.refund", args={"amount": 500.0}, principal=Principal(id="u1"))
    assert desk.policy.decide(request, run=run, approvals=desk.told).effect == "escalate"

