"""`policy init` writes a start that holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Policy = Callable[..., Result]


def test_what_is_written_passes_untouched(policy: Policy, desk: Path) -> None:
    """check, fmt --check and test are fine with the fresh files."""
    for command in (("check",), ("fmt", "--check"), ("test",)):
        result = policy(*command)
        assert result.exit_code == 0, result.output
    assert (desk / ".pre-commit-config.yaml").exists()


def test_nothing_is_overwritten(policy: Policy, desk: Path) -> None:
    """A second init refuses, exit 2, and leaves the changed file as it is."""
    (desk / "support.policy").write_text("mine")
    result = policy("init")
    assert result.exit_code == 2 and "nothing is overwritten" in result.stderr
    assert (desk / "support.policy").read_text() == "mine"


def test_a_new_folder_is_made(policy: Policy, tmp_path: Path) -> None:
    """`policy init a/b` makes the folders, and --format json lists what was written."""
    result = policy("init", "a/b", "--format", "json")
    assert result.exit_code == 0
    assert "support.policy" in json.loads(result.stdout)["written"]
    assert (tmp_path / "a" / "b" / "support.cases.yaml").exists()
