"""Real processes and threads against one limit in one file, and processes that are killed while they hold places."""

from __future__ import annotations

import os
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from policy_engine.runtime.ports.counters import Demand, Full
from policy_engine.stores.sqlite.counters import SqliteCounters
from policy_engine.stores.sqlite.database import Database
from tests.contracts.crowds import crowd_of, heard, tell

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 100 if int(os.environ.get("POLICY_CASES", "0")) > 10_000 else 10
NOW = 10**18
BOUND = 37


def crowd(file: Path, processes: int, threads: int, bound: int = BOUND) -> AbstractContextManager[list[subprocess.Popen[str]]]:
    """Processes that ask the same limit."""
    return crowd_of("tests.contracts.crowd", processes, lambda number: (file, number, bound, threads))


@pytest.mark.slow
def test_eight_processes_of_eight_threads_admit_exactly_the_limit(tmp_path: Path) -> None:
    """In every round, although half of the calls are refunded while others ask; what was refunded is there again."""
    with crowd(tmp_path / "state.db", 8, 8) as processes:
        counters = SqliteCounters(Database(tmp_path / "state.db", patience=60))
        for number in range(ROUNDS):
            for process in processes:
                tell(process, f"round {number}")
            spent = sum(int(heard(process)) for process in processes)
            left = [
                counters.reserve(f"{number} {extra}", [Demand(f"round {number}", BOUND, 1.0)], now=NOW, lease=1)
                for extra in range(BOUND - spent + 1)
            ]
            assert left == [None] * (BOUND - spent) + [Full(0, None)]


@pytest.mark.slow
def test_sixty_four_threads_admit_exactly_the_limit(tmp_path: Path) -> None:
    """All in one process."""
    with crowd(tmp_path / "state.db", 1, 64) as (process,):
        counters = SqliteCounters(Database(tmp_path / "state.db", patience=60))
        for number in range(ROUNDS):
            tell(process, f"round {number}")
            spent = int(heard(process))
            demand = [Demand(f"round {number}", BOUND, float(BOUND - spent))]
            assert counters.reserve(f"{number} rest", demand, now=NOW, lease=1) is None
            assert counters.reserve(f"{number} more", [Demand(f"round {number}", BOUND, 1e-9)], now=NOW, lease=1) is not None


def test_a_killed_process_gives_its_places_back(tmp_path: Path) -> None:
    """At once, not after the lease; its amounts count as spent, and places of those that live stay taken."""
    counters = SqliteCounters(Database(tmp_path / "state.db"))
    at_once, amounts = Demand("places", 2, 1.0, place=True), Demand("amounts", 2, 1.0)
    with crowd(tmp_path / "state.db", 2, 1, bound=2) as (first, second):
        for process in (first, second):
            tell(process, "hold")
            assert heard(process) == "True"
        assert counters.reserve("mine", [at_once], now=NOW, lease=1) == Full(0, None)
        assert counters.reserve("much later", [at_once], now=2 * NOW, lease=1) == Full(0, None)
        first.kill()
        first.wait()
        assert counters.reserve("mine", [at_once], now=NOW, lease=1) is None
        assert counters.reserve("other", [at_once], now=NOW, lease=1) == Full(0, None)
        assert counters.reserve("other", [amounts], now=NOW, lease=1) == Full(0, None)
        counters.commit("0 held", {"amounts": 0.5}, now=NOW)
        assert counters.reserve("other", [Demand("amounts", 2, 0.5)], now=NOW, lease=1) is None


def test_what_a_killed_process_held_is_found_at_the_next_start(tmp_path: Path) -> None:
    """Also where nobody asks that counter: a store that is opened looks for the dead."""
    with crowd(tmp_path / "state.db", 1, 1) as (process,):
        tell(process, "hold")
        assert heard(process) == "True"
    database = Database(tmp_path / "state.db")
    SqliteCounters(database)
    with database.read() as connection:
        assert connection.execute("SELECT count(*) FROM counters WHERE kind = 1").fetchone() == (0,)


def test_a_resumed_call_takes_over_what_its_dead_process_held(tmp_path: Path) -> None:
    """It counts once; if it does not run again, what the dead one may have spent stays."""
    with crowd(tmp_path / "state.db", 1, 1, bound=2) as (process,):
        tell(process, "hold")
        assert heard(process) == "True"
        counters = SqliteCounters(Database(tmp_path / "state.db"))
        process.kill()
        process.wait()
        demand = Demand("amounts", 2, 1.0)
        assert counters.reserve("0 held", [demand], now=NOW, lease=1) is None
        assert counters.reserve("other", [demand], now=NOW, lease=1) is None
        counters.refund("0 held", now=NOW)
        assert counters.reserve("third", [demand], now=NOW, lease=1) == Full(0, None)


def test_a_forked_child_is_a_process_of_its_own(tmp_path: Path) -> None:
    """Its places go with it, while its parent's stay."""
    counters = SqliteCounters(Database(tmp_path / "state.db"))
    place = [Demand("places", 2, 1.0, place=True)]
    assert counters.reserve("parent", place, now=NOW, lease=1) is None
    child = os.fork()
    if child == 0:
        try:
            held = counters.reserve("child", place, now=NOW, lease=1) is None
            full = counters.reserve("more", place, now=NOW, lease=1) is not None
            os._exit(0 if held and full else 1)
        except BaseException:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert counters.reserve("next", place, now=NOW, lease=1) is None
    assert counters.reserve("more", place, now=NOW, lease=1) == Full(0, None)
