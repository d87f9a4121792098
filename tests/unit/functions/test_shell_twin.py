"""Bash itself as the judge: whatever it tries to run stands among the programs that `shell(x)` lists."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings, strategies as st

from policy_engine.semantics.functions.shell_reading import described

BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None, reason="bash is not here")
WATCH = 'command_not_found_handle() { printf "%s\\0" "$1" >> "$LOG"; }; PATH=/nowhere; eval "$TEXT"'
PIECES = st.sampled_from([
    "a", "b", "c1", " ", " ", ";", "&&", "||", "|", "\n", "(", ")", "{ ", "; }", "$(", "`", "'", '"', "\\", "\\\n", "$x", "x=",
    "!", "<<E\n", "\nE\n", "<<<", "<(", "#", "if a; then b; fi", "for y in a; do b; done", "case a in a) b;; esac",
    "[ a ]", "[[ a ]]",
    "${x:-b}", "$((1))", "eval ", "command ", "builtin ", "exec ", "trap ", "~", "{a,b}", "*", "time ", "&", "2>&1", ">/dev/null",
    "while a; do b; done", "$'a'", "coproc ", "function a", "a()", "'a'\"b\"", "x+=", "export ", "[", "]", "then", "fi", "=",
])  # fmt: skip


def ran(text: str) -> set[str]:
    """The names that bash looked for and did not find."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        log.touch()
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [str(BASH), "--norc", "--noprofile", "-c", WATCH], cwd=folder, env={"TEXT": text, "LOG": str(log)},
                stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False,
            )  # fmt: skip
        return set(log.read_text(errors="replace").split("\0")) - {""}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(PIECES, min_size=1, max_size=9).map("".join))
@example("a <<E && b\n$(c1)\nE\n")
@example("a\\\nb c1")
@example("x=a; $x")
@example("time >/dev/null a")
@example("x={ { ")
@example("\\ a")
@example("'a'\"b\"\\a")
@example("!'a'b")
def test_bash_runs_nothing_that_is_not_listed(text: str) -> None:
    """A text that is understood runs no other program; one that is not promises nothing."""
    found = described(text)
    if found["parsed"]:
        assert ran(text) <= set(found["programs"])
