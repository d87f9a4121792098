"""The program as a process: help, exit codes, no tracebacks, no colours where nobody asked."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from policy_engine.cli import app, terminal

Policy = Callable[..., Result]

COMMANDS = [command.__name__ for command in app.COMMANDS]


def _policy(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    code = "from policy_engine.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120, check=False, **options
    )  # type: ignore[call-overload, no-any-return, unused-ignore]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_both_formats(command: str) -> None:
    """--help shows how the command is used and that it speaks text and json."""
    result = _policy(command, "--help")
    assert result.returncode == 0
    assert f"policy {command}" in result.stdout and "Example" in result.stdout
    assert "--format" in result.stdout


def test_the_program_explains_itself() -> None:
    """`policy` and `policy --help` list every command."""
    shown = _policy("--help")
    assert shown.returncode == 0
    assert [command for command in COMMANDS if command not in shown.stdout] == []


def test_an_unexpected_fault_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever breaks inside ends with one line that says how to report it, and exit 2."""

    def broken() -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(app, "application", lambda: broken)
    with pytest.raises(SystemExit) as ended:
        app.main()
    shown = capsys.readouterr()
    assert ended.value.code == 2
    assert "ZeroDivisionError: inside" in shown.err and "report" in shown.err and len(shown.err.splitlines()) == 1


@pytest.mark.parametrize("command", [["rule"], ["decide", "support.policy", "--calls", "calls.jsonl"]], ids=lambda c: c[0])
def test_a_closed_pipe_is_no_fault(policy: Policy, desk: Path, command: list[str]) -> None:
    """`policy rule | head -1` ends quietly; so does `policy decide`, which reads a file meanwhile."""
    (desk / "calls.jsonl").write_text('{"tool": "crm.search", "principal": {"id": "u1", "role": "lead"}}\n' * 500)
    code = "from policy_engine.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=desk
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
    assert errors == ""


def test_a_poor_terminal_encoding_is_survived(tmp_path: Path) -> None:
    """Characters that ASCII lacks come out escaped."""
    (tmp_path / "ü.policy").write_text("policy p\nallow é on t.y\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    result = _policy("check", cwd=tmp_path, env=environment)
    assert result.returncode in (1, 2) and "Traceback" not in result.stderr


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("patience", "shown"), [(0.0, True), (60.0, False)])
def test_a_progress_bar_appears_only_where_it_takes_long(
    monkeypatch: pytest.MonkeyPatch, patience: float, shown: bool
) -> None:
    """On a terminal, after a second; the items pass through either way."""
    screen = _Screen()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(terminal, "PATIENCE_SECONDS", patience)
    assert list(terminal.progress([1, 2, 3], "counting")) == [1, 2, 3]
    assert ("counting" in screen.getvalue()) is shown


class _Stream:
    def __init__(self, terminal: bool) -> None:
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("terminal_here", "no_color", "term", "wanted"),
    [(True, "", "xterm", True), (True, "1", "xterm", False), (True, "", "dumb", False), (False, "", "xterm", False)],
)
def test_colour_only_where_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch, terminal_here: bool, no_color: str, term: str, wanted: bool
) -> None:
    """A terminal, no NO_COLOR, and one that knows colours."""
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", term)
    assert terminal.colourful(_Stream(terminal_here)) is wanted  # type: ignore[arg-type]
