"""`policy rule`: the page of a code, offline."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

from policy_engine.cli.codes import ALL_CODES

Policy = Callable[..., Result]


def test_all_codes_are_listed(policy: Policy) -> None:
    """Without a code every code has a line with its severity and title."""
    lines = policy("rule").stdout.splitlines()
    assert len(lines) == len(ALL_CODES)
    assert len(json.loads(policy("rule", "--format", "json").stdout)) == len(ALL_CODES)


@pytest.mark.parametrize("name", [code.name for code in ALL_CODES])
def test_every_code_has_its_page(policy: Policy, name: str) -> None:
    """The page begins with the code and holds its explanation."""
    result = policy("rule", name)
    assert result.exit_code == 0 and result.stdout.startswith(name)
    assert len(result.stdout.splitlines()) > 2


def test_an_unknown_code_suggests_the_nearest(policy: Policy) -> None:
    """A typo exits 2 and says what was meant."""
    result = policy("rule", "duplicate-nam")
    assert result.exit_code == 2 and "`duplicate-name`" in result.stderr
