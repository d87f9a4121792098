"""Options of the whole suite. `--update-cases` rewrites what `tests/cases/**/*.md` expect; look at the diff."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare `--update-cases`."""
    parser.addoption("--update-cases", action="store_true", help="rewrite the expectations of tests/cases")
