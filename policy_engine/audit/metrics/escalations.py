"""Escalations: which share of the decisions about calls asked people, what they answered, and how long that took."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from policy_engine.audit.metrics.counting import Rows, Tally
from policy_engine.audit.metrics.distribution import Distribution
from policy_engine.audit.metrics.metric import number, share, text
from policy_engine.audit.metrics.told import Told
from policy_engine.base.records import RecordKind

_FEW: Final = 32


class Escalations:
    """Counts questions (first tier), tiers that followed, and answers with their waits."""

    name: ClassVar[str] = "escalations"
    kinds: ClassVar[tuple[RecordKind, ...]] = ("decision", "ask", "answer")

    def __init__(self) -> None:
        self._decided = 0
        self._asked = 0
        self._later_tiers = 0
        self._rules = Tally()
        self._answers = Tally(_FEW)
        self._waits = Rows(Distribution)
        self._wait = Distribution()

    def add(self, record: Told) -> None:
        """Count a decision, a question or an answer."""
        body = record.body
        if record.kind == "decision":
            self._decided += number(body, "tries") == 0
        elif record.kind == "ask":
            first = number(body, "tier") == 0
            self._asked += first
            self._later_tiers += not first
            if first:
                self._rules.add(text(body, "rule"))
        else:
            self._answers.add(text(body, "answer"))
            self._wait.add(number(body, "waited"))
            self._waits.row(text(body, "queue")).add(number(body, "waited"))

    def merge(self, other: Escalations) -> None:
        """Add what another counted."""
        self._decided += other._decided
        self._asked += other._asked
        self._later_tiers += other._later_tiers
        self._rules.merge(other._rules)
        self._answers.merge(other._answers)
        self._waits.merge(other._waits)
        self._wait.merge(other._wait)

    def result(self) -> dict[str, Any]:
        """`rate` = questions ÷ calls decided for the first time; `wait` and `wait_by_queue` in nanoseconds."""
        return {
            "rate": share(self._asked, self._decided), "asked": self._asked, "later_tiers": self._later_tiers,
            "by_rule": self._rules.result(), "answers": self._answers.result(), "wait": self._wait.result(),
            "wait_by_queue": {queue: wait.result() for queue, wait in self._waits.items()},
        }  # fmt: skip
