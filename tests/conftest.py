"""Options of the whole suite. `--update-cases` rewrites what `tests/cases/**/*.md` expect; look at the diff."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

settings.register_profile("ours", deadline=None)  # a busy machine is no fault: no test is timed
settings.load_profile("ours")
os.environ.setdefault("POLICY_CACHE", "off")  # tests compile what they test; those of the cache have one of their own


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare `--update-cases`."""
    parser.addoption("--update-cases", action="store_true", help="rewrite the expectations of tests/cases")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Ids that are the same in every process: without an address, which would tear xdist's workers apart."""
    if " at 0x" not in repr(val):
        return None
    return getattr(val, "__name__", type(val).__name__)
