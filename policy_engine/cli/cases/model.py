"""What a file of cases says: which policy, which requests or runs, what is expected of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from policy_engine.base.source import Span
from policy_engine.cli.traffic.entries import Entry

ANYTHING: Final = object()
"""Stands for an expectation that was not written."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What one decision should be; what is None (`args`, `result`: ANYTHING) is not looked at.

    `reason`, `hint` and `detail` are contained in what is said, without regard to case; `hint` False = there is none.
    `rules` may be written without the policy's name; `asks` are queues.
    """

    span: Span
    effect: str | None = None
    rules: tuple[str, ...] | None = None
    errors: tuple[str, ...] | None = None
    observed: tuple[str, ...] | None = None
    asks: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    reason: str | None = None
    detail: str | None = None
    hint: str | bool | None = None
    args: Any = ANYTHING
    result: Any = ANYTHING


@dataclass(frozen=True, slots=True)
class Step:
    """One entry and what is expected of its decision (None = whatever)."""

    entry: Entry
    expect: Expectation | None
    span: Span


@dataclass(frozen=True, slots=True)
class Case:
    """One case: steps in order, most often a single one."""

    name: str
    steps: tuple[Step, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A whole file. Paths are ready to open."""

    path: Path
    policy: Path
    under: tuple[Path, ...]
    params: Mapping[str, Any]
    cases: tuple[Case, ...]
