"""Whatever a hand changes in a log or in an export of it is found, and named; what nobody changed is not."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from policy_engine.audit.exporting import NotAnExport, exported, verified, verified_ledger
from policy_engine.audit.log import Audit
from policy_engine.audit.signing import Signer, new_key, signer_of
from policy_engine.audit.verifying import Report
from policy_engine.stores.memory.ledger import MemoryLedger
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.ledger import SqliteLedger
from tests.unit.audit.tampering import EDITS, copy, drawn, store, tamper

ROUNDS = max(4, int(os.environ.get("POLICY_CASES", "0")) // 1000)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    path = tmp_path_factory.mktemp("keys") / "audit.key"
    new_key(str(path))
    return signer_of(str(path))


def report_on(path: Path, signer: Signer, witness: dict[str, object] | None = None) -> Report:
    database = Database(path)
    try:
        return verified_ledger(
            SqliteLedger(database), public=signer.public, witness=[] if witness is None else [witness]
        )
    finally:
        database.close()


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> list[tuple[Path, Path, dict[str, object]]]:
    """For each round a log, another of the same shape, and what a witness has of the first."""
    folder = tmp_path_factory.mktemp("stores")
    made = []
    for seed in range(ROUNDS):
        path, other = store(folder, f"log{seed}.db", seed, signer), store(folder, f"other{seed}.db", seed + 1000, signer)
        database = Database(path)
        witness = Audit(SqliteLedger(database), signer=signer).checkpoint()
        database.close()
        assert witness is not None
        assert report_on(path, signer, witness).faults == []
        made.append((path, other, witness))
    return made


@pytest.mark.parametrize("edit", EDITS)
def test_a_changed_file_is_found(
    edit: str, tmp_path: Path, signer: Signer, stores: list[tuple[Path, Path, dict[str, object]]]
) -> None:
    """Every way of changing it, at drawn places: found, with the number of a record; the file before was in order."""
    for seed, (path, other, witness) in enumerate(stores):
        changed = copy(path, tmp_path / f"{seed}.db")
        tamper(changed, edit, random.Random(f"{edit} {seed}"), other)
        faults = report_on(changed, signer, witness).faults
        assert faults, (edit, seed)
        assert all(str(fault).startswith("record ") for fault in faults)


def exported_lines(seed: int, signer: Signer) -> list[bytes]:
    """An export of a drawn log, of one run of it for every second."""
    audit = drawn(MemoryLedger(), random.Random(seed), signer)
    audit.checkpoint()
    return list(exported(audit.ledger, lambda entry: seed % 2 == 0 or entry.run == "r1", 7))


def changes(lines: list[bytes], draw: random.Random) -> Iterator[tuple[str, list[bytes]]]:
    """The lines changed in one way each."""
    at = draw.randrange(1, len(lines) - 1)
    flipped = bytearray(lines[at])
    flipped[draw.randrange(len(flipped))] ^= 1 << draw.randrange(7)
    yield "flip", [*lines[:at], bytes(flipped), *lines[at + 1 :]]
    yield "drop", [*lines[:at], *lines[at + 1 :]]
    yield "swap", [*lines[: at - 1], lines[at], lines[at - 1], *lines[at + 1 :]]
    yield "double", [*lines[:at], lines[at], *lines[at:]]
    yield "cut", lines[:at]
    yield "add", [*lines, lines[at]]
    yield "smuggle", [*lines[:at], lines[at][:-1] + b',"effect":"allow"}', *lines[at + 1 :]]
    yield "twice", [*lines[:at], b'{"kind":"x",' + lines[at][1:], *lines[at + 1 :]]


def test_a_changed_export_is_found(signer: Signer) -> None:
    """Every way of changing it, of a whole log and of a part of one; unchanged it is in order."""
    for seed in range(20 * ROUNDS):
        lines = exported_lines(seed, signer)
        report, digests = verified(lines, public=signer.public)
        assert report.faults == [] and len(digests) == report.records == len(lines) - 2
        for name, changed in changes(lines, random.Random(seed)):
            if changed == lines:
                continue
            try:
                found = [str(fault) for fault in verified(changed, public=signer.public)[0].faults]
            except NotAnExport as fault:
                found = [str(fault)]
            assert found, (name, seed)


def naive(lines: list[bytes]) -> list[int]:
    """The chain followed as the docs describe it, with nothing of ours: the records that do not hold."""
    wrong = []
    before = ""
    for line in lines:
        data = json.loads(line)
        if data["kind"] == "export.begun":
            before = sha256(f"policy-engine audit log {data['body']['log']}".encode()).hexdigest()
        elif data["kind"] != "export.ended":
            parts = {name: data[name] for name in ("kind", "at", "run", "call", "body", "payloads") if name in data}
            text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            content = bytes.fromhex(data["content"]) if "content" in data else sha256(text).digest()
            digest = sha256(bytes.fromhex(before) + data["sequence"].to_bytes(8, "big") + content).hexdigest()
            if digest != data["digest"]:
                wrong.append(data["sequence"])
            for name, (salt, *value) in data.get("beside", {}).items():
                promise = data["payloads"][name]
                promised = promise if isinstance(promise, str) else promise[0]
                kept = json.dumps(value[0], separators=(",", ":"), ensure_ascii=False).encode() if value else None
                if kept is not None and sha256(salt.encode() + kept).hexdigest() != promised:
                    wrong.append(data["sequence"])
            before = data["digest"]
    return wrong


def test_another_program_can_verify_an_export(signer: Signer) -> None:
    """Thirty lines of plain Python follow the chain and the commitments, and find the record that was changed."""
    for seed in range(6):
        lines = exported_lines(seed, signer)
        assert naive(lines) == []
        at = next(number for number, line in enumerate(lines) if b'"effect":"allow"' in line or b'"effect":"deny"' in line)
        lines[at] = lines[at].replace(b'"effect":"allow"', b'"effect":"deny_"').replace(b'"effect":"deny"', b'"effect":"allow"')
        assert naive(lines) == [json.loads(lines[at])["sequence"]]


def test_a_log_without_signatures_is_followed_as_well() -> None:
    """Without a key the chain holds, and an edit is found."""
    audit = drawn(MemoryLedger(), random.Random(1))
    report = verified_ledger(audit.ledger)
    assert (report.faults, report.records, report.checkpoints) == ([], 13, 0)


def test_a_log_that_was_never_signed_is_not_taken_for_a_signed_one(signer: Signer) -> None:
    """Whoever names a key expects a signature of it."""
    audit = drawn(MemoryLedger(), random.Random(1))
    assert "are not signed" in str(verified_ledger(audit.ledger, public=signer.public).faults[0])
