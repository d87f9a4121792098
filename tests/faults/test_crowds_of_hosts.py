"""Real processes and threads call tools through mediators over one file: their limits admit exactly what they say."""

from __future__ import annotations

import os
import subprocess
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from policy_engine import LimitReached, Mediator, Principal

from ..contracts.crowds import crowd_of, heard, tell
from .crowd_host import shop

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 100 if int(os.environ.get("POLICY_CASES", "0")) >= 100_000 else 2
USER = Principal(id="u1", tenant="acme")


def crowd(file: Path, processes: int, threads: int) -> AbstractContextManager[list[subprocess.Popen[str]]]:
    """Hosts over the same file."""
    return crowd_of("tests.faults.crowd_host", processes, lambda number: (file, number, threads))


def ran(hosts: list[subprocess.Popen[str]], kind: str, name: str) -> list[str]:
    """All hosts play a round at once; which calls ran."""
    for host in hosts:
        tell(host, f"{kind} {name}")
    if kind == "places":
        assert sum(int(heard(host)) for host in hosts) == 7, "at once"
        for host in hosts:
            tell(host, "go")
    return [word for host in hosts for word in heard(host).split()[1:]]


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "threads"), [(8, 8), (1, 64)])
def test_a_crowd_of_hosts_is_admitted_exactly(processes: int, threads: int, tmp_path: Path) -> None:
    """By number, sum, distinct values, and at once; what was refunded is there again."""
    file = tmp_path / "state.db"
    with crowd(file, processes, threads) as hosts, Mediator(shop(), f"sqlite:///{file}") as mediator:
        for number in range(ROUNDS):
            assert len(ran(hosts, "rate", f"rate{number}")) == 17
            assert len(ran(hosts, "volume", f"volume{number}")) == 16
            assert len(set(ran(hosts, "distinct", f"distinct{number}"))) == 5
            assert len(ran(hosts, "places", f"places{number}")) == 7
            spent = 3.0 * len(ran(hosts, "refunded", f"refunded{number}"))
            with mediator.run(principal=Principal(id=f"refunded{number}", tenant="x")) as run:
                if spent < 50.0:
                    run.call("crm.refund", {"id": "rest", "amount": min(40.0, 50.0 - spent)}, execute=lambda id, amount: "")
                    spent += min(40.0, 50.0 - spent)
                if spent < 50.0:
                    run.call("crm.refund", {"id": "rest", "amount": 50.0 - spent}, execute=lambda id, amount: "")
                with pytest.raises(LimitReached):
                    run.call("crm.refund", {"id": "more", "amount": 0.5}, execute=lambda id, amount: pytest.fail("it ran"))


def test_a_killed_host_gives_its_places_back_and_its_holds_expire(tmp_path: Path) -> None:
    """Its places at once; what it held while people think, when they need not answer any more."""
    file = tmp_path / "state.db"
    late = timedelta(0)
    with Mediator(shop(), f"sqlite:///{file}", clock=lambda: datetime.now(UTC) + late) as mediator:
        with crowd(file, 1, 7) as (host,):
            tell(host, "places acme")
            assert heard(host) == "7"
            with mediator.run(principal=Principal(id="p", tenant="acme")) as run, pytest.raises(LimitReached):
                run.call("crm.cached", {"key": "k"}, execute=lambda key: pytest.fail("it ran"))
            host.kill()
            host.wait()
            with mediator.run(principal=Principal(id="p", tenant="acme")) as run:
                assert run.call("crm.cached", {"key": "k"}, execute=lambda key: key) == "k"
        with crowd(file, 1, 1) as (host,):
            tell(host, "ask u1")
            assert heard(host) == "ran"
            host.kill()
            host.wait()
            with mediator.run(principal=USER) as run, pytest.raises(LimitReached):
                run.call("crm.refund", {"id": "7", "amount": 10.0}, execute=lambda id, amount: pytest.fail("it ran"))
            late = timedelta(minutes=31)
            with mediator.run(principal=USER) as run:
                assert run.call("crm.refund", {"id": "7", "amount": 10.0}, execute=lambda id, amount: "done") == "done"
