"""Breakers: how often each opened and closed, and how many calls an open one refused."""

from __future__ import annotations

from typing import Any, ClassVar

from policy_engine.audit.metrics.counting import Tally
from policy_engine.audit.metrics.metric import text, texts
from policy_engine.audit.metrics.told import Told
from policy_engine.base.records import RecordKind


class Breakers:
    """Counts openings, closings and refusals by rule."""

    name: ClassVar[str] = "breakers"
    kinds: ClassVar[tuple[RecordKind, ...]] = ("breaker", "decision")

    def __init__(self) -> None:
        self._opened = Tally()
        self._closed = Tally()
        self._refused = 0
        self._rules = Tally()

    def add(self, record: Told) -> None:
        """Count a change of a breaker, or a decision that one made."""
        body = record.body
        if record.kind == "breaker":
            (self._opened if body.get("state") == "open" else self._closed).add(text(body, "rule"))
        elif body.get("cause") == "breaker":
            self._refused += 1
            for rule in texts(body, "rules"):
                self._rules.add(rule)

    def merge(self, other: Breakers) -> None:
        """Add what another counted."""
        self._opened.merge(other._opened)
        self._closed.merge(other._closed)
        self._refused += other._refused
        self._rules.merge(other._rules)

    def result(self) -> dict[str, Any]:
        """`opened`, `closed` and `refused` in all, the first and the last by rule too."""
        return {
            "opened": self._opened.total, "closed": self._closed.total, "refused": self._refused,
            "opened_by_rule": self._opened.result(), "refused_by_rule": self._rules.result(),
        }  # fmt: skip
