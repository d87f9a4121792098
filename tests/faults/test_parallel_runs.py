"""Many calls of one run at once: each sees those before it, ids are unique, and all of them can be decided again."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest

from policy_engine import Denied, Mediator, loads
from policy_engine.assembly.redoing import Redo
from policy_engine.audit.exporting import verified_ledger

from ..unit.mediation.conftest import HEAD, TOOLS
from .hosts import USER

MANY = 24
POLICY = loads(
    HEAD + "deny two on crm.refund when run.attempts.filter(c, c.tool == \"crm.refund\").size() >= 2\n"
    "deny after on crm.look when run.calls.exists(c, c.tool == \"crm.cached\" && c.args.key == args.id)\n",
    files={"tools.json": TOOLS},
)  # fmt: skip


def in_order(mediator: Mediator) -> list[Any]:
    """The log verifies, each name is one call's, and every decision is made again alike."""
    kept = list(mediator.audit.entries())
    assert verified_ledger(mediator.audit.ledger).faults == []
    redone = list(Redo(mediator.audit.ledger).redo(lambda entry: True))
    assert [(one.entry.body, one.problem) for one in redone if one.verdict != "equal"] == []
    assert len(redone) == sum(entry.kind in ("decision", "outcome", "event") for entry in kept)
    return kept


def url_of(store: str, folder: Any) -> str:
    return "memory://" if store == "memory" else f"sqlite:///{folder}/state.db"


def everywhere(way: str, mediator: Mediator, acts: list[Callable[[Any], Any]]) -> list[Any]:
    """All acts at once in one run, in threads or tasks; what each returned or how it was refused."""
    came: list[Any] = [None] * len(acts)

    def threads() -> None:
        with mediator.run(principal=USER) as run, ThreadPoolExecutor(len(acts)) as pool:
            gate = threading.Barrier(len(acts))

            def one(number: int) -> None:
                tool, args, execute, id = acts[number](run)
                gate.wait(30)
                try:
                    came[number] = run.call(tool, args, execute=execute, id=id)
                except Denied as refused:
                    came[number] = refused

            list(pool.map(one, range(len(acts))))

    async def tasks() -> None:
        async with mediator.run(principal=USER) as run, anyio.create_task_group() as group:

            async def one(number: int) -> None:
                tool, args, execute, id = acts[number](run)
                try:
                    came[number] = await run.call(tool, args, execute=execute, id=id)
                except Denied as refused:
                    came[number] = refused

            for number in range(len(acts)):
                group.start_soon(one, number)

    threads() if way == "threads" else anyio.run(tasks, backend=way)
    return came


WAYS = pytest.mark.parametrize("way", ["threads", "asyncio", "trio"])
STORES = pytest.mark.parametrize("store", ["memory", "sqlite"])


@WAYS
@STORES
def test_of_two_calls_the_second_sees_the_first(way: str, store: str, tmp_path: Any) -> None:
    """However many ask at once, two pass where a rule allows two, and all that follow can be decided again."""
    with Mediator(POLICY, url_of(store, tmp_path), payloads="whole") as mediator:
        ran: Counter[str] = Counter()

        def act(number: int) -> Any:
            def refund(id: str, amount: float) -> str:
                ran[id] += 1
                return id

            def cached(key: str) -> str:
                return key

            def look(id: str) -> Any:
                return {"id": id, "card": "1", "tenant": "acme"}

            kinds = [
                ("crm.refund", {"id": str(number), "amount": 1.0}, refund, None),
                ("crm.cached", {"key": str(number // 3)}, cached, None),
                ("crm.look", {"id": str(number // 3)}, look, f"mine-{number}"),
            ]
            return lambda run: kinds[number % 3]

        came = everywhere(way, mediator, [act(number) for number in range(MANY)])
        refunds = [one for one in came[::3] if not isinstance(one, Denied)]
        assert len(refunds) == 2 and sum(ran.values()) == 2
        kept = in_order(mediator)
        names = [entry.call for entry in kept if entry.kind == "decision"]
        assert len(names) == len(set(names)) == MANY
        entries = [entry.body["entry"] for entry in kept if entry.kind in ("decision", "outcome")]
        assert len(entries) == len(set(entries))


@WAYS
@STORES
def test_of_one_id_at_once_one_call_runs(way: str, store: str, tmp_path: Any) -> None:
    """The others are told that it is running, or get its result; with other arguments they are refused."""
    with Mediator(POLICY, url_of(store, tmp_path), payloads="whole") as mediator:
        ran: list[str] = []

        def cached(key: str) -> str:
            ran.append(key)
            return key

        async def waits(key: str) -> str:
            await anyio.sleep(0.01)
            return cached(key)

        def act(number: int) -> Any:
            execute = cached if way == "threads" else waits
            return lambda run: ("crm.cached", {"key": "other" if number % 4 == 3 else "same"}, execute, "mine")

        came = everywhere(way, mediator, [act(number) for number in range(MANY)])
        assert len(ran) == 1
        told = {str(one) for one in came if isinstance(one, Denied)}
        assert told and all("already running" in text or "with other arguments" in text for text in told), told
        assert [one for one in came if not isinstance(one, Denied)].count(ran[0]) >= 1
        in_order(mediator)
