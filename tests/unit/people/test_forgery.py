"""The agent with a shell on the same machine cannot approve itself: everything it can do short of knowing the passphrase."""

from __future__ import annotations

import base64
import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from policy_engine.assembly import approver_keys
from policy_engine.assembly.approver_keys import KeyFault, read_key
from policy_engine.assembly.approvers import Approvers, ApproversError
from policy_engine.runtime.mediation.people.rendering import facts_of
from policy_engine.runtime.mediation.people.statements import statement_of
from policy_engine.runtime.ports.approvals import Answer, Question
from policy_engine.stores.sqlite.approvals import SqliteApprovals
from policy_engine.stores.sqlite.database import Database
from tests.unit.people.signing import PASSPHRASE, RULES, Host, at_terminal, host, without_terminal

STORE = ("--store", "sqlite:///state.db")


class Key:
    """A key pair, as its owner holds it once it is unlocked."""

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()
        raw = self.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.public = base64.b64encode(raw).decode()

    def sign(self, question: Question, **changed: Any) -> Answer:
        said = {
            "id": "a1", "question": question.id, "queue": question.queue, "answer": "approved", "approver": "alice",
            "at": time.time_ns(), "signature": b"", **changed,
        }  # fmt: skip
        signature = self.private.sign(statement_of(question, Answer(**said)))
        return Answer(**{**said, "signature": signature})


ALICE, BOB, MALLORY = Key(), Key(), Key()


@pytest.fixture
def waiting(tmp_path: Path) -> Host:
    """A host that asks finance about a refund of 500. Alice and Bob are its approvers; Mallory is the agent."""
    started = host(tmp_path, {"alice": ALICE.public, "bob": BOB.public})
    assert started.ask().effect == "escalate"
    return started


def shell(waiting: Host, statement: str, *values: Any) -> None:
    """What an agent does with `sqlite3`."""
    with sqlite3.connect(waiting.folder / "state.db") as file:
        file.execute(statement, values)


def put(waiting: Host, answer: Answer) -> None:
    """Write a row past all checks."""
    columns = "id, question, queue, answer, approver, at, signature, record, reason"
    shell(
        waiting, f"INSERT INTO answers ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        answer.id, answer.question, answer.queue, answer.answer, answer.approver, answer.at, answer.signature,
        json.dumps(dict(answer.record)), answer.reason,
    )  # fmt: skip


def test_alices_own_signature_counts(waiting: Host) -> None:
    """Written past all checks too: it is the signature that counts. Without this the cases below would show nothing."""
    put(waiting, ALICE.sign(waiting.waits[0]))
    assert waiting.ask().effect == "allow"


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(lambda q: Answer("a", q.id, "finance", "approved", "alice", time.time_ns(), b""), id="no signature"),
        pytest.param(lambda q: Answer("a", q.id, "finance", "approved", "alice", time.time_ns(), b"\0" * 64), id="zeros"),
        pytest.param(lambda q: MALLORY.sign(q), id="another key"),
        pytest.param(lambda q: BOB.sign(q), id="the key of another approver"),
        pytest.param(lambda q: MALLORY.sign(q, approver="mallory"), id="an approver nobody knows"),
        pytest.param(lambda q: ALICE.sign(q, queue="managers"), id="a queue that she is not in"),
        pytest.param(lambda q: ALICE.sign(q, record={"id": "bob", "level": 9}), id="a record of her own"),
        pytest.param(lambda q: ALICE.sign(q, queue="user"), id="as if she were the user"),
        pytest.param(
            lambda q: Answer("a", q.id, "user", "approved", "u1", time.time_ns(), b"\0" * 32, {"level": 1}), id="a false seal"
        ),
        pytest.param(lambda q: ALICE.sign(q, at=q.expires + 1), id="after its end"),
    ],
)
def test_a_forged_answer_never_counts(waiting: Host, forged: Callable[[Question], Answer]) -> None:
    """Nor does it stand in the way of a true one."""
    put(waiting, forged(waiting.waits[0]))
    assert waiting.ask().effect == "escalate"
    put(waiting, ALICE.sign(waiting.waits[0], id="true"))
    assert waiting.ask().effect == "allow"


@pytest.mark.parametrize(
    "changed",
    [{"answer": "approved"}, {"queue": "managers"}, {"approver": "bob"}, {"at": 5}, {"reason": "fine"}, {"record": {"level": 9}}],
)
def test_an_answer_changed_after_it_was_signed_never_counts(waiting: Host, changed: dict[str, Any]) -> None:
    """A refusal made an approval, another queue, another name, another time, another reason."""
    signed = ALICE.sign(waiting.waits[0], answer="refused", reason="never")
    ((column, value),) = changed.items()
    put(waiting, signed)
    shell(waiting, f"UPDATE answers SET {column} = ?", json.dumps(value) if column == "record" else value)
    assert waiting.ask().effect == "escalate"


def test_an_approval_of_another_question_never_counts(waiting: Host) -> None:
    """Copied over by hand, with or without its ids changed."""
    first = waiting.waits[0]
    assert waiting.ask(101.0, call="c2").effect == "escalate"
    small = waiting.waits[0]
    for question, id in ((small.id, "a1"), (first.id, "a2")):
        signed = ALICE.sign(small, id=id)
        put(waiting, Answer(id, question, "finance", "approved", "alice", signed.at, signed.signature))
    assert waiting.ask().effect == "escalate"
    assert waiting.ask(101.0, call="c2").effect == "allow"


@pytest.mark.parametrize("set_open", ["state = 'open', used_by = NULL", "state = 'open', used_by = 'c2'", "used_by = 'c2'"])
def test_an_approval_that_was_used_is_not_brought_back(waiting: Host, set_open: str) -> None:
    """The row of the question is set open again, or given to another call; this process knows better."""
    put(waiting, ALICE.sign(waiting.waits[0]))
    waiting.ask(call="c2")
    assert waiting.ask().effect == "allow" and waiting.people.use(waiting.told, "c1")
    told = waiting.told
    shell(waiting, f"UPDATE questions SET {set_open}")
    assert waiting.ask(call="c2").effect == "escalate"
    assert waiting.ask(call="c3").effect == "escalate"
    assert not waiting.people.use(told, "c2")


def _shown(waiting: Host, change: Callable[[dict[str, Any]], None]) -> Question:
    """Change what people see of the question, its digests too, and read it as the command line does."""
    question = waiting.waits[0]
    shown = json.loads(json.dumps(dict(question.shown)))
    change(shown)
    shell(waiting, "UPDATE questions SET shown = ?, facts = ?", json.dumps(shown), facts_of(shown))
    found = SqliteApprovals(Database(waiting.folder / "state.db")).get(question.id)
    assert found is not None and found.shown == shown
    return found


def _smaller(shown: dict[str, Any]) -> None:
    shown["arguments"][0]["value"] = "5.0"


def _said(shown: dict[str, Any]) -> None:
    shown["arguments"][0]["from"] = ["said by the user"]


def _harmless(shown: dict[str, Any]) -> None:
    shown["detail"] = "routine, safe to approve"


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("change", [_smaller, _said, _harmless])
def test_what_a_person_was_deceived_about_never_counts(
    waiting: Host, change: Callable[[dict[str, Any]], None], restarted: bool
) -> None:
    """Alice signs what she sees; the host, also one started anew, knows what it asked."""
    put(waiting, ALICE.sign(_shown(waiting, change)))
    guard = host(waiting.folder, {}) if restarted else waiting
    assert guard.ask().effect == "escalate"
    put(waiting, ALICE.sign(guard.waits[0], id="true"))
    assert guard.ask().effect == "allow"


@pytest.mark.parametrize("column", ["binding", "digest", "rule", "facts", "tiers", "expires", "asked"])
def test_a_question_that_is_changed_grants_nothing_after_a_restart(waiting: Host, column: str) -> None:
    """It is asked anew, or what was signed no longer fits."""
    value = {"tiers": '[["finance", 1, 900000000000000]]', "expires": 2**62, "asked": 5}.get(column, "f" * 64)
    shell(waiting, f"UPDATE questions SET {column} = ?", value)
    found = SqliteApprovals(Database(waiting.folder / "state.db")).list(state=None)[0]
    put(waiting, ALICE.sign(found, answer="approved"))
    assert host(waiting.folder, {}).ask().effect == "escalate"


def test_silence_cannot_be_written(waiting: Host) -> None:
    """A ladder does not end before its time, whatever the file says."""
    shell(waiting, "UPDATE questions SET tier = 1, asked = 5")
    assert waiting.ask().effect == "escalate"


@pytest.mark.parametrize("change", ["asked = 5", "tiers = '[[\"finance\", 1, 1]]'", "tier = 1"])
def test_silence_cannot_be_written_for_a_host_that_starts_again_with_its_key(tmp_path: Path, change: str) -> None:
    """Its seal holds all of a question that never changes; without one key for both starts, tiers and length are compared."""
    key = b"k" * 32
    first = host(tmp_path, {"alice": ALICE.public}, host_key=key)
    first.ask()
    shell(first, f"UPDATE questions SET {change}")
    assert host(tmp_path, {}, host_key=key).ask().effect == "escalate"


def test_the_user_of_a_conversation_is_believed_after_a_restart_with_the_same_key(tmp_path: Path) -> None:
    """With another key, they are asked again."""
    rules = RULES.replace("finance within", "user within")
    first = host(tmp_path, {}, host_key=b"k" * 32, rules=rules)
    first.ask()
    first.people.answer_as_user(first.waits[0].id, "approved", {"id": "u1", "level": 0}, time.time_ns())
    assert host(tmp_path, {}, host_key=b"x" * 32, rules=rules).ask().effect == "escalate"
    assert host(tmp_path, {}, host_key=b"k" * 32, rules=rules).ask().effect == "allow"


def test_a_whole_forged_question_is_not_joined(waiting: Host) -> None:
    """One that shows something else than the call would is closed, and the true one asked."""
    question = waiting.waits[0]
    shell(waiting, "UPDATE questions SET id = 'forged', shown = '{}'")
    shell(waiting, "DELETE FROM waiting")
    assert waiting.ask(call="c2").effect == "escalate"
    assert waiting.waits[0].id not in ("forged", question.id)


@pytest.mark.parametrize("form", ["PEM", "OpenSSH", "JSON"])
def test_a_key_without_a_passphrase_is_refused_for_approving(waiting: Host, form: str) -> None:
    """Before anything is signed: what a program can use, an agent can."""
    private = MALLORY.private
    shape = serialization.PrivateFormat.OpenSSH if form == "OpenSSH" else serialization.PrivateFormat.PKCS8
    content = private.private_bytes(serialization.Encoding.PEM, shape, serialization.NoEncryption())
    if form == "JSON":
        content = json.dumps({"form": approver_keys.FORM, "approver": "alice", "secret": "AAAA"}).encode()
    (waiting.folder / "plain.key").write_bytes(content)
    (waiting.folder / "plain.key").chmod(0o600)
    code, shown = at_terminal(
        ["approvals", "approve", waiting.waits[0].id, *STORE, "--key", "plain.key"], [("first 6", "abcdef")], waiting.folder
    )  # fmt: skip
    assert code == 2 and "plain.key" in shown
    assert waiting.ask().effect == "escalate"


def test_a_key_of_the_agents_own_making_counts_for_nothing(waiting: Host) -> None:
    """It names itself alice; the host's registry knows another key by that name."""
    content, _ = approver_keys.new_key("alice", PASSPHRASE)
    approver_keys.write_key(waiting.folder / "mine.key", content)
    key = read_key(waiting.folder / "mine.key").unlock(PASSPHRASE)
    question = waiting.waits[0]
    said = Answer("a1", question.id, "finance", "approved", "alice", time.time_ns(), b"")
    put(waiting, Answer("a1", question.id, "finance", "approved", "alice", said.at, key.sign(statement_of(question, said))))
    assert waiting.ask().effect == "escalate"


@pytest.mark.parametrize("part", ["approver", "public"])
def test_a_key_file_that_was_changed_does_not_unlock(tmp_path: Path, part: str) -> None:
    """Its name and its public half are sealed with the secret one."""
    content, _ = approver_keys.new_key("alice", PASSPHRASE)
    held = {**json.loads(content), part: "bob"}
    approver_keys.write_key(tmp_path / "alice.key", json.dumps(held).encode())
    with pytest.raises(KeyFault):
        read_key(tmp_path / "alice.key").unlock(PASSPHRASE)


def test_no_argument_or_variable_names_an_approver_or_a_registry(waiting: Host) -> None:
    """There is none to give: neither another registry, nor a passphrase, nor who one is."""
    (waiting.folder / "mine.yaml").write_text(json.dumps({"approvers": [
        {"id": "mallory", "key": MALLORY.public, "queues": ["finance"], "record": {"level": 9}},
    ]}))  # fmt: skip
    for option in ("--approvers", "--registry", "--as", "--approver", "--passphrase", "--yes"):
        done = without_terminal(["approvals", "approve", waiting.waits[0].id, *STORE, option, "mine.yaml"], waiting.folder)
        assert done.returncode == 2 and "No such option" in done.stderr
    put(waiting, MALLORY.sign(waiting.waits[0], approver="mallory"))
    assert waiting.ask().effect == "escalate"


def test_a_registry_that_is_changed_while_the_host_runs_does_not_count(waiting: Host) -> None:
    """It is read once."""
    (waiting.folder / "approvers.yaml").write_text(json.dumps({"approvers": [
        {"id": "mallory", "key": MALLORY.public, "queues": ["finance"], "record": {"level": 9}},
    ]}))  # fmt: skip
    put(waiting, MALLORY.sign(waiting.waits[0], approver="mallory"))
    assert waiting.ask().effect == "escalate"


def test_a_registry_that_others_may_write_stops_the_start(waiting: Host) -> None:
    """The file or its folder; or a link in its place."""
    registry = waiting.folder / "approvers.yaml"
    registry.chmod(0o620)
    with pytest.raises(ApproversError, match="others may write"):
        Approvers.from_file(registry)
    registry.chmod(0o600)
    waiting.folder.chmod(0o777)
    with pytest.raises(ApproversError, match="others may write"):
        Approvers.from_file(registry)
    waiting.folder.chmod(0o700)
    (waiting.folder / "link.yaml").symlink_to(registry)
    with pytest.raises(ApproversError):
        Approvers.from_file(waiting.folder / "link.yaml")


ROW = {"id": "a", "key": ALICE.public, "queues": ["finance"]}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([ROW, {**ROW, "key": BOB.public}], "same id"),
        ([ROW, {**ROW, "id": "b", "queues": ["ops"]}], "same key"),
        ([{**ROW, "queues": ["user"]}], "human of a conversation"),
        ([{**ROW, "key": "AAAA"}], "public key"),
        ([{**ROW, "queues": []}], "queues"),
        ([{**ROW, "record": {"id": "b"}}], "record"),
        ([{**ROW, "admin": True}], "nothing else"),
        ([{**ROW, "id": 5}], "are text"),
        ({"a": 1}, "no list"),
    ],
)
def test_a_registry_that_is_not_clear_is_refused(tmp_path: Path, rows: Any, said: str) -> None:
    """Two people with one key, a key for a user, fields nobody reads: the host does not start."""
    path = tmp_path / "approvers.yaml"
    path.write_text(json.dumps({"approvers": rows}))
    path.chmod(0o600)
    with pytest.raises(ApproversError, match=said):
        Approvers.from_file(path)
