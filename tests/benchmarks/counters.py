"""What a limit costs: `python -m tests.benchmarks.counters`. Exits 1 where a ratio is beyond its bar.

One call = reserve and commit of one rate limit. In turn and in short slices: each store with 100 entries in its window and
with 100,000, the same once more (A/A), beside what nobody can do without: in memory a lock and the append and removal of one
entry, in SQLite two transactions that each change one row. Ratios of small and large windows show that nothing is gone
through.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

from policy_engine.runtime.ports.counters import CounterStore, Demand
from policy_engine.stores.memory.counters import MemoryCounters
from policy_engine.stores.sqlite.counters import SqliteCounters
from policy_engine.stores.sqlite.database import Database

SMALL, LARGE = 100, 100_000
ROUNDS, SLICE = 41, 50
BARS = {"memory": 8.0, "sqlite": 4.0, "window": 1.5}
STEP = 10**6
START = 10**18
Call = Callable[[], object]


def limit(store: CounterStore, entries: int) -> Call:
    """One call against a limit whose window holds so many entries, one leaving it for each that comes."""
    numbers = itertools.count()
    span = entries * STEP

    def call() -> None:
        number = next(numbers)
        now, name = START + number * STEP, f"run-{entries}/{number}"
        demand = Demand(f"window of {entries}", 1e9, 1.0, now - span, span)
        store.reserve(name, (demand,), now=now, lease=10**9)
        store.commit(name, {}, now=now)

    for _ in range(entries):
        call()
    return call


def by_hand() -> Call:
    """The least that a limit in memory needs: a lock, twice, and one entry in and out."""
    lock, entries, calls = Lock(), deque([0] * SMALL), dict.fromkeys(map(str, range(SMALL)), 0)
    numbers = itertools.count(SMALL)

    def call() -> None:
        number = next(numbers)
        with lock:
            entries.append(number)
            calls[str(number)] = number
            del calls[str(number - SMALL)]
            entries.popleft()
        with lock:
            calls[str(number)] = -number

    return call


def bare(database: Database) -> Call:
    """Two transactions, each of which changes one row."""
    database.migrate("bare", ("CREATE TABLE bare (id INTEGER PRIMARY KEY, value)", "INSERT INTO bare VALUES (1, 0)"))
    numbers = itertools.count()

    def call() -> None:
        for _ in range(2):
            with database.write() as connection:
                connection.execute("UPDATE bare SET value = ? WHERE id = 1", (next(numbers),))

    return call


def measure(calls: dict[str, Call]) -> dict[str, list[float]]:
    """Processor microseconds a call, slice by slice; the order rotates."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    for turn in range(ROUNDS):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            call, began = calls[name], time.process_time_ns()
            for _ in range(SLICE):
                call()
            times[name].append((time.process_time_ns() - began) / SLICE / 1000)
    return times


def compare(store: str, base: str, calls: dict[str, Call]) -> bool:
    """Measure and print one store; whether all ratios are within their bars."""
    times, fine = measure(calls), True
    for name, bar in ((base, None), ("small again", None), ("small", BARS[store]), ("large", BARS["window"])):
        against = base if name == "small" else "small"
        ratio = statistics.median(one / other for one, other in zip(times[name], times[against], strict=True))
        beyond = bar is not None and ratio > bar
        fine = fine and not beyond
        told = "" if bar is None else f"(bar {bar:g}){'   BEYOND ITS BAR' if beyond else ''}"
        line = f"{store:7} {name:18} {statistics.median(times[name]):8.2f} us   {ratio:5.2f} x {against} {told}"
        print(line.rstrip(), flush=True)
    return fine


def main(arguments: Sequence[str]) -> int:
    """Measure both stores, or those named."""
    fine = True
    with tempfile.TemporaryDirectory() as folder:
        for store in arguments or ("memory", "sqlite"):
            database = Database(Path(folder) / f"{store}.db")
            made: CounterStore = MemoryCounters() if store == "memory" else SqliteCounters(database)
            base = "by hand" if store == "memory" else "two bare commits"
            calls = {
                base: by_hand() if store == "memory" else bare(database),
                "small": limit(made, SMALL), "small again": limit(made, SMALL + 1), "large": limit(made, LARGE),
            }  # fmt: skip
            fine = compare(store, base, calls) and fine
            database.close()
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
