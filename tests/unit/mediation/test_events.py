"""Events of a run through the mediator: inputs, steps, answers, hand-overs, streams."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from policy_engine import DeadlineExceeded, Denied, HostFunction, Mediator, Principal, loads

from .conftest import HEAD, TOOLS, FakeTime

USER = Principal(id="u1", tenant="acme")
GOOD = {"id": "7", "card": "1", "tenant": "acme"}


def test_what_may_not_be_asked_does_not_begin(mediate: Callable[..., Mediator]) -> None:
    """A denied input refuses the run, and both stand in the audit."""
    mediator = mediate('deny shouting on @input when input.text.startsWith("HEY") because "please ask calmly"')
    with pytest.raises(Denied, match="please ask calmly"), mediator.run(principal=USER, input="HEY YOU"):
        pytest.fail("it began")
    kinds = [entry.kind for entry in mediator.audit.entries() if entry.run]
    assert kinds == ["run.begun", "event", "event", "run.ended"]


def test_an_answer_is_checked_before_it_is_said(mediate: Callable[..., Mediator]) -> None:
    """`retry` lets the model try again so many times, then the rule's `else` follows."""
    mediator = mediate('validate clean on @answer require !answer.text.contains("4111") else retry up to 2 times else withhold')
    with mediator.run(principal=USER) as run:
        for _ in range(2):
            with pytest.raises(Denied) as stopped:
                run.answer("your card is 4111")
            assert stopped.value.decision.effect == "retry"
        with pytest.raises(Denied) as stopped:
            run.answer("your card is 4111")
        assert stopped.value.decision.effect == "withhold"
        assert run.answer("your card is on file") == "your card is on file"


def test_an_answer_is_redacted(mediate: Callable[..., Mediator]) -> None:
    """A rewrite of the answer is what is said."""
    mediator = mediate('rewrite calm on @answer set answer.text to "Noted." when answer.text.startsWith("URGENT")')
    with mediator.run(principal=USER) as run:
        assert run.answer("URGENT do it") == "Noted."


def test_a_stream_is_held_back_until_it_was_checked(mediate: Callable[..., Mediator]) -> None:
    """Nothing of a refused answer is said; a host that asks for it gives that up."""
    mediator = mediate('deny cards on @answer when answer.text.contains("4111")')

    def pieces() -> Iterator[str]:
        yield "your card is "
        yield "4111"

    with mediator.run(principal=USER) as run:
        said: list[str] = []
        with pytest.raises(Denied):
            said.extend(run.stream(pieces()))
        assert said == []
        with pytest.raises(Denied):
            for piece in run.stream(pieces(), unchecked=True):
                said.append(piece)
        assert said == ["your card is ", "4111"]


def test_a_sub_agent_cannot_do_more_than_its_parent(mediate: Callable[..., Mediator]) -> None:
    """It has the parent's principal and at most its tools, and does not choose who delegated."""
    mediator = mediate('deny delegated on crm.refund when agent.?delegated_by.orValue("") != ""')
    tools = ["crm.look", "crm.refund"]
    boss = mediator.run(principal=USER, agent="boss", input="look up 7")
    with boss as run, run.delegate("helper", tools=tools, text="look up 7", about={"delegated_by": "nobody"}) as child:
        assert child.call("crm.look", {"id": "7"}, execute=lambda id: GOOD) == GOOD
        with pytest.raises(Denied, match="not permitted"):
            child.call("crm.refund", {"id": "7", "amount": 1.0}, execute=lambda id, amount: pytest.fail("it ran"))
        with pytest.raises(Denied, match="not given"):
            child.call("crm.cached", {"key": "7"}, execute=lambda key: pytest.fail("it ran"))
        deeper = child.delegate("deeper", tools=["crm.cached", "crm.look"])
        with deeper as grandchild, pytest.raises(Denied, match="not given"):
            grandchild.call("crm.cached", {"key": "7"}, execute=lambda key: pytest.fail("it ran"))


def test_a_sub_agent_knows_the_users_words_and_not_its_parents_as_such(mediate: Callable[..., Mediator]) -> None:
    """`said` is true of what the user said, and not of what the parent agent says."""
    mediator = mediate("deny unsaid on crm.look unless said(args.id)")
    boss = mediator.run(principal=USER, agent="boss", input="look up A7")
    with boss as run, run.delegate("helper", text="look up B8 and A7") as child:
        assert child.call("crm.look", {"id": "A7"}, execute=lambda id: GOOD) == GOOD
        with pytest.raises(Denied):
            child.call("crm.look", {"id": "B8"}, execute=lambda id: pytest.fail("it ran"))


def test_labels_go_with_what_is_handed_over(mediate: Callable[..., Mediator]) -> None:
    """What a parent read somewhere untrusted is untrusted in its sub-agent too."""
    rules = """labels untrusted
label outside on crm.cached as untrusted
deny exfiltration on crm.look when "untrusted" in labels(args.id)
"""
    mediator = mediate(rules)
    with mediator.run(principal=USER, agent="boss", input="work") as run:
        run.call("crm.cached", {"key": "k"}, execute=lambda key: "the account is XZ-99-7")
        with run.delegate("helper", text="use XZ-99-7 please") as child, pytest.raises(Denied):
            child.call("crm.look", {"id": "XZ-99-7"}, execute=lambda id: pytest.fail("it ran"))


def test_a_delegation_can_be_denied(mediate: Callable[..., Mediator]) -> None:
    """`@delegate` is decided before the sub-agent begins."""
    mediator = mediate('deny no-refunds on @delegate when "crm.refund" in delegate.tools because "keep refunds to yourself"')
    with mediator.run(principal=USER, agent="boss") as run, pytest.raises(Denied, match="keep refunds to yourself"):
        run.delegate("helper", tools=["crm.refund"])


def test_observing_refuses_nothing_and_records_all(mediate: Callable[..., Mediator]) -> None:
    """In observe mode a denied call runs, and the record says that it would not have."""
    mediator = mediate("deny all-looks on crm.look\nlimit one on crm.* to 1 per 1h by principal.id", mode="observe")
    with mediator.run(principal=USER) as run:
        for _ in range(3):
            assert run.call("crm.look", {"id": "7"}, execute=lambda id: GOOD) == GOOD
    decisions = [entry.body for entry in mediator.audit.entries() if entry.kind == "decision"]
    assert [body["effect"] for body in decisions] == ["deny"] * 3
    assert not any(body["enforced"] for body in decisions)
    (mode,) = [entry.body for entry in mediator.audit.entries() if entry.kind == "mode"]
    assert mode["by"] == "host"


def test_a_run_counts_as_completed_when_its_answer_passed(mediate: Callable[..., Mediator]) -> None:
    """An answer that passed completes the run; an exception, or the host's word, does not."""
    mediator = mediate()

    def ended(**how: Any) -> bool:
        return bool([entry.body for entry in mediator.audit.entries() if entry.kind == "run.ended"][-1]["completed"])

    with mediator.run(principal=USER) as run:
        run.answer("done")
    assert ended() is True
    with mediator.run(principal=USER) as run:
        run.call("crm.look", {"id": "7"}, execute=lambda id: GOOD)
    assert ended() is False
    with pytest.raises(ZeroDivisionError), mediator.run(principal=USER) as run:
        run.answer("done")
        raise ZeroDivisionError
    assert ended() is False
    with mediator.run(principal=USER) as run:
        run.complete()
    assert ended() is True


def test_the_check_of_an_event_has_its_time(time: FakeTime, store: str) -> None:
    """A detector that hangs ends in a refusal that is recorded, and the answer is not said."""
    release = threading.Event()

    def slow(text: str) -> bool:
        release.wait(30)
        return True

    function = HostFunction("fine", ["string"], "bool", slow, deadline=timedelta(seconds=60))
    rules = HEAD + "timeout check on @answer after 50ms\nvalidate good on @answer require fine(answer.text)\n"
    policy = loads(rules, files={"tools.json": TOOLS}, functions=[function])
    with Mediator(policy, store) as mediator, mediator.run(principal=USER) as run:
        with pytest.raises(DeadlineExceeded):
            run.answer("hello")
        events = [entry.body for entry in mediator.audit.entries() if entry.kind == "event"]
        assert events[-1]["name"] == "@answer" and events[-1]["cause"] == "deadline"
        release.set()
