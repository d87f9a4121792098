"""Limits refused: how often each limit stopped a call, and how long agents were told to wait."""

from __future__ import annotations

from typing import Any, ClassVar

from policy_engine.audit.metrics.counting import Tally
from policy_engine.audit.metrics.distribution import Distribution
from policy_engine.audit.metrics.metric import texts
from policy_engine.audit.metrics.told import Told
from policy_engine.base.records import RecordKind


class Limits:
    """Counts refusals whose cause is a limit, by rule."""

    name: ClassVar[str] = "limits"
    kinds: ClassVar[tuple[RecordKind, ...]] = ("decision", "event")

    def __init__(self) -> None:
        self._refused = 0
        self._rules = Tally()
        self._wait = Distribution()

    def add(self, record: Told) -> None:
        """Count a decision that a limit made."""
        body = record.body
        if body.get("cause") != "limit":
            return
        self._refused += 1
        for rule in texts(body, "rules"):
            self._rules.add(rule)
        wait = body.get("wait")
        if type(wait) is int:
            self._wait.add(wait)

    def merge(self, other: Limits) -> None:
        """Add what another counted."""
        self._refused += other._refused
        self._rules.merge(other._rules)
        self._wait.merge(other._wait)

    def result(self) -> dict[str, Any]:
        """`refused` in all and `by_rule`; `wait` in nanoseconds as agents were told."""
        return {"refused": self._refused, "by_rule": self._rules.result(), "wait": self._wait.result()}
