"""Options of the whole suite. `--update-cases` rewrites what `tests/cases/**/*.md` expect; look at the diff."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("POLICY_CACHE", "off")  # tests compile what they test; those of the cache have one of their own


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare `--update-cases`."""
    parser.addoption("--update-cases", action="store_true", help="rewrite the expectations of tests/cases")
