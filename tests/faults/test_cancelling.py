"""A call is cancelled at each point where it waits, and a thread is stopped in its tool: nothing stays held, nothing is lost,
nothing runs twice, and the run goes on."""

from __future__ import annotations

import asyncio
import types
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from policy_engine import Mediator, Policy, loads
from policy_engine.assembly.redoing import Redo
from policy_engine.audit.exporting import verified_ledger

from ..unit.mediation.conftest import HEAD, TOOLS
from .hosts import USER

RULES = """limit single on crm.* to 1 at once by principal.id
limit volume on crm.refund to 100.0 of args.amount per 1d by principal.id
retry reads on crm.look up to 2 times backoff 1ms..2ms when error.retryable
breaker crm on crm.* open after 50 failures in 30s probe after 1m
"""
POLICY: Policy = loads(HEAD + RULES, files={"tools.json": TOOLS})


class Shop:
    """Tools that wait a little, and what they did."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.done: Counter[str] = Counter()

    async def refund(self, id: str, amount: float) -> str:
        self.begun[id] += 1
        await anyio.sleep(0)
        self.done[id] += 1
        return "refunded"

    def slow(self, id: str, amount: float) -> str:
        self.begun[id] += 1
        self.done[id] += 1
        return "refunded"

    async def flaky(self, id: str) -> Any:
        self.begun[id] += 1
        await anyio.sleep(0)
        if self.begun[id] == 1:
            raise ConnectionError("lost")
        self.done[id] += 1
        return {"id": id, "card": "1", "tenant": "acme"}


@types.coroutine
def stopped_at(point: int, work: Coroutine[Any, Any, Any], cancel: Callable[[], object]) -> Generator[Any, Any, Any]:
    """Do the work, and cancel when it waits for the `point`th time; returns whether it came so far."""
    waits, told, fault = 0, None, None
    while True:
        try:
            trap = work.send(told) if fault is None else work.throw(fault)
        except StopIteration:
            return waits >= point
        waits += 1
        if waits == point:
            cancel()
        told, fault = None, None
        try:
            told = yield trap
        except BaseException as thrown:
            fault = thrown


async def by_scope(point: int, work: Coroutine[Any, Any, Any]) -> bool:
    """Cancelled as anyio and trio cancel; whether it came so far."""
    with anyio.CancelScope() as scope:
        return bool(await stopped_at(point, work, scope.cancel))
    return True


async def by_task(point: int, work: Coroutine[Any, Any, Any]) -> bool:
    """Cancelled as asyncio cancels, which goes through shields."""

    async def doing() -> bool:
        task = asyncio.current_task()
        assert task is not None
        return bool(await stopped_at(point, work, task.cancel))

    try:
        return await asyncio.create_task(doing())
    except asyncio.CancelledError:
        return True


CALLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "coroutine": ("crm.refund", "refund", {"amount": 100.0}),
    "thread": ("crm.refund", "slow", {"amount": 100.0}),
    "retried": ("crm.look", "flaky", {}),
}


@pytest.mark.parametrize("store", ["memory", "sqlite"])
@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("how", ["asyncio scope", "asyncio task", "trio scope"])
def test_a_call_may_be_cancelled_anywhere(kind: str, how: str, store: str, tmp_path: Path) -> None:
    """At each point where it waits, in turn."""
    backend, _, way = how.partition(" ")
    for point in range(1, 200):
        url = "memory://" if store == "memory" else f"sqlite:///{tmp_path}/{point}.db"
        if not anyio.run(partial(_cancelled, url, kind, by_task if way == "task" else by_scope, point), backend=backend):
            return
    pytest.fail("it waits without end")


async def _cancelled(url: str, kind: str, way: Any, point: int) -> bool:
    shop = Shop()
    tool, name, args = CALLS[kind]
    mediator = Mediator(POLICY, url, payloads="whole")
    async with mediator.run(principal=USER) as run:
        ask = partial(run.call, tool, {"id": "7", **args}, execute=getattr(shop, name), id="mine")
        came = await way(point, ask())
        assert shop.begun["7"] <= (2 if kind == "retried" else 1)
        outcomes = [entry.body for entry in mediator.audit.entries() if entry.kind == "outcome"]
        finished, begun = shop.done["7"], shop.begun["7"]
        if any(body["status"] == "returned" for body in outcomes) or (finished and kind != "thread"):
            await ask()
            assert shop.begun["7"] == begun, "a call that was made was made again"
        if kind != "retried" and all(body.get("error") == "NotRun" for body in outcomes):
            assert not begun
            await run.call("crm.refund", {"id": "8", "amount": 100.0}, execute=shop.refund)  # all of it was given back
        assert await run.call("crm.cached", {"key": "k"}, execute=lambda key: key) == "k"
    _in_order(mediator)
    return bool(came)


def _in_order(mediator: Mediator) -> None:
    kept = list(mediator.audit.entries())
    allowed = {entry.call for entry in kept if entry.kind == "decision" and entry.body["effect"] == "allow"}
    ended = {entry.call for entry in kept if entry.kind == "outcome"}
    assert allowed == ended, "an outcome is lost"
    assert verified_ledger(mediator.audit.ledger).faults == []
    redone = list(Redo(mediator.audit.ledger).redo(lambda entry: True))
    assert [one.problem for one in redone if one.verdict != "equal"] == []
    mediator.close()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_thread_may_be_stopped_in_its_tool(stop: type[BaseException], tmp_path: Path) -> None:
    """The host hears what stopped it, the outcome is recorded, and nothing is held."""
    mediator = Mediator(POLICY, f"sqlite:///{tmp_path}/state.db", payloads="whole")

    def die(id: str, amount: float) -> None:
        raise stop

    with mediator.run(principal=USER) as run:
        with pytest.raises(stop):
            run.call("crm.refund", {"id": "7", "amount": 10.0}, execute=die)
        assert run.call("crm.refund", {"id": "8", "amount": 90.0}, execute=lambda id, amount: "done") == "done"
    statuses = [entry.body["status"] for entry in mediator.audit.entries() if entry.kind == "outcome"]
    assert statuses == ["cancelled", "returned"]
    _in_order(mediator)
