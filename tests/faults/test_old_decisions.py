"""A thousand decisions of drawn policies are made again from the store alone, when their files are gone; and a hand in the
mediator's own file is found."""

from __future__ import annotations

import os
import random
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from policy_engine import DeadlineExceeded, Denied, Mediator, Pending, Policy, PolicyError, load, loads
from policy_engine.assembly.redoing import Redo, counted
from policy_engine.audit.signing import new_key, signer_of

from ..oracle.drawn import request, schemas
from ..oracle.policies import DATA, drawn
from ..unit.audit.tampering import EDITS, copy, faults_of, tamper
from ..unit.mediation.conftest import HEAD, TOOLS
from .hosts import USER

ENOUGH = 20_000 if int(os.environ.get("POLICY_CASES", "0")) >= 100_000 else 1000


def _attempted(run: Any, call: Any) -> None:
    """Make a drawn call, whatever becomes of it."""
    with suppress(Denied, Pending, DeadlineExceeded):
        run.call(call.tool, call.args, execute=lambda **args: {"id": "1", "ok": True}, annotations=call.annotations)


def _lived(folder: Path, seed: int, url: str) -> int:
    """A drawn policy from files, and a few runs under it; how many decisions were made."""
    policy = drawn(seed)
    folder.mkdir()
    for name, text in {"tools.json": schemas(), "limits.json": DATA, **policy.files}.items():
        (folder / (f"{name}.policy" if name == "policy" else name)).write_text(text)
    try:
        loaded = load(folder / "policy.policy", params=dict(policy.params))
    except PolicyError:
        shutil.rmtree(folder)
        return 0
    draw = random.Random(seed)
    with Mediator(loaded, url, payloads="whole") as mediator:
        for number in range(4):
            first = request(draw, policy.shaped)
            mine = {"principal": first.principal, "agent": first.agent, "context": first.context}
            try:
                with mediator.run(**mine, input=draw.choice(("a", "b 5", None)), attended=number % 2 == 0) as run:
                    for _ in range(8):
                        _attempted(run, request(draw, policy.shaped))
            except (Denied, Pending):
                continue
    shutil.rmtree(folder)
    return 1


@pytest.mark.slow
def test_a_thousand_old_decisions_are_made_again(tmp_path: Path) -> None:
    """Under drawn policies that are gone since: all equal."""
    url = f"sqlite:///{tmp_path}/state.db"
    for seed in range(50_000, 50_000 + ENOUGH // 16):
        _lived(tmp_path / str(seed), seed, url)
    assert [one.name for one in tmp_path.iterdir() if one.is_dir()] == []
    other = Mediator(_shop(), url)
    redone = list(Redo(other.audit.ledger).redo(lambda entry: True))
    assert [(one.entry.sequence, one.problem) for one in redone if one.verdict != "equal"] == []
    assert counted(redone)["equal"] >= ENOUGH
    other.close()


def _shop() -> Policy:
    return loads(HEAD, files={"tools.json": TOOLS})


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("keys") / "audit.key"
    new_key(str(path))
    return signer_of(str(path))


def _worked(path: Path, signer: Any, salt: str) -> dict[str, Any]:
    """A mediator's file after a little work; what a witness has of it."""
    with Mediator(_shop(), f"sqlite:///{path}", payloads="whole", signer=signer) as mediator:
        for number in range(3):
            with mediator.run(principal=USER, input=f"order {salt}") as run:
                run.call("crm.refund", {"id": f"{salt}{number}", "amount": 1.0}, execute=lambda id, amount: "done")
                run.call("crm.cached", {"key": salt}, execute=lambda key: key)
        witness = mediator.audit.checkpoint()
    assert witness is not None
    return witness


@pytest.mark.parametrize("edit", [edit for edit in EDITS if edit not in ("edit policy", "drop policy")])
def test_a_hand_in_the_file_of_a_mediator_is_found(edit: str, tmp_path: Path, keys: Any) -> None:
    """Edited, cut out, put elsewhere, cut off, spliced with the file of another: found, and a record is named."""
    witness = _worked(tmp_path / "mine.db", keys, "a")
    _worked(tmp_path / "other.db", keys, "b")
    for seed in range(3):
        changed = copy(tmp_path / "mine.db", tmp_path / f"changed{seed}.db")
        assert faults_of(changed, keys, witness) == []
        tamper(changed, edit, random.Random(f"{edit} {seed}"), tmp_path / "other.db")
        faults = faults_of(changed, keys, witness)
        assert faults and all(fault.startswith("record ") for fault in faults), faults
