"""A process that writes the audit is killed at random moments: what it was told is kept is kept, and the chain holds."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from policy_engine.audit.exporting import verified_ledger
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.ledger import SqliteLedger

ROUNDS = 200 if int(os.environ.get("POLICY_CASES", "0")) >= 100_000 else 20
ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import sys, threading
from policy_engine.audit.log import Audit
from policy_engine.runtime.ports.audit import Record
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.ledger import SqliteLedger

audit = Audit(SqliteLedger(Database(sys.argv[1])), payloads="whole")

def write(thread):
    number = 0
    while True:
        number += 1
        record = Record("decision", number, f"r{thread}", f"c{number}", {"effect": "allow"}, {"args": {"n": number}})
        digest = audit.append(record)
        sys.stdout.write(digest + "\\n")
        sys.stdout.flush()

for thread in range(3):
    threading.Thread(target=write, args=(thread,), daemon=True).start()
threading.Event().wait()
"""


@pytest.mark.slow
def test_no_acknowledged_record_is_lost_by_a_kill(tmp_path: Path) -> None:
    """Two processes of three threads each, killed with SIGKILL again and again, on one file: all that they printed is there."""
    path = tmp_path / "state.db"
    draw = random.Random(4711)
    acknowledged: list[str] = []
    for _ in range(ROUNDS):
        command = [sys.executable, "-c", CHILD, str(path)]
        children = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)]
        told = b""
        for child in children:
            assert child.stdout is not None
            told += child.stdout.readline()
        time.sleep(draw.uniform(0.0, 0.05))
        for child in children:
            child.send_signal(signal.SIGKILL)
        for child in children:
            assert child.stdout is not None
            whole = child.stdout.read()
            told += whole[: whole.rfind(b"\n") + 1]  # what stands behind the last line break was cut off
            child.wait()
        acknowledged.extend(told.decode().split())
    database = Database(path)
    ledger = SqliteLedger(database)
    report = verified_ledger(ledger)
    kept = {row.digest for row in ledger.rows()}
    database.close()
    assert report.faults == []
    assert len(acknowledged) > ROUNDS
    assert set(acknowledged) <= kept
