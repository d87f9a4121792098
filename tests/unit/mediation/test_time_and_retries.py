"""Timeouts, retries and breakers with a clock that only the test moves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
import pytest

from policy_engine import BreakerOpen, DeadlineExceeded, Denied, Mediator, Principal

from .conftest import FakeTime

USER = Principal(id="u1", tenant="acme")
GOOD = {"id": "7", "card": "1", "tenant": "acme"}


class Flaky:
    """Fails so many times, then works."""

    def __init__(self, failures: int, fault: type[Exception] = ConnectionError) -> None:
        self.left = failures
        self.calls = 0
        self.fault = fault

    def __call__(self, id: str) -> Any:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.fault("lost")
        return GOOD


def test_a_read_is_tried_again_with_growing_pauses(mediate: Callable[..., Mediator], time: FakeTime) -> None:
    """Three more tries, each pause between the first and the last, and growing."""
    mediator = mediate("retry reads on crm.look up to 3 times backoff 200ms..5s when error.retryable")
    tool = Flaky(3)
    with mediator.run(principal=USER) as run:
        assert run.call("crm.look", {"id": "7"}, execute=tool) == GOOD
    assert tool.calls == 4
    assert len(time.slept) == 3
    assert 0.2 <= time.slept[0] <= 0.4
    assert 0.4 <= time.slept[1] <= 0.6
    assert 0.8 <= time.slept[2] <= 1.0
    (outcome,) = [one for one in mediator.audit.entries() if one.kind == "outcome"]
    assert outcome.body["tries"] == 4


def test_what_is_not_retryable_is_not_tried_again(mediate: Callable[..., Mediator]) -> None:
    """The rule names the errors; others are raised at once."""
    mediator = mediate("retry reads on crm.look up to 3 times when error.retryable")
    tool = Flaky(3, ValueError)
    with mediator.run(principal=USER) as run, pytest.raises(ValueError, match="lost"):
        run.call("crm.look", {"id": "7"}, execute=tool)
    assert tool.calls == 1


def test_an_act_is_never_tried_again(mediate: Callable[..., Mediator]) -> None:
    """A tool that is neither read-only nor idempotent runs once, whatever a rule says."""
    mediator = mediate("retry every on crm.* up to 3 times")
    calls: list[float] = []

    def refund(id: str, amount: float) -> None:
        calls.append(amount)
        raise ConnectionError("lost")

    with mediator.run(principal=USER) as run, pytest.raises(ConnectionError):
        run.call("crm.refund", {"id": "7", "amount": 5.0}, execute=refund)
    assert calls == [5.0]


def test_no_try_begins_past_the_deadline(mediate: Callable[..., Mediator], time: FakeTime) -> None:
    """A pause that would end after the run's time is not begun."""
    mediator = mediate("retry reads on crm.look up to 10 times backoff 1s..60s")
    tool = Flaky(10)
    with mediator.run(principal=USER, within=timedelta(seconds=5)) as run, pytest.raises(ConnectionError):
        run.call("crm.look", {"id": "7"}, execute=tool)
    assert time.passed < 5
    assert 1 < tool.calls < 5


def test_a_breaker_opens_probes_and_closes(mediate: Callable[..., Mediator], time: FakeTime) -> None:
    """After three failures calls are refused unrun; after a minute one probe decides."""
    mediator = mediate(
        'breaker crm on crm.* open after 3 failures in 30s probe after 1m else reply "CRM is down, try later"'
    )
    with mediator.run(principal=USER) as run:
        for _ in range(3):
            with pytest.raises(ConnectionError):
                run.call("crm.look", {"id": "7"}, execute=Flaky(1))
        with pytest.raises(BreakerOpen, match=r"^CRM is down, try later$") as open_:
            run.call("crm.look", {"id": "7"}, execute=lambda id: pytest.fail("it ran"))
        assert open_.value.retry_after == timedelta(minutes=1)
        time.passed += 61
        with pytest.raises(ConnectionError):
            run.call("crm.look", {"id": "7"}, execute=Flaky(1))
        with pytest.raises(BreakerOpen):
            run.call("crm.look", {"id": "7"}, execute=lambda id: pytest.fail("it ran"))
        time.passed += 61
        assert run.call("crm.look", {"id": "7"}, execute=Flaky(0)) == GOOD
        assert run.call("crm.look", {"id": "7"}, execute=Flaky(0)) == GOOD
    states = [one.body["state"] for one in mediator.audit.entries() if one.kind == "breaker"]
    assert states == ["open", "closed"]


def test_a_sync_call_beyond_its_time_is_left_behind(mediate: Callable[..., Mediator]) -> None:
    """The agent is told that it may have acted; the leak is counted until the call ends."""
    mediator = mediate("timeout quick on crm.* after 50ms")
    release = threading.Event()
    with mediator.run(principal=USER) as run:
        with pytest.raises(DeadlineExceeded) as late:
            run.call("crm.look", {"id": "7"}, execute=lambda id: release.wait(30))
        assert late.value.started
        assert mediator.abandoned == {"crm.look": 1}
        release.set()
        for _ in range(100):
            if not mediator.abandoned:
                break
            threading.Event().wait(0.02)
        assert mediator.abandoned == {}
    kinds = [one.kind for one in mediator.audit.entries()]
    assert "leak" in kinds
    (outcome,) = [one for one in mediator.audit.entries() if one.kind == "outcome"]
    assert outcome.body["status"] == "timeout"


def test_a_hanging_tool_takes_no_other_down(mediate: Callable[..., Mediator]) -> None:
    """When all places of a tool hang, it is refused at once, and another works."""
    mediator = mediate("timeout quick on crm.* after 30ms", places_per_tool=2)
    release = threading.Event()
    with mediator.run(principal=USER) as run:
        for _ in range(2):
            with pytest.raises(DeadlineExceeded):
                run.call("crm.look", {"id": "7"}, execute=lambda id: release.wait(30))
        with pytest.raises(Denied, match="have not ended"):
            run.call("crm.look", {"id": "7"}, execute=lambda id: GOOD)
        assert run.call("crm.refund", {"id": "7", "amount": 1.0}, execute=lambda id, amount: "ok") == "ok"
        release.set()


async def test_an_async_call_beyond_its_time_is_cancelled(mediate: Callable[..., Mediator]) -> None:
    """The tool's task is stopped, and nothing is left behind."""
    mediator = mediate("timeout quick on crm.* after 50ms")
    stopped: list[bool] = []

    async def slow(id: str) -> Any:
        try:
            await anyio.sleep(30)
        finally:
            stopped.append(True)

    async with mediator.run(principal=USER) as run:
        with pytest.raises(DeadlineExceeded):
            await run.call("crm.look", {"id": "7"}, execute=slow)
    assert stopped == [True]


async def test_cancelling_the_host_records_what_is_known(mediate: Callable[..., Mediator]) -> None:
    """A cancelled call has an outcome, and its place is free again."""
    mediator = mediate("limit single on crm.* to 1 at once by principal.id")

    async def slow(id: str) -> Any:
        await anyio.sleep(30)

    async with mediator.run(principal=USER) as run:
        with anyio.move_on_after(0.05):
            await run.call("crm.look", {"id": "7"}, execute=slow)
        assert await run.call("crm.look", {"id": "7"}, execute=lambda id: GOOD) == GOOD
    statuses = [one.body["status"] for one in mediator.audit.entries() if one.kind == "outcome"]
    assert statuses == ["cancelled", "returned"]


def test_the_time_of_a_run_bounds_its_children(mediate: Callable[..., Mediator], time: FakeTime) -> None:
    """A child cannot have more time than its parent, and the policy's own bound on `@run` holds for all."""
    mediator = mediate("timeout whole-run on @run after 10s")
    with mediator.run(principal=USER, within=timedelta(hours=1)) as run:
        assert run.deadline is not None and run.deadline <= timedelta(seconds=10)
        with run.delegate("helper", within=timedelta(hours=1)) as child:
            time.passed += 11
            with pytest.raises(DeadlineExceeded) as late:
                child.call("crm.look", {"id": "7"}, execute=lambda id: pytest.fail("it ran"))
            assert not late.value.started


def test_another_tool_stands_in(mediate: Callable[..., Mediator]) -> None:
    """`else call` runs the other tool, decided as a call of its own."""
    mediator = mediate(
        'breaker crm on crm.look open after 1 failures in 30s probe after 1m else call crm.cached with {"key": args.id}',
        tools={"crm.cached": lambda key: f"cached {key}"},
    )
    with mediator.run(principal=USER) as run:
        with pytest.raises(ConnectionError):
            run.call("crm.look", {"id": "7"}, execute=Flaky(1))
        assert run.call("crm.look", {"id": "7"}, execute=lambda id: pytest.fail("it ran")) == "cached 7"


def test_an_act_that_may_have_happened_is_not_made_again(mediate: Callable[..., Mediator]) -> None:
    """After a timeout nobody knows; the same id is refused for an act, and made again for a read."""
    mediator = mediate("timeout quick on crm.* after 30ms")
    release = threading.Event()
    with mediator.run(principal=USER) as run:
        with pytest.raises(DeadlineExceeded):
            run.call("crm.refund", {"id": "7", "amount": 1.0}, id="c1", execute=lambda id, amount: release.wait(30))
        with pytest.raises(Denied, match="may have been made"):
            run.call("crm.refund", {"id": "7", "amount": 1.0}, id="c1", execute=lambda id, amount: pytest.fail("it ran"))
        with pytest.raises(DeadlineExceeded):
            run.call("crm.look", {"id": "7"}, id="c2", execute=lambda id: release.wait(30))
        assert run.call("crm.look", {"id": "7"}, id="c2", execute=lambda id: GOOD) == GOOD
        release.set()
