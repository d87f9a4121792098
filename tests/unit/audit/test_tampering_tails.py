"""Whatever a hand changes in the tail of a log is found, and named, and nobody who goes on writing heals it."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from pathlib import Path

import pytest

from policy_engine.audit.exporting import verified_ledger
from policy_engine.audit.log import Audit, AuditError
from policy_engine.audit.signing import Signer, new_key, signer_of
from policy_engine.runtime.ports.audit import Record
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.ledger import SqliteLedger
from tests.unit.audit.tampering import copy, faults_of, store
from tests.unit.audit.tampering_tails import EDITS, tamper

ROUNDS = max(4, int(os.environ.get("POLICY_CASES", "0")) // 1000)
RECORD = Record("event", 5, "r1", None, {"name": "later"}, {})
Store = tuple[Path, Path, dict[str, object]]


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    path = tmp_path_factory.mktemp("keys") / "audit.key"
    new_key(str(path))
    return signer_of(str(path))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> list[Store]:
    """For each round a log with its last rows in a tail, another of the same shape, and what a witness has of the first."""
    folder = tmp_path_factory.mktemp("stores")
    made: list[Store] = []
    for seed in range(ROUNDS):
        path, other = (
            store(folder, f"{name}{seed}.db", seed + more, signer, whole=False) for name, more in (("log", 0), ("other", 1000))
        )
        database = Database(path)
        witness = Audit(SqliteLedger(database), signer=signer).checkpoint()
        database.close()
        assert witness is not None and faults_of(path, signer, witness) == []
        made.append((path, other, witness))
    return made


@pytest.mark.parametrize("edit", [*EDITS, "remove"])
def test_a_changed_tail_is_found(edit: str, tmp_path: Path, signer: Signer, stores: list[Store]) -> None:
    """Every way of changing it, at drawn places: found with the number of a record, and still found after another record was
    written, or refused."""
    for seed, (path, other, witness) in enumerate(stores):
        changed = copy(path, tmp_path / f"{seed}.db")
        tamper(changed, edit, random.Random(f"{edit} {seed}"), other)
        found = faults_of(changed, signer, witness)
        assert found, (edit, seed)
        assert all(fault.startswith("record ") for fault in found)
        database = Database(changed)
        with suppress(AuditError):
            Audit(SqliteLedger(database, tail=seed % 2 == 0)).append(RECORD)
        database.close()
        assert faults_of(changed, signer, witness), (edit, seed)


@pytest.mark.parametrize("edit", ["flip", "swap", "drop", "double", "remove", "another's", "empty", "zeros"])
@pytest.mark.parametrize("tail", [True, False])
def test_nothing_is_written_behind_what_cannot_be_read(
    edit: str, tail: bool, tmp_path: Path, signer: Signer, stores: list[Store]
) -> None:
    """A tail that is damaged stops the log, whether it is gone on with or its rows are moved; the message names the file."""
    for seed, (path, other, _) in enumerate(stores):
        changed = copy(path, tmp_path / f"{seed}.db")
        tamper(changed, edit, random.Random(f"{edit} {seed}"), other)
        database = Database(changed)
        before = Path(f"{changed}-tail").read_bytes() if edit != "remove" else b""
        with pytest.raises(AuditError, match=f"{seed}.db-tail"):
            Audit(SqliteLedger(database, tail=tail)).append(RECORD)
        database.close()
        assert edit == "remove" or Path(f"{changed}-tail").read_bytes() == before


@pytest.mark.parametrize("edit", ["cut", "tear"])
@pytest.mark.parametrize("tail", [True, False])
def test_what_was_cut_off_is_missed_without_a_witness_too(edit: str, tail: bool, tmp_path: Path) -> None:
    """As rows that were deleted from the table are: the slot tells of a later end, and whoever goes on does so behind that."""
    for seed in range(ROUNDS):
        path = store(tmp_path, f"{edit}{seed}.db", seed, whole=False)
        tamper(path, edit, random.Random(f"{edit} {seed}"), path)
        database = Database(path)
        ledger = SqliteLedger(database, tail=tail)
        (before,) = map(str, verified_ledger(ledger).faults)
        assert "missing at the end" in before
        for _ in range(3):
            Audit(ledger).append(RECORD)
        (after,) = map(str, verified_ledger(ledger).faults)
        assert "missing" in after and after.split()[:2] == before.split()[:2]
        database.close()


def test_what_was_torn_off_by_a_kill_is_no_fault(tmp_path: Path, signer: Signer, stores: list[Store]) -> None:
    """A frame that was never acknowledged stands half behind the end, or whole before the slot tells of it."""
    for seed, (path, _, witness) in enumerate(stores):
        tail = Path(f"{path}-tail").read_bytes()
        for name, more in (("half", tail[-40:-1]), ("zeros", bytes(100)), ("byte", b"x")):
            torn = copy(path, tmp_path / f"{name}{seed}.db")
            Path(f"{torn}-tail").write_bytes(tail + more)
            assert faults_of(torn, signer, witness) == []
            database = Database(torn)
            for _ in range(3):
                Audit(SqliteLedger(database)).append(RECORD)
            database.close()
            assert faults_of(torn, signer, witness) == []
