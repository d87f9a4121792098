"""Task completion rate: which share of the tasks that ended came to an answer that passed."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from policy_engine.audit.metrics.counting import Tally
from policy_engine.audit.metrics.metric import share, text
from policy_engine.audit.metrics.told import Told
from policy_engine.base.records import RecordKind

_FEW: Final = 100


class Completion:
    """Counts runs that nobody else began; those of sub-agents are part of the task that began them."""

    name: ClassVar[str] = "completion"
    kinds: ClassVar[tuple[RecordKind, ...]] = ("run.begun", "run.ended")

    def __init__(self) -> None:
        self._begun = 0
        self._ended = 0
        self._completed = 0
        self._sub_runs = 0
        self._causes = Tally(_FEW)

    def add(self, record: Told) -> None:
        """Count a beginning or an end."""
        if isinstance(record.body.get("parent"), str):
            self._sub_runs += record.kind == "run.begun"
        elif record.kind == "run.begun":
            self._begun += 1
        else:
            self._ended += record.body.get("resumed") is not True  # else it ended before, not completed
            if record.body.get("completed") is True:
                self._completed += 1
            else:
                self._causes.add(text(record.body, "cause"))

    def merge(self, other: Completion) -> None:
        """Add what another counted."""
        self._begun += other._begun
        self._ended += other._ended
        self._completed += other._completed
        self._sub_runs += other._sub_runs
        self._causes.merge(other._causes)

    def result(self) -> dict[str, Any]:
        """`rate` = completed ÷ ended; `open` = begun and not ended; `causes` of those not completed."""
        return {
            "rate": share(self._completed, self._ended), "completed": self._completed, "ended": self._ended,
            "begun": self._begun, "open": max(0, self._begun - self._ended), "sub_runs": self._sub_runs,
            "causes": self._causes.result(),
        }  # fmt: skip
