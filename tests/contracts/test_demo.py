"""What `make demo` shows is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_demo_shows_each_effect_and_a_table() -> None:
    """A real agent is allowed, rewritten, refused with a hint it follows, and asked about; recorded attacks are stopped."""
    done = subprocess.run([sys.executable, "-m", "docs.demo"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ("  allowed", "  rewritten  n became 100", "args.amount at most 10000", "  asks "):
        assert words in done.stdout
    assert "What left the account: [{'recipient': 'AT611904300234573201', 'amount': 10000.0}]" in done.stdout
    rows = re.findall(r"^(our own|AgentDojo, open part) +(\d+) +100 % +0 +(\d+)", done.stdout, re.MULTILINE)
    assert rows and rows[0][0] == "our own"
