"""Processes killed at random moments: nothing acknowledged is lost, nothing ran unrecorded, no approval let two calls pass.

Each round forks a host that makes calls over one SQLite file, and kills it with SIGKILL after a random time. The tool writes
what it does into a file of its own, which plays the world.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policy_engine import Denied, Mediator, Pending, Principal, loads
from policy_engine.audit.exporting import verified_ledger

from ..unit.mediation.conftest import HEAD, TOOLS
from ..unit.mediation.persons import Person, registry

ROUNDS = 200 if int(os.environ.get("POLICY_CASES", "0")) >= 100_000 else 25
USER = Principal(id="u1", tenant="acme")
FAY = Person("fay", "finance")
RULES = """escalate big on crm.refund when args.amount > 100.0 to finance within 30m
limit many on crm.* to 1000000 per 1d by principal.id
"""
POLICY = loads(HEAD + RULES, files={"tools.json": TOOLS})


class World:
    """What really happened, and what the host was told, each a line in a file that survives the host."""

    def __init__(self, folder: Path) -> None:
        self.done, self.told = folder / "done", folder / "told"

    def write(self, path: Path, line: str) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(handle, f"{line}\n".encode())
        os.close(handle)

    def lines(self, path: Path) -> list[str]:
        return path.read_text().splitlines() if path.exists() else []


def host(database: str, world: World, round_: int, approved: str) -> None:
    """Makes calls without end: one that was approved before, then small ones."""
    mediator = Mediator(POLICY, database, approvers=registry(FAY))

    def refund(id: str, amount: float) -> str:
        world.write(world.done, id)
        return id

    with mediator.run(principal=USER, id=f"of-{approved}") as run:
        try:
            run.call("crm.refund", {"id": approved, "amount": 500.0}, id=approved, execute=refund)
            world.write(world.told, approved)
        except (Denied, Pending):
            pass
    with mediator.run(principal=USER, id=f"round-{round_}") as run:
        for number in range(1_000_000):
            name = f"{round_}-{number}"
            run.call("crm.refund", {"id": name, "amount": 1.0}, id=name, execute=refund)
            world.write(world.told, name)


def ask(database: str, name: str) -> None:
    """A call asks, and is approved, before any host makes it."""
    with Mediator(POLICY, database, approvers=registry(FAY)) as mediator:
        with mediator.run(principal=USER, id=f"of-{name}") as run, pytest.raises(Pending):
            run.call("crm.refund", {"id": name, "amount": 500.0}, id=name, execute=lambda **args: pytest.fail("it ran"))
        FAY.say(mediator._stores.approvals, time.time_ns())


def entries(database: str) -> Iterator[Any]:
    with Mediator(POLICY, database) as mediator:
        yield from list(mediator.audit.entries())


@pytest.mark.slow
def test_a_killed_host_leaves_the_record_whole(tmp_path: Path) -> None:
    """Over many rounds: the chain verifies; what was done was decided; what was told has its outcome; approvals count once."""
    database, world = f"sqlite:///{tmp_path}/state.db", World(tmp_path)
    chance = random.Random(7)
    for round_ in range(ROUNDS):
        approved = f"approved-{round_ // 3}"  # each approved call is resumed by several hosts, killed or not
        if round_ % 3 == 0:
            ask(database, approved)
        child = os.fork()
        if child == 0:
            try:
                host(database, world, round_, approved)
            finally:
                os._exit(1)
        time.sleep(chance.uniform(0.02, 0.35))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    kept = list(entries(database))
    decided = {entry.call.rpartition("/")[2] for entry in kept if entry.kind == "decision" and entry.body["effect"] == "allow"}
    ended = {entry.call.rpartition("/")[2] for entry in kept if entry.kind == "outcome"}
    done, told = world.lines(world.done), world.lines(world.told)
    assert len(told) > ROUNDS
    assert set(done) <= decided, "a call ran without its decision record"
    assert set(told) <= ended, "an acknowledged outcome was lost"
    assert [name for name, count in Counter(done).items() if count > 1] == [], "a call ran twice"
    assert any(name.startswith("approved-") for name in done)
    with Mediator(POLICY, database) as mediator:
        assert verified_ledger(mediator.audit.ledger).faults == []
