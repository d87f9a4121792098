"""`policy check`: findings, exit codes, broken input."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Policy = Callable[..., Result]

GOOD = "policy p\n\nallow all on a.b\n"


def test_a_finding_has_its_place_and_exits_1(policy: Policy, desk: Path) -> None:
    """A misspelt field is shown in its line with the word it should be."""
    path = desk / "support.policy"
    path.write_text(path.read_text().replace("args.amount <= 100.0", "args.amuont <= 100.0"))
    result = policy("check")
    assert result.exit_code == 1
    assert "args.amuont <= 100.0" in result.stdout and "amount" in result.stdout and "1 error" in result.stdout


def test_json_holds_the_same_findings(policy: Policy, desk: Path) -> None:
    """--format json is a list of diagnostics with code, file and line."""
    path = desk / "support.policy"
    path.write_text(path.read_text().replace("args.amount <= 100.0", "args.amuont <= 100.0"))
    found = json.loads(policy("check", "support.policy", "--format", "json").stdout)
    assert found[0]["severity"] == "error" and found[0]["file"] == "support.policy" and found[0]["line"] > 1


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "no .policy file"),
        ({"a.policy": ""}, "policy"),
        ({"a.policy": "// only a comment\n"}, "policy"),
        ({"a.policy": b"policy p\n// \xff\xfe\n"}, "UTF-8"),
        ({"a.policy": GOOD.encode("utf-16")}, "UTF-8"),
        ({"a.policy": 'policy p\nuse tools "missing.json" as x\n'}, "missing.json"),
        ({"a.policy": 'policy p\nuse rules "a.policy"\n' + "allow x on y\n"}, "a.policy"),
        ({"a.policy": 'policy p\n  under "b.policy"\n', "b.policy": 'policy q\n  under "a.policy"\n'}, "b.policy"),
        ({"a.policy": 'policy p\nuse rules "b.policy"\n', "b.policy": 'policy q\nuse rules "a.policy"\n'}, "b.policy"),
        ({"a.policy": GOOD + "deny all on a.b\n"}, "all"),
        ({"a.policy": 'policy p\nuse tools "t.json" as x\n', "t.json": '{"tools": [], "tools": []}'}, "tools"),
        ({"a.policy": 'policy p\nuse tools "t.json" as x\n', "t.json": '[{"name": "\\ud800"}]'}, "t.json"),
        ({"a.policy": 'policy p\nuse tools "t.json" as x\n', "t.json": b"\xff\xfe{"}, "t.json"),
        ({"a.policy": 'policy p\nuse data "d.json" as d\n', "d.json": '{"a": 1, "a": 2}'}, "d.json"),
    ],
)  # fmt: skip
def test_broken_input_is_a_clear_error_and_exits_2(
    policy: Policy, tmp_path: Path, files: dict[str, str | bytes], words: str
) -> None:
    """What cannot be taken for a policy is named, and nothing is half-loaded."""
    for name, text in files.items():
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    result = policy("check", *(["a.policy"] if "a.policy" in files else []))
    assert result.exit_code == 2, result.output
    assert words in result.output and "Traceback" not in result.output


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_without_permission_is_named(policy: Policy, tmp_path: Path) -> None:
    """A file that may not be read is said to be so, exit 2."""
    path = tmp_path / "a.policy"
    path.write_text(GOOD)
    path.chmod(0)
    result = policy("check", "a.policy")
    assert result.exit_code == 2 and "a.policy" in result.output


UNREADABLE = Path("/proc/self/mem")
"""A file whose reading fails for everybody, root included."""


@pytest.mark.skipif(not UNREADABLE.is_file(), reason="this system has no /proc/self/mem")
@pytest.mark.parametrize(
    "command",
    [
        ("check", "a.policy"), ("check", "b.policy"), ("fmt", "a.policy"), ("test", "a.cases.yaml"),
        ("decide", "a.policy", "--calls", "-"), ("decide", "b.policy", "--calls", "-"),
        ("decide", "c.policy", "--calls", "a.policy"), ("explain", "a.policy", "--call", "{}"), ("plan", "a.policy"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_named(policy: Policy, tmp_path: Path, command: tuple[str, ...]) -> None:
    """A policy, a schema, a recording or cases whose reading fails: said by name, exit 2, nothing allowed."""
    for name in ("a.policy", "a.cases.yaml", "tools.json"):
        (tmp_path / name).symlink_to(UNREADABLE)
    (tmp_path / "b.policy").write_text('policy b\nuse tools "tools.json" as t\nallow x on t.read\n')
    (tmp_path / "c.policy").write_text(GOOD)
    result = policy(*command, input='{"tool": "t.read"}\n')
    assert result.exit_code == 2 and '"effect": "allow"' not in result.stdout
    assert any(name in result.output for name in ("a.policy", "a.cases.yaml", "tools.json"))
    assert "itself failed" not in result.output and "Traceback" not in result.output


@pytest.mark.parametrize("name", ["missing.policy", "folder.policy"])
def test_a_path_that_is_no_file_is_named(policy: Policy, tmp_path: Path, name: str) -> None:
    """A missing file, or a folder without policies, exits 2."""
    (tmp_path / "folder.policy").mkdir()
    result = policy("check", name)
    assert result.exit_code == 2 and name in result.output and "Traceback" not in result.output


def test_what_the_lost_rule_read_is_not_called_unused(policy: Policy, tmp_path: Path) -> None:
    """After a fault in a rule nobody knows what it would have read or allowed; once mended, what is unused is told."""
    text = "policy p\nqueues ops\nallow x on t.read\nescalate y on t.read to ops{}\n"
    (tmp_path / "a.policy").write_text(text.format(""))
    broken = policy("check", "a.policy").output
    assert "missing-within" in broken and "unused" not in broken
    (tmp_path / "a.policy").write_text("policy p\nqueues ops, people\nalow x on t.read\ndeny z on t.read when true\n")
    assert "nothing-granted" not in policy("check", "a.policy").output
    (tmp_path / "a.policy").write_text(text.format(" within 1m").replace("queues ops", "queues ops, people"))
    assert "the queue `people` is never used" in policy("check", "a.policy").output


def test_a_circle_of_links_is_no_file(policy: Policy, tmp_path: Path) -> None:
    """A link to itself is said to be missing, not a fault of ours."""
    (tmp_path / "a.policy").symlink_to("a.policy")
    result = policy("check", "a.policy")
    assert result.exit_code == 2 and "a.policy" in result.output and "itself failed" not in result.output


def test_a_wrong_option_exits_2(policy: Policy) -> None:
    """Usage errors are told apart from findings."""
    assert policy("check", "--frmat", "json").exit_code == 2
    assert policy("chek").exit_code == 2


def test_a_file_that_another_uses_is_checked_within_it(policy: Policy, tmp_path: Path) -> None:
    """Rules that only make sense with the file that uses them are no finding when both are given."""
    (tmp_path / "a.policy").write_text('policy p\nuse rules "b.policy"\nlabels secret\nallow x on t.read\n')
    (tmp_path / "b.policy").write_text("policy q\nlabel mark on t.read as secret\n")
    assert "secret" in policy("check", "b.policy").output
    together = policy("check", "a.policy", "b.policy")
    assert "error" not in together.output
