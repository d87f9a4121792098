"""`policy decide`: lines in, decisions out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Policy = Callable[..., Result]

PRINCIPAL = {"id": "u1", "role": "support"}
RUN_POLICY = """policy bank

use tools "tools.json" as bank

labels untrusted

allow reading on bank.read
allow sending on bank.send when run.calls.exists(c, c.tool == "bank.read")
label outside on bank.read as untrusted at result.text
validate short on bank.read require result.text.size() < 50 else withhold
deny secrets-told on @answer when answer.text.contains("secret") because "no secrets"
"""
RUN_TOOLS = {"tools": [
    {"name": "read", "inputSchema": {"type": "object", "properties": {"file": {"type": "string"}}}},
    {"name": "send", "inputSchema": {"type": "object", "properties": {"to": {"type": "string"}}}},
]}  # fmt: skip


def _lines(*entries: Any) -> str:
    return "".join((entry if isinstance(entry, str) else json.dumps(entry)) + "\n" for entry in entries)


def _call(**args: Any) -> dict[str, Any]:
    return {"tool": "crm.refund", "args": {"id": "A7", "reason": "late", **args}, "principal": PRINCIPAL}


@pytest.fixture
def bank(tmp_path: Path) -> str:
    """A policy whose rules read the run."""
    (tmp_path / "bank.policy").write_text(RUN_POLICY)
    (tmp_path / "tools.json").write_text(json.dumps(RUN_TOOLS))
    return "bank.policy"


def test_one_decision_a_line(policy: Policy, desk: Path) -> None:
    """Each line has effect, rules, reason, hint, errors and obligations; a refusal makes the exit code 1."""
    (desk / "calls.jsonl").write_text(_lines(_call(amount=20.0), _call(amount=900.0)))
    result = policy("decide", "support.policy", "--calls", "calls.jsonl")
    first, second = map(json.loads, result.stdout.splitlines())
    assert result.exit_code == 1
    assert (first["effect"], first["rules"]) == ("allow", ["support/refund"])
    assert second["effect"] == "deny" and "100" in second["hint"]
    assert {"effect", "rules", "reason", "hint", "errors", "obligations"} <= set(first)


def test_all_allowed_exits_0_and_standard_input_is_read(policy: Policy, desk: Path) -> None:
    """`--calls -` reads standard input; blank lines are nothing."""
    result = policy("decide", "support.policy", "--calls", "-", input=_lines(_call(amount=20.0), ""))
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "JSON"),
        ("[]", "object"),
        ('{"tool": "crm.refund", "tool": "crm.search"}', "tool"),
        ('{"tool": "crm.refund", "args": {"amount": NaN}}', "JSON"),
        ('{"tool": "crm.refund", "args": {"id": "\\ud800"}}', "JSON"),
        ('{"tool": "crm.refund", "argss": {}}', "`args`"),
        ('{"tool": 7}', "tool"),
        ('{"tool": "x", "at": "yesterday"}', "at"),
        ('{"tool": "x", "attended": "no"}', "attended"),
        ('{"call": "c9", "result": 1}', "call"),
        ('{"call": "c9"}', "result"),
        ('{"run": "r"}', "neither"),
        ('{"run": "r", "input": "a", "answer": "b"}', "one event"),
    ],
)  # fmt: skip
def test_a_bad_line_is_a_recorded_deny_and_the_others_go_on(policy: Policy, desk: Path, line: str, words: str) -> None:
    """What cannot be read is refused with its place; the next line is decided; exit 2."""
    result = policy("decide", "support.policy", "--calls", "-", input=_lines(line, _call(amount=20.0)))
    bad, good = map(json.loads, result.stdout.splitlines())
    assert result.exit_code == 2
    assert bad["effect"] == "deny" and bad["errors"][0]["place"] == "<standard input>:1"
    assert words in bad["errors"][0]["message"]
    assert good["effect"] == "allow"


def test_bytes_that_are_no_text_are_a_bad_line(policy: Policy, desk: Path) -> None:
    """Wrong encoding spoils its line only."""
    text = b'{"tool": "\xff"}\n' + _lines(_call(amount=1.0)).encode()
    result = policy("decide", "support.policy", "--calls", "-", input=text)
    assert [json.loads(line)["effect"] for line in result.stdout.splitlines()] == ["deny", "allow"]
    assert result.exit_code == 2


def test_lines_of_one_run_are_one_trace(policy: Policy, bank: str) -> None:
    """A call sees the outcomes of its own run and of no other; labels and withheld results are said."""
    result = policy("decide", bank, "--calls", "-", input=_lines(
        {"run": "r1", "input": "send it"},
        {"run": "r1", "tool": "bank.send", "args": {}, "call": "c0"},
        {"run": "r1", "tool": "bank.read", "args": {}, "call": "c1"},
        {"run": "r2", "tool": "bank.send", "args": {}},
        {"run": "r1", "call": "c1", "result": {"text": "hello"}},
        {"run": "r1", "tool": "bank.send", "args": {}},
        {"run": "r1", "tool": "bank.read", "args": {}, "call": "c2"},
        {"run": "r1", "call": "c2", "result": {"text": "long " * 20}},
        {"run": "r1", "call": "c0", "result": {}},
        {"run": "r1", "answer": "the secret is 7"},
        {"run": "r1", "answer": "done"},
    ))  # fmt: skip
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["effect"] for answer in answers] == [
        "pass", "deny", "allow", "deny", "pass", "allow", "allow", "withhold", "withhold", "deny", "pass",
    ]  # fmt: skip
    assert answers[4]["obligations"] == [
        {"kind": "label", "rule": "bank/outside", "label": "untrusted", "path": "result.text", "action": "add"}
    ]
    assert answers[9]["reason"] == "no secrets"
    assert result.exit_code == 1


def test_a_failed_call_is_a_fail(policy: Policy, bank: str) -> None:
    """An `error` outcome has no result to look at and does not count as returned."""
    result = policy("decide", bank, "--calls", "-", input=_lines(
        {"run": "r", "tool": "bank.read", "args": {}, "call": "c"},
        {"run": "r", "call": "c", "error": "timeout"},
        {"run": "r", "tool": "bank.send", "args": {}},
    ))  # fmt: skip
    assert [json.loads(line)["effect"] for line in result.stdout.splitlines()] == ["allow", "fail", "deny"]


def test_a_person_can_read_it(policy: Policy, desk: Path) -> None:
    """--format text ends a refusal by default with the line to add."""
    line = {"tool": "crm.delete_order", "args": {"id": "A7"}, "principal": PRINCIPAL}
    result = policy("decide", "support.policy", "--calls", "-", "--format", "text", input=_lines(line))
    assert result.stdout.startswith("deny") and result.stdout.strip().endswith("allow NAME on crm.delete_order")
    unfit = policy("decide", "support.policy", "--calls", "-", "--format", "text", input=_lines({**line, "args": {"x": 1}}))
    assert unfit.stdout.count("args.x") == 1, "nothing is said twice"
    line = {"tool": "crm.refund", "args": {"id": "A7", "amount": 900.0, "reason": "late"}, "principal": PRINCIPAL}
    result = policy("decide", "support.policy", "--calls", "-", "--format", "text", input=_lines(line))
    assert "; hint: args.amount at most 100; " in result.stdout
    assert result.stdout.strip().endswith("allow NAME on crm.refund")


def test_hostile_text_does_not_reach_the_terminal(policy: Policy, desk: Path) -> None:
    """Escape characters in a tool's name are spelled out."""
    line = {"tool": "x\x1b[31m\u202e", "args": {}}
    result = policy("decide", "support.policy", "--calls", "-", "--format", "text", input=_lines(line))
    assert "\x1b" not in result.stdout and "\u202e" not in result.stdout


@pytest.mark.parametrize("arguments", [("missing.policy", "--calls", "-"), ("support.policy", "--calls", "missing")])
def test_what_is_not_there_exits_2(policy: Policy, desk: Path, arguments: tuple[str, ...]) -> None:
    """A missing policy or recording decides nothing."""
    result = policy("decide", *arguments, input=_lines(_call(amount=1.0)))
    assert result.exit_code == 2 and result.stdout == "" and "missing" in result.stderr


def test_a_policy_with_errors_decides_nothing(policy: Policy, tmp_path: Path) -> None:
    """Every diagnostic is shown on standard error, exit 2."""
    (tmp_path / "a.policy").write_text("policy p\nallow x on t.y when args.a ==\nallow z on t.y when nope > 1\n")
    result = policy("decide", "a.policy", "--calls", "-", input=_lines({"tool": "t.y"}))
    assert result.exit_code == 2 and result.stdout == ""
    assert "2 errors" in result.stderr and "nothing was decided" in result.stderr


def test_what_the_user_said_counts_before_a_principal_is_known(policy: Policy, tmp_path: Path) -> None:
    """An input line without a principal is refused where one is declared, but its words stay the user's."""
    (tmp_path / "a.policy").write_text(
        "policy p\nprincipal { id: string }\nallow told on t.send when said(args.to)\n"
    )
    result = policy("decide", "a.policy", "--calls", "-", input=_lines(
        {"run": "r", "input": "write to bob@example.org"},
        {"run": "r", "tool": "t.send", "args": {"to": "bob@example.org"}, "principal": {"id": "u"}},
        {"run": "r", "tool": "t.send", "args": {"to": "eve@example.org"}, "principal": {"id": "u"}},
        {"run": "r", "answer": "done"},
    ))  # fmt: skip
    assert [json.loads(line)["effect"] for line in result.stdout.splitlines()] == ["deny", "allow", "deny", "pass"]
