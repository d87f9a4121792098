"""`policy fmt`: one way to write, comments kept."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Policy = Callable[..., Result]
MESSY = "policy   p // why\nallow x   on t.y when   args.a==1\n"


def test_check_and_diff_write_nothing(policy: Policy, tmp_path: Path) -> None:
    """--check and --diff exit 1 where something would change, and show it."""
    (tmp_path / "a.policy").write_text(MESSY)
    assert policy("fmt", "--check").exit_code == 1
    shown = policy("fmt", "--diff")
    assert shown.exit_code == 1 and "-allow x   on t.y" in shown.stdout
    assert (tmp_path / "a.policy").read_text() == MESSY


def test_formatting_keeps_comments_and_is_stable(policy: Policy, tmp_path: Path) -> None:
    """The file is rewritten once, the comment stays, a second time changes nothing."""
    path = tmp_path / "a.policy"
    path.write_text(MESSY)
    path.chmod(0o640)
    assert policy("fmt").exit_code == 0
    once = path.read_text()
    assert once != MESSY and "// why" in once
    assert path.stat().st_mode & 0o777 == 0o640
    assert json.loads(policy("fmt", "--format", "json").stdout)["changed"] == []
    assert path.read_text() == once
    assert [file.name for file in tmp_path.iterdir()] == ["a.policy"]


def test_standard_input_is_formatted_to_standard_output(policy: Policy) -> None:
    """`policy fmt -` is for editors."""
    result = policy("fmt", "-", input=MESSY)
    assert result.exit_code == 0 and "args.a == 1" in result.stdout


def test_a_file_that_does_not_parse_stays(policy: Policy, tmp_path: Path) -> None:
    """Its faults are shown, exit 2, and the other files are formatted."""
    (tmp_path / "a.policy").write_text("policy p\nallow x on t.y when ((\n")
    (tmp_path / "b.policy").write_text(MESSY)
    result = policy("fmt")
    assert result.exit_code == 2 and "error[" in result.stderr
    assert (tmp_path / "a.policy").read_text() == "policy p\nallow x on t.y when ((\n"
    assert (tmp_path / "b.policy").read_text() != MESSY


def test_a_wrong_encoding_exits_2(policy: Policy, tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are never rewritten, `check` names the same byte, and the other files are formatted."""
    (tmp_path / "a.policy").write_bytes(b"policy p\n// \xff\n")
    (tmp_path / "b.policy").write_text(MESSY)
    result = policy("fmt")
    assert result.exit_code == 2 and "UTF-8 text: byte 13, on line 2" in result.output
    assert "UTF-8 text: byte 13, on line 2" in policy("check", "a.policy").output
    assert (tmp_path / "a.policy").read_bytes() == b"policy p\n// \xff\n"
    assert (tmp_path / "b.policy").read_text() != MESSY


def test_a_file_that_cannot_be_written_is_named(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its own name, and it stays whole; nothing else is left behind."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", ".a.policy.tmp")

    monkeypatch.setattr(os, "replace", full)
    (tmp_path / "a.policy").write_text(MESSY)
    result = policy("fmt")
    assert result.exit_code == 2 and "a.policy cannot be written: no space left" in result.stderr
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.policy", MESSY)]
