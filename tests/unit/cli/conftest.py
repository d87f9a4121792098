"""Runs `policy` in a folder of its own, as a person would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from policy_engine.cli.app import application

Policy = Callable[..., Result]


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Policy:
    """`policy("check", "a.policy", input=…)` in an empty folder; an unexpected exception fails the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: str, input: str | bytes | None = None) -> Result:
        return CliRunner().invoke(application(), list(arguments), input=input, catch_exceptions=False)

    return run


@pytest.fixture
def desk(policy: Policy, tmp_path: Path) -> Path:
    """The folder with what `policy init` writes."""
    assert policy("init").exit_code == 0
    return tmp_path
