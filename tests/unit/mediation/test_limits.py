"""Limits through the mediator: counted across runs, held while people think, given back, and said to the agent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from policy_engine import LimitReached, Mediator, NotRun, Pending, Principal

from .conftest import FakeTime

USER = Principal(id="u1", tenant="acme")
OTHER = Principal(id="u2", tenant="acme")


def look(run: Any, id: str = "7") -> Any:
    return run.call("crm.look", {"id": id}, execute=lambda id: {"id": id, "card": "1", "tenant": "acme"})


def test_the_call_after_the_last_is_refused_with_the_exact_wait(mediate: Callable[..., Mediator], time: FakeTime) -> None:
    """Two an hour: the third is told how long to wait, and passes then."""
    mediator = mediate("limit two on crm.look to 2 per 1h by principal.id")
    with mediator.run(principal=USER) as run:
        look(run)
        time.passed += 600
        look(run)
        with pytest.raises(LimitReached, match="Try again in 50 minutes") as refused:
            look(run)
        assert refused.value.retry_after == timedelta(minutes=50)
        time.passed += 2999
        with pytest.raises(LimitReached):
            look(run)
        time.passed += 1
        look(run)


def test_keys_do_not_meet(mediate: Callable[..., Mediator]) -> None:
    """Another principal has a counter of its own, in the same run or another."""
    mediator = mediate("limit one on crm.look to 1 per 1h by principal.id")
    with mediator.run(principal=USER) as run:
        look(run)
    with mediator.run(principal=OTHER) as run:
        look(run)
    with mediator.run(principal=USER) as run, pytest.raises(LimitReached):
        look(run)


def test_children_count_into_the_root(mediate: Callable[..., Mediator]) -> None:
    """`per run` is the run with all that it began."""
    mediator = mediate("limit three on crm.look to 3 per run")
    with mediator.run(principal=USER) as run:
        look(run)
        with run.delegate("helper", text="look up 8") as child:
            look(child)
            with child.delegate("deeper", text="look up 9") as grandchild:
                look(grandchild)
                with pytest.raises(LimitReached):
                    look(grandchild)
        with pytest.raises(LimitReached):
            look(run)
    with mediator.run(principal=USER) as run:
        look(run)


def test_the_actual_amount_is_committed(mediate: Callable[..., Mediator]) -> None:
    """What is known only after the call is reserved before and settled after."""
    costs = iter([2.0, 0.5, 0.1])
    mediator = mediate("limit spend on crm.* to 3.0 of call.cost reserve 0.5 per run", cost=lambda tool, value: next(costs))
    with mediator.run(principal=USER) as run:
        look(run)
        look(run)
        look(run)
        with pytest.raises(LimitReached):
            look(run)


def test_a_smaller_call_fits(mediate: Callable[..., Mediator]) -> None:
    """`else set` makes the call smaller, decides it again, and runs that."""
    seen: list[float] = []
    mediator = mediate(
        "limit volume on crm.refund to 100.0 of args.amount per 1d by principal.id else set args.amount to 10.0"
    )
    with mediator.run(principal=USER) as run:
        for amount in (95.0, 50.0):
            with pytest.raises(LimitReached) if amount == 50.0 else _passes():
                run.call("crm.refund", {"id": "7", "amount": amount}, execute=lambda id, amount: seen.append(amount))
    assert seen == [95.0]
    mediator = mediate(
        "limit volume on crm.refund to 100.0 of args.amount per 1d by args.id else set args.amount to 5.0"
    )
    with mediator.run(principal=USER) as run:
        for amount in (95.0, 50.0):
            run.call("crm.refund", {"id": "8", "amount": amount}, execute=lambda id, amount: seen.append(amount))
    assert seen == [95.0, 95.0, 5.0]


class _passes:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: Any) -> None: ...


def test_places_are_free_again_when_a_call_ends(mediate: Callable[..., Mediator]) -> None:
    """`at once` counts what runs: a call within a call has no place, one after it has."""
    mediator = mediate("limit single on crm.* to 1 at once by principal.id")
    refused: list[LimitReached] = []

    def nested(id: str, amount: float) -> float:
        try:
            look(run)
        except LimitReached as stopped:
            refused.append(stopped)
        return amount

    with mediator.run(principal=USER) as run:
        run.call("crm.refund", {"id": "7", "amount": 1.0}, execute=nested)
        assert len(refused) == 1
        assert refused[0].retry_after is None
        look(run)


def test_a_refund_restores_the_limit_exactly(mediate: Callable[..., Mediator]) -> None:
    """A hundred refunded tenths leave all of it."""
    mediator = mediate("limit volume on crm.refund to 0.3 of args.amount per 1d by principal.id")

    def refuse(id: str, amount: float) -> None:
        raise NotRun

    with mediator.run(principal=USER) as run:
        for _ in range(100):
            with pytest.raises(NotRun):
                run.call("crm.refund", {"id": "7", "amount": 0.1}, execute=refuse)
        run.call("crm.refund", {"id": "7", "amount": 0.3}, execute=lambda id, amount: None)


def test_beyond_a_limit_people_are_asked(mediate: Callable[..., Mediator]) -> None:
    """`else escalate` asks instead of refusing."""
    mediator = mediate(
        "limit volume on crm.refund to 100.0 of args.amount per 1d by principal.id else escalate to finance within 1h"
    )
    with mediator.run(principal=USER) as run:
        run.call("crm.refund", {"id": "7", "amount": 90.0}, execute=lambda id, amount: None)
        with pytest.raises(Pending) as asked:
            run.call("crm.refund", {"id": "7", "amount": 20.0}, execute=lambda id, amount: pytest.fail("it ran"))
        (ask,) = asked.value.decision.asks
        assert ask.rule == "shop/volume"


def test_observed_limits_count_and_never_refuse(mediate: Callable[..., Mediator]) -> None:
    """An observed limit changes nothing."""
    mediator = mediate("observe limit one on crm.look to 1 per 1h by principal.id")
    with mediator.run(principal=USER) as run:
        look(run)
        look(run)


def test_steps_can_be_limited(mediate: Callable[..., Mediator]) -> None:
    """A limit on `@step` stops a loop that thinks too much."""
    mediator = mediate("limit thinking on @step to 3 per run")
    with mediator.run(principal=USER) as run:
        for _ in range(3):
            run.step("model", text="hm")
        with pytest.raises(LimitReached):
            run.step("model", text="hm")
