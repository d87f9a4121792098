"""Retries: how often the mediation tried a tool again, and how often that helped."""

from __future__ import annotations

from typing import Any, ClassVar

from policy_engine.audit.metrics.counting import Tally
from policy_engine.audit.metrics.metric import number, share, text
from policy_engine.audit.metrics.told import Told
from policy_engine.base.records import RecordKind


class Retries:
    """Counts attempts after the first. `tries` of an outcome is the number of all attempts."""

    name: ClassVar[str] = "retries"
    kinds: ClassVar[tuple[RecordKind, ...]] = ("outcome",)

    def __init__(self) -> None:
        self._calls = 0
        self._recovered = 0
        self._tools = Tally()

    def add(self, record: Told) -> None:
        """Count an outcome."""
        again = number(record.body, "tries") - 1
        if again > 0:
            self._calls += 1
            self._recovered += record.body.get("status") == "returned"
            self._tools.add(text(record.body, "tool"), again)

    def merge(self, other: Retries) -> None:
        """Add what another counted."""
        self._calls += other._calls
        self._recovered += other._recovered
        self._tools.merge(other._tools)

    def result(self) -> dict[str, Any]:
        """`retries` = attempts after the first; `recovered` = share of the calls tried again that returned."""
        return {
            "retries": self._tools.total, "calls": self._calls, "recovered": share(self._recovered, self._calls),
            "by_tool": self._tools.result(),
        }  # fmt: skip
