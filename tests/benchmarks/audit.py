"""What a record of the audit costs: in memory, in SQLite, by what is kept of payloads. Ratios to hashing and writing alone.

    python -m tests.benchmarks.audit
"""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from policy_engine.audit.log import Audit
from policy_engine.runtime.ports.audit import Record
from policy_engine.stores.memory.ledger import MemoryLedger
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.ledger import SqliteLedger

BODY = {
    "tool": "crm.refund", "effect": "allow", "rules": ["support/small"], "cause": "policy", "policy": "a" * 64, "event": "b" * 64,
    "state": "c" * 64, "enforced": True, "tries": 0, "seen": 1, "entry": 2,
}  # fmt: skip
ARGS = {"amount": 50.0, "order": "A-17 of june", "to": "ann@acme.com"}


def record(number: int) -> Record:
    return Record("decision", 1_700_000_000_000_000_000 + number, "run1", f"run1/{number}", BODY, {"args": ARGS})


def micros(work: Callable[[int], Any], count: int, rounds: int = 5) -> float:
    """The best of several rounds, in microseconds of the processor's and the disk's time together."""
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        for number in range(count):
            work(number)
        best = min(best, time.perf_counter() - begun)
    return best / count * 1e6


def bare() -> float:
    """JSON of the same record and SHA-256 over it, chained: what no log can do without."""
    digest = b""

    def one(number: int) -> None:
        nonlocal digest
        told = {"kind": "decision", "at": number, "run": "run1", "body": BODY, "args": ARGS}
        data = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
        digest = hashlib.sha256(digest + data).digest()

    return micros(one, 20_000)


def bare_sqlite(path: Path) -> float:
    """One row in one transaction, in WAL mode."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, data BLOB)")
    numbers = iter(range(1, 1 << 40))
    data = orjson.dumps(BODY)

    def one(_: int) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO rows VALUES (?, ?)", (next(numbers), data))
        connection.execute("COMMIT")

    return micros(one, 2_000)


def main() -> None:
    """Print the table."""
    floor = bare()
    print(f"JSON and SHA-256 alone        {floor:7.1f} µs")
    for payloads in ("whole", "masked", "digests"):
        cost = micros(lambda number, audit=Audit(MemoryLedger(), payloads=payloads): audit.append(record(number)), 20_000)
        print(f"memory, payloads {payloads:<12} {cost:7.1f} µs   {cost / floor:5.2f}x")
    with tempfile.TemporaryDirectory() as folder:
        disk = bare_sqlite(Path(folder) / "bare.db")
        print(f"a row in SQLite alone         {disk:7.1f} µs")
        for durability in ("process", "fsync"):
            database = Database(Path(folder) / f"{durability}.db", durability=durability)
            audit = Audit(SqliteLedger(database), payloads="whole")
            cost = micros(lambda number, audit=audit: audit.append(record(number)), 2_000 if durability == "process" else 200)
            print(f"SQLite, {durability:<20}  {cost:7.1f} µs   {cost / disk:5.2f}x")
            database.close()


if __name__ == "__main__":
    main()
