"""A ledger with a tail, one that commits each record, and one in memory, asked the same: they keep the same.

The tail is moved after a few rows here, hosts come and go, die, and take turns; a ledger that follows may say False where
another keeps the row, and then it is appended, as the audit does.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from policy_engine.runtime.ports.ledger import Batch, Head, Ledger, Row
from policy_engine.stores.errors import StoreError
from policy_engine.stores.memory.ledger import MemoryLedger
from policy_engine.stores.sqlite import ledger as sqlite
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.ledger import SqliteLedger

ROUNDS = max(16, int(os.environ.get("POLICY_CASES", "0")) // 200)
STEPS = 40


class Hosts:
    """Two hosts over one file, which may end, die and come again."""

    def __init__(self, path: Path, *, tails: tuple[bool, bool]) -> None:
        self._path = path
        self._tails = tails
        self._open = [self._new(0), self._new(1)]

    def _new(self, host: int) -> tuple[Database, SqliteLedger]:
        database = Database(self._path)
        return database, SqliteLedger(database, tail=self._tails[host])

    def __getitem__(self, host: int) -> SqliteLedger:
        return self._open[host][1]

    def again(self, host: int, *, killed: bool) -> None:
        """A host ends, or dies without a word, and comes again."""
        database, ledger = self._open[host]
        if not killed:
            ledger.close()
        database.close()
        self._open[host] = self._new(host)

    def close(self) -> None:
        """Both end."""
        for database, ledger in self._open:
            ledger.close()
            database.close()


def drawn_row(draw: random.Random, number: int) -> Row:
    run = draw.choice(("", "r1", "runs of Łódź"))
    payload = draw.choice((None, b"", b"{}", draw.randbytes(draw.randrange(300))))
    at, data = draw.choice((-5, 0, 1 << 62)), draw.randbytes(draw.randrange(1, 500))
    return Row(number, f"{draw.getrandbits(255):064x}", run, at, data, payload)


def one_step(draw: random.Random, ledgers: list[Ledger], head: Head) -> None:
    """The same for all."""
    match draw.choice(("follow", "follow", "follow", "follow", "wrong", "batch", "erase", "policy", "bad batch")):
        case "follow":
            row = drawn_row(draw, head.sequence + 1)
            for ledger in ledgers:
                if not ledger.follow(row):
                    ledger.append(lambda head, row=row: Batch([row]))
        case "wrong":
            row = drawn_row(draw, head.sequence + draw.choice((-1, 0, 2, 7)))
            assert [ledger.follow(row) for ledger in ledgers] == [False] * len(ledgers)
        case "batch":
            batch = Batch([drawn_row(draw, head.sequence + 1 + more) for more in range(draw.randrange(5))])
            for ledger in ledgers:
                ledger.append(lambda head, batch=batch: batch)
        case "erase":
            erased = sorted(draw.sample(range(1, head.sequence + 1), min(head.sequence, draw.randrange(4))))
            batch = Batch([drawn_row(draw, head.sequence + 1)], erased=erased)
            for ledger in ledgers:
                ledger.append(lambda head, batch=batch: batch)
        case "policy":
            policies = {draw.choice("ab"): {"main": draw.randbytes(5), "": b"{}"}}
            batch = Batch([drawn_row(draw, head.sequence + 1)], policies=policies)
            for ledger in ledgers:
                ledger.append(lambda head, batch=batch: batch)
        case _:
            rows = [drawn_row(draw, head.sequence + 1), drawn_row(draw, head.sequence + draw.choice((0, 1, 3)))]
            for ledger in ledgers:
                with pytest.raises(StoreError):
                    ledger.append(lambda head, rows=rows: Batch(rows))


@pytest.mark.parametrize("tails", [(True, True), (True, False)], ids=str)
def test_three_ledgers_keep_the_same(tails: tuple[bool, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, those of a part and of a run, head and policies, after every step."""
    monkeypatch.setattr(sqlite, "MOST_ROWS", 7)
    monkeypatch.setattr(sqlite, "MOST_BYTES", 2500)
    for seed in range(ROUNDS):
        draw = random.Random(f"{tails} {seed}")
        plain = MemoryLedger()
        hosts = [Hosts(tmp_path / f"{seed}.db", tails=tails), Hosts(tmp_path / f"{seed}-plain.db", tails=(False, False))]
        for _ in range(STEPS):
            host = draw.randrange(2)
            one_step(draw, [plain, *(one[host] for one in hosts)], plain.head())
            if draw.random() < 0.15:
                for one in hosts:
                    one.again(host, killed=draw.random() < 0.5)
            assert [one[1 - host].head() for one in hosts] == [plain.head()] * 2
            after, upto, run = draw.randrange(-2, 30), draw.choice((None, draw.randrange(40))), draw.choice((None, "r1", ""))
            for one in hosts:
                reading = one[draw.randrange(2)]
                assert list(reading.rows(after=after, upto=upto, run=run)) == list(plain.rows(after=after, upto=upto, run=run))
                assert [reading.policy(name) for name in "ab"] == [plain.policy(name) for name in "ab"]
        assert list(hosts[0][0].rows()) == list(plain.rows())
        for one in hosts:
            one.close()
