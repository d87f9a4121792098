"""`policy explain`: one decision in full."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Policy = Callable[..., Result]

CALL = {
    "tool": "crm.refund", "args": {"id": "A7", "amount": 900.0, "reason": "late"},
    "principal": {"id": "u1", "role": "support"},
}  # fmt: skip


def test_every_targeted_rule_says_what_it_came_to(policy: Policy, desk: Path) -> None:
    """True and false rules stand under their layer with their text, and a refusal exits 1."""
    result = policy("explain", "support.policy", "--call", json.dumps(CALL))
    assert result.exit_code == 1
    assert result.stdout.startswith("deny")
    assert "true   escalate support/review" in result.stdout
    assert "false  allow support/refund" in result.stdout
    assert "layer support (default deny)" in result.stdout


def test_json_lists_the_same(policy: Policy, desk: Path) -> None:
    """Programs get the decision, the layers and each rule."""
    (desk / "call.json").write_text(json.dumps(CALL))
    data = json.loads(policy("explain", "support.policy", "--call", "@call.json", "--format", "json").stdout)
    came_to = {one["rule"]: one["came_to"] for one in data["targeted"]}
    assert came_to["support/review"] == "true" and came_to["support/refund"] == "false"
    assert data["layers"] == [{"layer": "support", "default": "deny"}]


def test_a_recorded_line_is_explained_with_its_history(policy: Policy, tmp_path: Path) -> None:
    """Lines before the asked one are played first."""
    (tmp_path / "a.policy").write_text(
        'policy p\nallow read on t.read\nallow send on t.send when run.calls.exists(c, c.tool == "t.read")\n'
    )
    (tmp_path / "calls.jsonl").write_text(
        '{"run": "r", "tool": "t.read", "call": "1"}\n{"run": "r", "call": "1", "result": 1}\n'
        '{"run": "r", "tool": "t.send"}\n{"tool": "t.read", "tool": "t.send"}\n{"run": "r", "call": "none", "result": 1}\n'
        '{"run": "r", "tool": "t.send"}\n'
    )
    after = policy("explain", "a.policy", "--calls", "calls.jsonl", "--line", "6")
    assert after.exit_code == 0, "lines that `decide` refuses on their own do not stand in the way"
    result = policy("explain", "a.policy", "--calls", "calls.jsonl", "--line", "3")
    assert result.exit_code == 0 and result.stdout.startswith("allow")
    for line, words in (("2", "not a call"), ("9", "no entry"), ("4", "the key `tool` twice")):
        refused = policy("explain", "a.policy", "--calls", "calls.jsonl", "--line", line)
        assert refused.exit_code == 2 and words in refused.stderr


def test_a_call_that_cannot_be_read_exits_2(policy: Policy, desk: Path) -> None:
    """Broken JSON, a wrong key, and no call at all are usage errors."""
    for arguments in (("--call", "{"), ("--call", '{"tol": "x"}'), ("--call", "@missing"), ()):
        assert policy("explain", "support.policy", *arguments).exit_code == 2
