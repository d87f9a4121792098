"""A run that goes on in another process: its history, the calls it knows, its time, and whose it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from policy_engine import DeadlineExceeded, Denied, Mediator, Pending, Principal
from policy_engine.assembly.mediating.resuming import NotResumable

from .conftest import FakeTime
from .persons import Person, registry

USER = Principal(id="u1", tenant="acme")
GOOD = {"id": "A7", "card": "1", "tenant": "acme"}
FAY = Person("fay", "finance")
RULES = """labels untrusted
label outside on crm.cached as untrusted
deny unsaid on crm.look unless said(args.id) || run.calls.exists(c, c.tool == "crm.refund")
deny exfiltration on crm.refund when "untrusted" in labels(args.id)
escalate big on crm.refund when args.amount > 100.0 to finance within 30m
"""


@pytest.fixture
def twice(mediate: Callable[..., Mediator], store: str) -> Callable[..., Mediator]:
    """Mediators that come one after the other over the same file."""
    if store.startswith("memory"):
        pytest.skip("memory ends with its process")
    return lambda **options: mediate(RULES, approvers=registry(FAY), **options)


def look(id: str) -> Any:
    return GOOD


def test_the_history_goes_on(twice: Callable[..., Mediator]) -> None:
    """What the user said and what was seen counts as it did, and a pending call is approved and made."""
    first = twice()
    with first.run(principal=USER, id="r1", input="look up A7 please") as run:
        run.call("crm.look", {"id": "A7"}, execute=look)
        run.call("crm.cached", {"key": "k"}, execute=lambda key: "account ZZ-9-9")
        with pytest.raises(Pending):
            run.call("crm.refund", {"id": "A7", "amount": 500.0}, id="c1", execute=lambda **args: pytest.fail("it ran"))
    FAY.say(first._stores.approvals, first._world.clocks.now())
    second = twice()
    with second.run(principal=USER, id="r1", resume=True) as run:
        assert run.call("crm.look", {"id": "A7"}, execute=look) == GOOD
        with pytest.raises(Denied):
            run.call("crm.look", {"id": "B8"}, execute=lambda id: pytest.fail("it ran"))
        with pytest.raises(Denied):
            run.call("crm.refund", {"id": "ZZ-9-9", "amount": 1.0}, execute=lambda **args: pytest.fail("it ran"))
        assert run.call("crm.refund", {"id": "A7", "amount": 500.0}, id="c1", execute=lambda **args: "done") == "done"
        assert run.call("crm.look", {"id": "B8"}, execute=look) == GOOD
        run.answer("done")


def test_what_was_made_is_not_made_again(twice: Callable[..., Mediator]) -> None:
    """The same id gets the recorded answer; with other arguments it is refused."""
    with twice().run(principal=USER, id="r1", input="A7") as run:
        run.call("crm.look", {"id": "A7"}, id="c1", execute=look)
    with twice().run(principal=USER, id="r1", resume=True) as run:
        assert run.call("crm.look", {"id": "A7"}, id="c1", execute=lambda id: pytest.fail("it ran")) == GOOD
        with pytest.raises(Denied, match="other arguments"):
            run.call("crm.look", {"id": "a7"}, id="c1", execute=lambda id: pytest.fail("it ran"))


def test_a_call_without_an_outcome_may_have_been_made(twice: Callable[..., Mediator]) -> None:
    """A process that died within a call leaves nobody who knows, so it is not made again under that id."""
    first = twice()
    run = first.run(principal=USER, id="r1", input="A7").__enter__()

    class Died(BaseException):
        pass

    def die(id: str) -> None:
        first._stores.ledger.follow = lambda row: (_ for _ in ()).throw(OSError("gone"))  # type: ignore[method-assign]
        raise Died

    with pytest.raises((Died, Denied)):
        run.call("crm.look", {"id": "A7"}, id="c1", execute=die)
    with twice().run(principal=USER, id="r1", resume=True) as again, pytest.raises(Denied, match="may have been made"):
        again.call("crm.look", {"id": "A7"}, id="c1", execute=lambda id: pytest.fail("it ran"))


def test_nobody_goes_on_with_somebody_elses_run(twice: Callable[..., Mediator]) -> None:
    """The principal must be the one that it began with."""
    with twice().run(principal=USER, id="r1"):
        pass
    other = Principal(id="u2", tenant="acme")
    with pytest.raises(NotResumable, match="principal"), twice().run(principal=other, id="r1", resume=True):
        pytest.fail("it went on")
    with pytest.raises(NotResumable, match="no run"), twice().run(principal=USER, id="r2", resume=True):
        pytest.fail("it went on")


def test_the_time_of_a_run_goes_on(twice: Callable[..., Mediator], time: FakeTime) -> None:
    """Its bound is counted from when it began, wherever."""
    with twice().run(principal=USER, id="r1", input="A7", within=timedelta(minutes=5)):
        pass
    time.passed += 6 * 60
    with twice().run(principal=USER, id="r1", resume=True) as run, pytest.raises(DeadlineExceeded):
        run.call("crm.look", {"id": "A7"}, execute=lambda id: pytest.fail("it ran"))


def test_erased_payloads_cannot_be_gone_on_from(twice: Callable[..., Mediator]) -> None:
    """Where only digests were kept, nobody knows what the run had seen."""
    with twice(payloads="digests").run(principal=USER, id="r1", input="A7"):
        pass
    with pytest.raises(NotResumable), twice(payloads="digests").run(principal=USER, id="r1", resume=True):
        pytest.fail("it went on")
