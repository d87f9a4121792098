"""What `make demo` shows is so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_demo_shows_what_becomes_of_calls_and_what_the_record_says() -> None:
    """A real agent is allowed, rewritten, refused with a hint it follows, tried again, redacted, limited, timed out, asked
    about and approved; the record verifies and tells how it went; recorded attacks are stopped."""
    done = subprocess.run(
        [sys.executable, "-m", "docs.demo"], cwd=ROOT, capture_output=True, text=True, timeout=120,
        env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    shown = done.stdout
    for words in (
        "  allowed", "  rewritten  n became 100", "It would be permitted with args.amount at most 10000", "  asks ",
        "  retried    3 tries, then 25300.0", '  redacted   {"first_name": "Emma", "last_name": "Johnson", "card": "****"}',
        "  limited    This call was not made: 12,000 a day", "  timed out  ", "  approved   signed with her key",
        "$ policy audit verify state.db", "records, all as they were kept", "$ policy audit stats state.db",
        "1 of 1 tasks", "timeout 1", "questions: approved 1",
    ):  # fmt: skip
        assert words in shown, words
    assert "\x1b" not in shown
    again = shown[shown.index("agent sets it up again") :].splitlines()
    assert again[1] == "  allowed"
    assert "What left the account: [{'recipient': 'AT611904300234573201', 'amount': 10000.0}]" in shown
    rows = re.findall(r"^(our own|AgentDojo, open part) +(\d+) +100 % +0 +(\d+)", shown, re.MULTILINE)
    assert rows and rows[0][0] == "our own"
