"""`policy keys` and `policy approvals`, at a real terminal, against a host on a SQLite file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.people.signing import PASSPHRASE, Host, at_terminal, host, make_key, told, without_terminal

STORE = ("--store", "sqlite:///state.db")


@pytest.fixture(scope="module")
def alices(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    """Alice's key file and its public half, made once: that is slow on purpose."""
    folder = tmp_path_factory.mktemp("keys")
    public = make_key(folder, "alice")
    return (folder / "alice.key").read_bytes(), public


@pytest.fixture
def waiting(tmp_path: Path, alices: tuple[bytes, str]) -> Host:
    """A host that asks finance about a refund of 500; Alice has her key."""
    (tmp_path / "alice.key").write_bytes(alices[0])
    (tmp_path / "alice.key").chmod(0o600)
    started = host(tmp_path, {"alice": alices[1]})
    assert started.ask(args={"note": "please\u202eesaelp"}).effect == "escalate"
    return started


def again(waiting: Host) -> str:
    return waiting.ask(args={"note": "please\u202eesaelp"}).effect


def answer(waiting: Host, verb: str, *more: str, digest: str | None = None, passphrase: str = PASSPHRASE) -> tuple[int, str]:
    """Alice answers; she types the digest that she sees, or another."""
    asked = waiting.waits[0].id
    shown = told(["approvals", "show", asked, *STORE, "--format", "json"], waiting.folder)
    seen = json.loads(shown)["digest"][:6] if digest is None else digest
    typed = [("first 6 characters", seen), ("passphrase of", passphrase)]
    return at_terminal(["approvals", verb, asked[:8], *STORE, "--key", "alice.key", *more], typed, waiting.folder)


def test_an_approver_sees_the_call_and_approves_it(waiting: Host) -> None:
    """The page, the digest, the passphrase; then the call passes."""
    code, shown = answer(waiting, "approve")
    assert code == 0, shown
    for line in ("│  tool      crm.refund", "│  args.amount  (number)", "│     500.0", "│     please<U+202E>esaelp", "└─ digest"):
        assert line in shown
    assert "approved as alice (finance)" in shown and PASSPHRASE not in shown
    assert again(waiting) == "allow"
    assert [approval.approver for approval in waiting.told] == [{"level": 1, "id": "alice"}]


def test_an_approver_refuses(waiting: Host) -> None:
    """With a reason; the call is denied."""
    code, shown = answer(waiting, "reject", "--reason", "not this customer")
    assert code == 0, shown
    assert again(waiting) == "deny"


def test_another_digest_answers_nothing(waiting: Host) -> None:
    """Who does not read cannot confirm; nobody is asked for a passphrase."""
    code, shown = answer(waiting, "approve", digest="zzzzzz")
    assert code == 1 and "nothing was answered" in shown and "passphrase" not in shown
    assert again(waiting) == "escalate"


def test_another_passphrase_answers_nothing(waiting: Host) -> None:
    """The key stays locked."""
    code, shown = answer(waiting, "approve", passphrase="wrong horse battery")
    assert code == 2 and "not the passphrase" in shown
    assert again(waiting) == "escalate"


def test_an_answer_to_a_closed_question_is_not_taken(waiting: Host) -> None:
    """Exit code 1, and why."""
    assert answer(waiting, "reject")[0] == 0
    assert again(waiting) == "deny"
    code, shown = answer(waiting, "approve")
    assert code == 1 and "not taken: the question is refused" in shown


def test_nobody_answers_without_a_terminal(waiting: Host) -> None:
    """Neither through standard input nor through a variable."""
    done = without_terminal(
        ["approvals", "approve", waiting.waits[0].id, *STORE, "--key", "alice.key"], waiting.folder,
        typed=f"{PASSPHRASE}\n" * 3, POLICY_PASSPHRASE=PASSPHRASE,
    )  # fmt: skip
    assert done.returncode == 2 and "a person must" in done.stderr


def test_questions_are_listed(waiting: Host) -> None:
    """As a table with age and time left, as JSON, and by queue."""
    head, row = told(["approvals", "list", *STORE], waiting.folder).splitlines()
    assert head.split() == ["id", "queue", "age", "left", "state", "tool", "rule"]
    assert row.split()[0] == waiting.waits[0].id and row.split()[3] == "29m"
    rows = json.loads(told(["approvals", "list", *STORE, "--format", "json"], waiting.folder))
    assert [(one["queue"], one["count"], one["tool"]) for one in rows] == [("finance", 1, "crm.refund")]
    assert "nobody" in told(["approvals", "list", *STORE, "--queue", "managers"], waiting.folder)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "nobody", *STORE], "no question"),
        (["list", "--store", "memory://"], "no store that others can read"),
        (["list", "--store", "sqlite:///nowhere.db"], "no store at nowhere.db"),
        (["approve", "x", *STORE, "--key", "nobody.key"], "cannot be read"),
    ],
)
def test_wrong_usage_says_what_to_do(waiting: Host, arguments: list[str], said: str) -> None:
    """Exit code 2, one line and a way out; no store is made by looking for one."""
    done = without_terminal(["approvals", *arguments], waiting.folder)
    assert done.returncode == 2 and said in done.stderr and "try:" in done.stderr
    assert not (waiting.folder / "nowhere.db").exists()


@pytest.mark.parametrize("group", ["approvals", "keys"])
def test_every_command_has_an_example(tmp_path: Path, group: str) -> None:
    """In its help."""
    for verb in ("list", "show", "approve", "reject") if group == "approvals" else ("new",):
        assert f"policy {group} {verb} " in told([group, verb, "--help"], tmp_path)


def test_a_short_passphrase_makes_no_key(tmp_path: Path) -> None:
    """It would be guessed by whoever has the file."""
    typed = [("new passphrase", "short"), ("same again", "short")]
    code, shown = at_terminal(["keys", "new", "bob", "--out", "bob.key"], typed, tmp_path)
    assert code == 2 and "guessed too soon" in shown and not (tmp_path / "bob.key").exists()


def test_a_key_is_written_for_its_owner_and_never_over_another(waiting: Host) -> None:
    """Mode 0600; an existing file stays as it was."""
    before = (waiting.folder / "alice.key").read_bytes()
    typed = [("new passphrase", PASSPHRASE), ("same again", PASSPHRASE)]
    code, shown = at_terminal(["keys", "new", "alice", "--out", "alice.key"], typed, waiting.folder)
    assert code == 2 and "nothing is overwritten" in shown
    assert (waiting.folder / "alice.key").read_bytes() == before
    code, shown = at_terminal(["keys", "new", "bob", "--out", "bob.key"], typed, waiting.folder)
    assert code == 0 and "queues:" in shown
    assert (waiting.folder / "bob.key").stat().st_mode & 0o777 == 0o600
