"""What frameworks need of a mediator: calls that stop half way, results of their own classes, conversations of many runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from policy_engine import Denied, Event, LimitReached, Mediator, Outcome, Request, Suspended
from policy_engine.assembly.redoing import Redo

from .conftest import USER


def kinds(mediator: Mediator) -> list[str]:
    return [entry.kind for entry in mediator.audit.entries() if entry.call]


def test_a_suspended_call_is_no_failure_and_counts_once(mediate: Callable[..., Mediator]) -> None:
    """It opens no breaker, is not tried again, has no outcome yet, and when it is made again it uses its own place."""
    mediator = mediate(
        "limit two on crm.look to 2 per 1h by principal.id\n"
        "retry again on crm.look up to 3 times when error.retryable\n"
        "breaker shut on crm.look open after 1 failures in 1m probe after 1m\n"
    )
    begun = []

    def stop(id: str) -> Any:
        begun.append(id)
        raise Suspended("ask first")

    with mediator.run(principal=USER) as run:
        for _ in range(2):
            with pytest.raises(Suspended):
                run.call("crm.look", {"id": "7"}, id="c1", execute=stop)
        assert (begun, kinds(mediator)) == (["7", "7"], ["decision", "decision"])
        found = {"id": "7", "card": "1", "tenant": "acme"}
        assert run.call("crm.look", {"id": "7"}, id="c1", execute=lambda id: found) == found
        assert run.call("crm.look", {"id": "8"}, id="c2", execute=lambda id: found) == found
        with pytest.raises(LimitReached):
            run.call("crm.look", {"id": "9"}, id="c3", execute=lambda id: found)
        outcomes = [call["outcome"] for call in run._run.history.snapshot().value["attempts"]]
    assert outcomes == ["returned", "returned", "denied"]


def test_a_suspended_call_counts_even_if_it_is_never_made_again(mediate: Callable[..., Mediator]) -> None:
    """What it did before it stopped has been done."""
    mediator = mediate("limit one on crm.look to 1 per 1h by principal.id")

    def stop(id: str) -> Any:
        raise Suspended

    with mediator.run(principal=USER) as run:
        with pytest.raises(Suspended):
            run.call("crm.look", {"id": "7"}, id="c1", execute=stop)
        with pytest.raises(LimitReached):
            run.call("crm.look", {"id": "7"}, id="c2", execute=stop)


def test_suspension_crosses_threads_and_tasks(mediate: Callable[..., Mediator]) -> None:
    """With a bound on its time, in a thread of the pool, in a coroutine: it is raised as it is."""
    mediator = mediate("timeout slow on crm.look after 5s")

    async def later(id: str) -> Any:
        raise Suspended

    def stop(id: str) -> Any:
        raise Suspended

    async def ask(execute: Callable[..., Any]) -> None:
        async with mediator.run(principal=USER) as run:
            await run.call("crm.look", {"id": "7"}, id="c1", execute=execute)

    for execute in (later, stop):
        with pytest.raises(Suspended):
            asyncio.run(ask(execute))
    with pytest.raises(Suspended), mediator.run(principal=USER) as run:
        run.call("crm.look", {"id": "7"}, id="c1", execute=stop)


def test_results_of_a_class_of_their_own_are_told_as_data(mediate: Callable[..., Mediator]) -> None:
    """Rules read what `to_data` makes of a result, the caller gets the result itself where it passes."""

    class Found:
        def __init__(self, card: str) -> None:
            self.card = card

    mediator = mediate('validate open on crm.look require result.card != "secret" else withhold')

    def data(found: Found) -> dict[str, str]:
        return {"id": "7", "card": found.card, "tenant": "acme"}

    with mediator.run(principal=USER) as run:
        fine = Found("1")
        assert run.call("crm.look", {"id": "7"}, execute=lambda id: fine, to_data=data) is fine
        with pytest.raises(Denied, match="call was made"):
            run.call("crm.look", {"id": "7"}, execute=lambda id: Found("secret"), to_data=data)


def test_limits_per_run_count_over_all_runs_of_a_conversation(mediate: Callable[..., Mediator]) -> None:
    """The second run of the same conversation finds what the first has used; another conversation does not."""
    mediator = mediate("limit one on crm.look to 1 per run")
    found = {"id": "7", "card": "1", "tenant": "acme"}

    def look(conversation: str) -> Any:
        with mediator.run(principal=USER, conversation=conversation) as run:
            return run.call("crm.look", {"id": "7"}, execute=lambda id: found)

    assert look("a") == found
    with pytest.raises(LimitReached):
        look("a")
    assert look("b") == found


PAST = (
    Event(name="@input", fields={"text": "refund order 7", "source": "user", "verified": True}),
    (Request(tool="crm.look", args={"id": "7"}, id="old"), Outcome(result={"id": "7", "card": "4111", "tenant": "evil words"})),
)
RULES = """labels outside
label brought on crm.look as outside at result.tenant
deny unsaid on crm.refund unless said(args.id)
deny leak on crm.cached when "outside" in labels(args.key)
"""


def test_the_past_of_a_conversation_is_read_and_not_repeated(mediate: Callable[..., Mediator]) -> None:
    """Words and labels of an earlier run hold in the next; no call of it is counted or recorded again."""
    mediator = mediate(RULES)
    with mediator.run(principal=USER, conversation="t", past=PAST) as run:
        assert run.call("crm.refund", {"id": "7", "amount": 1.0}, execute=lambda **args: "done") == "done"
        with pytest.raises(Denied):
            run.call("crm.refund", {"id": "8", "amount": 1.0}, execute=lambda **args: "done")
        with pytest.raises(Denied):
            run.call("crm.cached", {"key": "evil words"}, execute=lambda **args: "done")
    assert kinds(mediator) == ["decision", "outcome", "decision", "decision"]


def test_decisions_that_read_the_past_can_be_made_again(mediate: Callable[..., Mediator]) -> None:
    """The record of the beginning holds what was told."""
    mediator = mediate(RULES, payloads="whole")
    with mediator.run(principal=USER, conversation="t", past=PAST) as run:
        run.call("crm.refund", {"id": "7", "amount": 1.0}, execute=lambda **args: "done")
        with pytest.raises(Denied):
            run.call("crm.cached", {"key": "evil words"}, execute=lambda **args: "done")
    made = list(Redo(mediator.audit.ledger).redo(lambda entry: entry.kind == "decision"))
    assert [(one.verdict, one.problem) for one in made] == [("equal", ""), ("equal", "")]


def test_one_run_is_held_by_threads_and_by_tasks(mediate: Callable[..., Mediator]) -> None:
    """Both see one history, and what either says of the task counts."""
    mediator = mediate()
    found = {"id": "7", "card": "1", "tenant": "acme"}

    async def look(id: str) -> Any:
        return found

    with mediator.run(principal=USER) as run:
        tasks = run.for_tasks
        assert asyncio.run(tasks.call("crm.look", {"id": "7"}, id="c1", execute=look)) == found
        again = tasks.for_threads.call("crm.look", {"id": "7"}, id="c1", execute=lambda id: pytest.fail("it ran again"))
        assert again == found
        tasks.complete()
    (ended,) = [entry for entry in mediator.audit.entries() if entry.kind == "run.ended"]
    assert ended.body["completed"] is True


def test_an_answer_with_data_is_returned_with_both(mediate: Callable[..., Mediator]) -> None:
    """Text and data as they may be said."""
    mediator = mediate('rewrite card on @answer redact answer.text with "****" when answer.text.contains("4111")')
    with mediator.run(principal=USER) as run:
        assert run.answer("card 4111", data={"ok": True}) == {"text": "****", "data": {"ok": True}}
        assert run.answer("card 4111") == "****"


def test_every_answer_has_all_its_tries(mediate: Callable[..., Mediator]) -> None:
    """An answer that was withheld after its tries does not take those of the next one."""
    mediator = mediate('validate clean on @answer require !answer.text.contains("x") else retry up to 1 times else withhold')
    with mediator.run(principal=USER) as run:
        effects = []
        for _ in range(4):
            with pytest.raises(Denied) as refused:
                run.answer("x")
            effects.append(refused.value.decision.effect)
    assert effects == ["retry", "withhold", "retry", "withhold"]


def test_a_reply_stands_in_for_an_answer_and_stops_everything_else(mediate: Callable[..., Mediator]) -> None:
    """A step beyond its limit does not go on because the policy has words for it."""
    mediator = mediate(
        'limit steps on @step to 1 per run else reply "enough"\nlimit answers on @answer to 1 per run else reply "ask again"\n'
    )
    with mediator.run(principal=USER) as run:
        run.step(text="one")
        with pytest.raises(Denied, match="enough"):
            run.step(text="two")
        assert [run.answer("a"), run.answer("b")] == ["a", "ask again"]


def test_a_run_is_closed_once_without_with(mediate: Callable[..., Mediator]) -> None:
    """Hosts that cannot hold a `with` end it themselves; nothing passes afterwards, and the record has one end."""
    mediator = mediate()
    with mediator.run(principal=USER) as run:
        run.close("gone")
        with pytest.raises(Denied):
            run.call("crm.look", {"id": "7"}, execute=lambda id: pytest.fail("it ran"))
        run.close()
    ended = [entry.body["cause"] for entry in mediator.audit.entries() if entry.kind == "run.ended"]
    assert ended == ["gone"]
