"""`policy audit verify|show|export|redo|erase|checkpoint|key`, as an operator uses them on the file of a mediator."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from policy_engine import load
from policy_engine.assembly.mediator import Mediator

Policy = Callable[..., Result]
TEXT = """policy desk
allow small on crm.refund when args.amount <= 50.0 tags "soc2:CC6.1"
allow look on crm.lookup when said(args.id)
"""


@pytest.fixture
def log(policy: Policy, tmp_path: Path) -> str:
    """The store of a mediator after two runs; the policy's file is gone."""
    (tmp_path / "desk.policy").write_text(TEXT)
    mediator = Mediator(load(tmp_path / "desk.policy"), store=f"sqlite:///{tmp_path}/state.db")
    for run, who in (("r1", "u1"), ("r2", "u2")):
        with mediator.run(principal={"id": who}, agent="bot", input="look up a7", id=run) as handle:
            handle.call("crm.lookup", {"id": "a7"}, execute=lambda **_: {"ok": True, "password": "hunter2!"})
            handle.call("crm.refund", {"amount": 12.5}, execute=lambda **_: {"ok": True})
    mediator.close()
    (tmp_path / "desk.policy").unlink()
    return "state.db"


def test_an_untouched_log_verifies(policy: Policy, log: str) -> None:
    """It says how many records there are, and what a log without signatures does not prove."""
    result = policy("audit", "verify", log)
    assert result.exit_code == 0
    assert "all as they were kept" in result.output and "no checkpoint" in result.output


def test_a_changed_record_is_named(policy: Policy, log: str, tmp_path: Path) -> None:
    """By its number, what it is and whose, with exit code 1; for programs as JSON."""
    connection = sqlite3.connect(tmp_path / log)
    rows = connection.execute("SELECT sequence, data FROM audit_rows").fetchall()
    number, data = next((number, data) for number, data in rows if b'"desk/look"' in data and b'"decision",' in data)
    changed = data.replace(b"desk/look", b"desk/none")
    connection.execute("UPDATE audit_rows SET data = ? WHERE sequence = ?", (changed, number))
    connection.commit()
    connection.close()
    result = policy("audit", "verify", log)
    assert result.exit_code == 1
    assert f"record {number} (decision, call r1/#1, run r1)" in result.output and "changed" in result.output
    assert json.loads(policy("audit", "verify", log, "--format", "json").output)["faults"][0]["record"] == number


def test_a_damaged_tail_is_named_and_can_be_left_behind(policy: Policy, log: str, tmp_path: Path) -> None:
    """A host was killed, and the file beside its store damaged: every command says so, `recover` goes on without it."""
    (tmp_path / "desk.policy").write_text(TEXT)
    killed = Mediator(load(tmp_path / "desk.policy"), store=f"sqlite:///{tmp_path}/{log}")
    with killed.run(principal={"id": "u3"}, id="r3") as handle:
        handle.call("crm.refund", {"amount": 1.0}, execute=lambda **_: None)
    assert policy("audit", "recover", log).output == "state.db: nothing has to be recovered\n"
    tail = tmp_path / f"{log}-tail"
    tail.write_bytes(tail.read_bytes().replace(b'"allow"', b'"xllow"'))
    result = policy("audit", "verify", log)
    assert result.exit_code == 1 and "state.db-tail is damaged" in result.output
    fault = json.loads(policy("audit", "verify", log, "--format", "json").output)["faults"][0]
    assert "and all behind it cannot be read" in fault["problem"]
    for command, *more in (("show",), ("export",), ("redo", "--all"), ("erase", "--run", "r3"), ("stats",), ("show", "r3/#1")):
        result = policy("audit", command, log, *more)
        assert result.exit_code == 2 and "state.db-tail is damaged" in result.stderr, command
    assert f"record {fault['record']}" in policy("audit", "recover", log).output.replace("records", "record")
    result = policy("audit", "verify", log)
    assert result.exit_code == 1 and f"record {fault['record']} " in result.output and "missing" in result.output
    assert policy("audit", "show", log).exit_code == 0


def test_records_are_shown_one_a_line(policy: Policy, log: str) -> None:
    """What was decided about which arguments, by which rule, in which run."""
    lines = policy("audit", "show", log, "--run", "r1").output.splitlines()
    (line,) = [line for line in lines if "crm.refund" in line and "decision" in line]
    assert "allow" in line and '{"amount":12.5}' in line and "desk/small" in line and "run r1" in line
    number = line.split()[0]
    record = json.loads(policy("audit", "show", log, number).output)
    assert record["payloads"]["args"] == {"kept": "whole", "value": {"amount": 12.5}}


def test_secrets_are_shown_as_masked(policy: Policy, log: str) -> None:
    """They were never kept."""
    shown = policy("audit", "show", log, "--format", "json").output
    assert "hunter2" not in shown and '"masked": ["password"]' in shown


def test_an_export_verifies_on_its_own(policy: Policy, log: str, tmp_path: Path) -> None:
    """Whole, of a run, or of a tag; a changed line is named; a log that lost what was exported is found out."""
    export = policy("audit", "export", log, "--by-tag", "soc2:CC6.1").output
    decisions = [json.loads(line) for line in export.splitlines() if '"kind":"decision"' in line]
    assert {tuple(one["body"]["rules"]) for one in decisions} == {("desk/small",)}
    (tmp_path / "part.jsonl").write_text(export)
    assert policy("audit", "verify", "part.jsonl").exit_code == 0
    assert policy("audit", "verify", log, "--from-export", "part.jsonl").exit_code == 0
    (tmp_path / "bad.jsonl").write_text(export.replace('"effect":"allow"', '"effect":"deny"', 1))
    result = policy("audit", "verify", "bad.jsonl")
    assert result.exit_code == 1 and f"record {decisions[0]['sequence']}" in result.output


def test_decisions_are_made_again_without_the_policys_file(policy: Policy, log: str) -> None:
    """All of a log: those whose payloads are whole are equal; what was masked is said, and nothing differs."""
    result = policy("audit", "redo", log, "--all", "--format", "json")
    counts = json.loads(result.output)["counts"]
    assert counts["differs"] == 0 and counts["equal"] > 0
    one = policy("audit", "redo", log, "r1/#1")
    assert "equal" in one.output and "cannot be redone exactly: its payload `result` was masked (password)" in one.output


def test_erased_payloads_leave_a_chain_that_verifies(policy: Policy, log: str) -> None:
    """Of one person: theirs are gone, the others' stay, and it is recorded."""
    assert "are gone" in policy("audit", "erase", log, "--principal", "u1").output
    assert policy("audit", "verify", log).exit_code == 0
    shown = policy("audit", "show", log).output
    assert "args erased" in shown and '{"amount":12.5}' in shown and "erased" in shown.splitlines()[-1]
    assert "look up a7" not in policy("audit", "show", log, "--run", "r1").output


def test_erasing_a_run_that_nobody_knows_is_an_error(policy: Policy, log: str) -> None:
    """A typing mistake does not pass for an erasure."""
    missed = policy("audit", "erase", log, "--run", "nosuch")
    assert missed.exit_code == 2
    assert "no record of a run 'nosuch'" in missed.output


def test_a_witness_notices_a_shorter_log(policy: Policy, log: str, tmp_path: Path) -> None:
    """Signed, taken outside, then cut: without the witness nobody could know."""
    (tmp_path / "audit.pub").write_text(policy("audit", "key", "audit.key").output)
    assert (tmp_path / "audit.key").stat().st_mode & 0o077 == 0
    signed = policy("audit", "checkpoint", log, "--key", "audit.key", "--export", "witness.jsonl")
    assert "signed up to record" in signed.output
    proof = ("--witness", "witness.jsonl", "--public-key", "audit.pub")
    assert policy("audit", "verify", log, *proof).exit_code == 0
    connection = sqlite3.connect(tmp_path / log)
    connection.execute("DELETE FROM audit_rows WHERE sequence > 5")
    connection.execute("UPDATE audit_log SET (sequence, digest) = (SELECT sequence, digest FROM audit_rows WHERE sequence = 5)")
    connection.commit()
    connection.close()
    assert policy("audit", "verify", log).exit_code == 0
    result = policy("audit", "verify", log, *proof)
    assert result.exit_code == 1 and "it was witnessed, and the log ends with record 5" in result.output


def test_a_key_that_others_can_read_signs_nothing(policy: Policy, log: str, tmp_path: Path) -> None:
    """It says how to mend that."""
    policy("audit", "key", "audit.key")
    (tmp_path / "audit.key").chmod(0o644)
    result = policy("audit", "checkpoint", log, "--key", "audit.key")
    assert result.exit_code == 2 and "chmod 600" in result.output


@pytest.mark.parametrize("command", ["verify", "show", "export", "redo", "erase", "recover"])
def test_a_file_that_holds_no_log_is_refused(policy: Policy, tmp_path: Path, command: str) -> None:
    """With what to give instead; nothing is written into it."""
    (tmp_path / "other.txt").write_text("hello\n")
    more = {"redo": ["--all"], "erase": ["--run", "r1"]}.get(command, [])
    assert policy("audit", command, "other.txt", *more).exit_code == 2
    assert policy("audit", command, "missing.db", *more).exit_code == 2
    assert (tmp_path / "other.txt").read_text() == "hello\n"
