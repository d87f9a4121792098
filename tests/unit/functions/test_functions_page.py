"""The page of all functions says what the catalogue says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_is_what_its_generator_writes() -> None:
    """After a change: `python docs/functions_page.py > docs/functions.md`."""
    made = subprocess.run(
        [sys.executable, "docs/functions_page.py"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert made.stdout == (ROOT / "docs" / "functions.md").read_text(encoding="utf-8")
