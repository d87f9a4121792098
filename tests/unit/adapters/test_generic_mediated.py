"""Python functions behind a mediator: its limits, times, retries and people hold for them too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from policy_engine import BreakerOpen, DeadlineExceeded, LimitReached, Mediator, Pending, Principal, loads
from policy_engine_adapters.generic import guarded
from tests.unit.mediation.persons import Person, registry

TEXT = """
policy shop
queues finance
principal { id: string }
approver { id: string }
allow all on crm.*
limit volume on crm.refund to 6000.0 of args.amount per 1d by principal.id
limit two on crm.refund to 2 per 1h by principal.id
limit once on crm.look to 1 per run
escalate large on crm.refund when args.amount > 1000.0 to finance within 30m
rewrite no-cents on crm.refund set args.amount to 99.0 when args.amount == 99.5
rewrite card on crm.look redact result.card with "****"
timeout quick on crm.slow after 50ms
breaker shut on crm.look open after 1 failures in 1m probe after 1m
"""
USER = Principal(id="u1")
FAY = Person("fay", "finance")


@pytest.fixture(params=["memory", "sqlite"])
def mediator(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Mediator]:
    """Over both stores."""
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/state.db"
    with Mediator(loads(TEXT), url, approvers=registry(FAY)) as made:
        yield made


def refund(order: str, amount: float, secret: str = "") -> str:
    """Refund an order."""
    return f"refunded {amount} of {order}{secret}"


async def refund_later(order: str, amount: float, secret: str = "") -> str:
    """Refund an order, later."""
    await asyncio.sleep(0)
    return refund(order, amount, secret)


@pytest.mark.parametrize("later", [False, True])
def test_a_limit_holds_over_calls_that_are_runs_of_their_own(mediator: Mediator, later: bool) -> None:
    """Decided arguments reach the function however they were passed; the third call of the hour is refused with its wait."""
    guard = guarded(mediator, tool="crm.refund", principal=USER, hide=["secret"])

    def call(*args: Any, **kwargs: Any) -> Any:
        return asyncio.run(guard(refund_later)(*args, **kwargs)) if later else guard(refund)(*args, **kwargs)

    assert call("o1", amount=99.5, secret="!") == "refunded 99.0 of o1!"
    assert call("o1", 50.0) == "refunded 50.0 of o1"
    with pytest.raises(LimitReached) as refused:
        call("o1", 50.0)
    assert refused.value.retry_after is not None
    kinds = [entry.kind for entry in mediator.audit.entries()]
    assert kinds.count("run.begun") == kinds.count("run.ended") == 3
    completed = [entry.body["completed"] for entry in mediator.audit.entries() if entry.kind == "run.ended"]
    assert completed == [True, True, False]


def test_a_run_of_the_mediator_holds_several_functions_together(mediator: Mediator) -> None:
    """A limit per run counts in the host's run, results are redacted, and refusals may be returned as text."""
    with mediator.run(principal=USER) as run:

        @guarded(mediator, tool="crm.look", run=run, on_refusal="return")
        def look(order: str) -> dict[str, str]:
            return {"order": order, "card": "4111"}

        assert look("o1") == {"order": "o1", "card": "****"}
        assert "not made" in look("o1")


def test_a_late_call_is_a_missed_deadline(mediator: Mediator) -> None:
    """It raises so, or its words are returned."""

    def slow() -> str:
        time.sleep(0.5)
        return "late"

    with pytest.raises(DeadlineExceeded):
        guarded(mediator, tool="crm.slow", principal=USER)(slow)()
    assert "late" not in guarded(mediator, tool="crm.slow", principal=USER, on_refusal="return")(slow)()


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_people_answer_for_a_function_too(mediator: Mediator, later: bool, given: bool) -> None:
    """The same call again, once finance has approved it, runs: what it held while it waited was held once. Then it is over,
    and the next one like it is asked for anew."""
    with mediator.run(principal=USER) as run:
        who: Any = {"run": run} if given else {"principal": USER}
        guard = guarded(mediator, tool="crm.refund", **who)

        def pay() -> Any:
            return asyncio.run(guard(refund_later)("o1", 5000.0)) if later else guard(refund)("o1", 5000.0)

        for _ in range(2):
            with pytest.raises(Pending, match="finance"):
                pay()
        FAY.say(mediator._stores.approvals, time.time_ns())
        assert pay() == "refunded 5000.0 of o1"
        with pytest.raises(LimitReached):
            pay()
    begun, ended = ([one.run for one in mediator.audit.entries() if one.kind == kind] for kind in ("run.begun", "run.ended"))
    assert sorted(begun) == sorted(ended)


def test_failures_open_a_breaker(mediator: Mediator) -> None:
    """What the function raises is raised, and counts."""

    def look(order: str) -> str:
        raise ConnectionError("lost")

    with pytest.raises(ConnectionError):
        guarded(mediator, tool="crm.look", principal=USER)(look)("o1")
    with pytest.raises(BreakerOpen):
        guarded(mediator, tool="crm.look", principal=USER)(look)("o1")


def test_what_contradicts_a_mediator_is_refused_at_once(mediator: Mediator) -> None:
    """Two answers to who asks, approvals that nobody signed, a run that does not count."""
    policy = loads("policy p\nallow all on crm.refund")
    with mediator.run(principal=USER) as run:
        with pytest.raises(TypeError, match="who asks"):
            guarded(mediator, principal=USER, run=run)
        with pytest.raises(TypeError, match="guarded\\(mediator"):
            guarded(policy, run=run)(refund)("o1", 1.0)
    with pytest.raises(TypeError, match="approvers"):
        guarded(mediator, approvals=lambda request: [])
    with pytest.raises(TypeError, match=r"mediator\.run"):
        guarded(mediator, run=mediator.policy.run())(refund)("o1", 1.0)
    with pytest.raises(ValueError, match=r"guarded\(Mediator\(policy"):
        guarded(mediator.policy)
