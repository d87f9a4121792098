"""Logs that are drawn, and hands that change them in every way a hand could."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

from policy_engine.audit.exporting import verified_ledger
from policy_engine.audit.log import Audit
from policy_engine.audit.signing import Signer
from policy_engine.runtime.ports.audit import Record
from policy_engine.runtime.ports.ledger import Ledger
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.ledger import SqliteLedger

KINDS = ("decision", "outcome", "event", "run.begun")


def drawn(ledger: Ledger, draw: random.Random, signer: Signer | None = None, count: int = 12) -> Audit:
    """A log of records of three runs with payloads, a policy, and with a signer a checkpoint now and then."""
    audit = Audit(ledger, payloads=draw.choice(("whole", "masked", "digests")), signer=signer, checkpoint_every=5)
    audit.keep_policy("d" * 64, {"main.policy": b"policy main\n"}, {"entries": ["main.policy"]})
    for number in range(count):
        body: dict[str, Any] = {"tool": draw.choice(("a.b", "c.d")), "effect": draw.choice(("allow", "deny")), "n": number}
        payloads = {"args": {"amount": draw.randrange(9), "to": "ann"}, "principal": {"id": "u1"}} if number % 3 else {}
        kind: Any = draw.choice(KINDS)
        audit.append(Record(kind, 1_000 + number, f"r{draw.randrange(3)}", f"c{number}", body, payloads))
    return audit


def store(folder: Path, name: str, seed: int, signer: Signer | None = None, *, whole: bool = True) -> Path:
    """A drawn log in a SQLite file, closed so that another hand can open it. Not `whole`: as a kill leaves it, with its last
    rows in the tail."""
    path = folder / name
    database = Database(path)
    audit = drawn(SqliteLedger(database), random.Random(seed), signer)
    audit.checkpoint()
    if whole:
        audit.ledger.close()
    database.close()
    return path


EDITS = (
    "edit data", "edit digest", "edit run", "edit at", "edit payload", "delete", "delete many", "swap", "move", "double",
    "truncate", "drop payload", "foreign row", "foreign payload", "other id", "edit policy", "drop policy", "before", "beyond",
    "nonsense", "rewrite tail",
)  # fmt: skip


def tamper(path: Path, edit: str, draw: random.Random, other: Path) -> None:
    """Change a file in one way; `other` is a log of the same shape."""
    connection = sqlite3.connect(path, isolation_level=None)
    one = connection.execute
    last = one("SELECT max(sequence) FROM audit_rows").fetchone()[0]
    at = draw.randrange(1, last)
    beside = [number for (number,) in one("SELECT sequence FROM audit_rows WHERE payload IS NOT NULL")]
    match edit:
        case "edit data":
            data = bytearray(one("SELECT data FROM audit_rows WHERE sequence = ?", (at,)).fetchone()[0])
            place = draw.randrange(len(data))
            data[place] ^= 1 << draw.randrange(7)
            one("UPDATE audit_rows SET data = ? WHERE sequence = ?", (bytes(data), at))
        case "edit digest":
            one("UPDATE audit_rows SET digest = ? WHERE sequence = ?", (f"{draw.getrandbits(255):064x}", at))
        case "edit run":
            one("UPDATE audit_rows SET run = run || 'x' WHERE sequence = ?", (at,))
        case "edit at":
            one("UPDATE audit_rows SET at = at + 1 WHERE sequence = ?", (at,))
        case "edit payload":
            number = draw.choice(beside)
            data = bytearray(one("SELECT payload FROM audit_rows WHERE sequence = ?", (number,)).fetchone()[0])
            data[draw.randrange(len(data))] ^= 1
            one("UPDATE audit_rows SET payload = ? WHERE sequence = ?", (bytes(data), number))
        case "drop payload":
            one("UPDATE audit_rows SET payload = NULL WHERE sequence = ?", (draw.choice(beside),))
        case "foreign payload":
            first, second = draw.sample(beside, 2)
            one("UPDATE audit_rows SET payload = (SELECT payload FROM audit_rows WHERE sequence = ?) WHERE sequence = ?",
                (first, second))  # fmt: skip
        case "delete":
            one("DELETE FROM audit_rows WHERE sequence = ?", (at,))
        case "delete many":
            one("DELETE FROM audit_rows WHERE sequence >= ? AND sequence < ?", (at, at + 3))
        case "swap":
            one("UPDATE audit_rows SET sequence = -1 WHERE sequence = ?", (at,))
            one("UPDATE audit_rows SET sequence = ? WHERE sequence = ?", (at, at + 1))
            one("UPDATE audit_rows SET sequence = ? WHERE sequence = -1", (at + 1,))
        case "move":
            one("UPDATE audit_rows SET sequence = ? WHERE sequence = ?", (last + 5, at))
        case "double":
            parts = "digest, run, at, data"
            one(f"UPDATE audit_rows SET ({parts}) = (SELECT {parts} FROM audit_rows WHERE sequence = ?) WHERE sequence = ?",
                (at, at + 1))  # fmt: skip
        case "truncate":
            one("DELETE FROM audit_rows WHERE sequence > ?", (at,))
            digest = one("SELECT digest FROM audit_rows WHERE sequence = ?", (at,)).fetchone()[0]
            one("UPDATE audit_log SET sequence = ?, digest = ?", (at, digest))
        case "rewrite tail" | "foreign row":
            one("ATTACH ? AS other", (str(other),))
            wanted = "sequence >= ?" if edit == "rewrite tail" else "sequence = ?"
            one(f"INSERT OR REPLACE INTO audit_rows SELECT * FROM other.audit_rows WHERE {wanted}", (at,))
        case "other id":
            one("UPDATE audit_log SET id = ?", (f"{draw.getrandbits(128):032x}",))
        case "edit policy":
            one("UPDATE audit_policies SET content = ? WHERE name = 'main.policy'", (b"policy other\n",))
        case "drop policy":
            one("DELETE FROM audit_policies WHERE name = ''")
        case "before" | "beyond":
            number = 0 if edit == "before" else last + 1
            parts = "digest, run, at, data, payload"
            one(f"INSERT INTO audit_rows SELECT ?, {parts} FROM audit_rows WHERE sequence = ?", (number, at))
        case "nonsense":
            one("UPDATE audit_rows SET data = ? WHERE sequence = ?", (draw.choice((b"", b"null", b"{}", b"\xff")), at))
        case _:
            raise AssertionError(edit)
    connection.close()


def copy(path: Path, to: Path) -> Path:
    """The file again, with its write-ahead log and its tail."""
    for end in ("", "-wal", "-tail"):
        if Path(f"{path}{end}").exists():
            shutil.copy(f"{path}{end}", f"{to}{end}")
            Path(f"{to}{end}").chmod(0o600)
    return to


def faults_of(path: Path, signer: Signer, witness: dict[str, Any]) -> list[str]:
    """What `policy audit verify` finds in a file, with a statement that was taken outside."""
    database = Database(path)
    try:
        report = verified_ledger(SqliteLedger(database), public=signer.public, witness=[witness])
        return [str(fault) for fault in report.faults]
    finally:
        database.close()
