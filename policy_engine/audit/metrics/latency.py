"""Latency by stage: how long each stage of the mediation took, the tool itself, and whole runs."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from policy_engine.audit.metrics.counting import Rows
from policy_engine.audit.metrics.distribution import Distribution
from policy_engine.audit.metrics.told import Told
from policy_engine.base.records import RecordKind

MOST_STAGES: Final = 64
"""So many stages are told apart; their names are ours."""
TOOL: Final = "tool"
"""The stage of the tool itself, all attempts and the waits between them: `duration` of an outcome."""
RUN: Final = "run"
"""The whole run: `duration` of its end."""


class Latency:
    """Spreads of nanoseconds, one for each name in `took`, for `tool` and for `run`."""

    name: ClassVar[str] = "latency"
    kinds: ClassVar[tuple[RecordKind, ...]] = ("decision", "outcome", "event", "run.ended")

    def __init__(self) -> None:
        self._stages = Rows(Distribution, MOST_STAGES)

    def add(self, record: Told) -> None:
        """Count the times that a record tells."""
        took = record.body.get("took")
        if isinstance(took, dict):
            for stage, nanos in took.items():
                if type(nanos) is int:
                    self._stages.row(str(stage)).add(nanos)
        duration = record.body.get("duration")
        if type(duration) is int and record.kind in ("outcome", "run.ended"):
            self._stages.row(TOOL if record.kind == "outcome" else RUN).add(duration)

    def merge(self, other: Latency) -> None:
        """Add what another counted."""
        self._stages.merge(other._stages)

    def stages(self) -> dict[str, Distribution]:
        """The spread of each stage by name."""
        return dict(self._stages.items())

    def result(self) -> dict[str, Any]:
        """Nanoseconds by stage: count, mean, extremes, p50, p90, p99."""
        return {stage: spread.result() for stage, spread in self._stages.items()}
