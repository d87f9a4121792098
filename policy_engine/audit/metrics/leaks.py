"""Leaks: sync calls that went on after their time was over, and the most that ran so at once."""

from __future__ import annotations

from typing import Any, ClassVar

from policy_engine.audit.metrics.counting import Tally
from policy_engine.audit.metrics.metric import number, text
from policy_engine.audit.metrics.told import Told
from policy_engine.base.records import RecordKind


class Leaks:
    """Counts abandoned calls by tool."""

    name: ClassVar[str] = "leaks"
    kinds: ClassVar[tuple[RecordKind, ...]] = ("leak",)

    def __init__(self) -> None:
        self._tools = Tally()
        self._most = 0

    def add(self, record: Told) -> None:
        """Count an abandoned call."""
        self._tools.add(text(record.body, "tool"))
        self._most = max(self._most, number(record.body, "abandoned"))

    def merge(self, other: Leaks) -> None:
        """Add what another counted."""
        self._tools.merge(other._tools)
        self._most = max(self._most, other._most)

    def result(self) -> dict[str, Any]:
        """`abandoned` in all and `by_tool`; `most_at_once` of one tool."""
        return {"abandoned": self._tools.total, "most_at_once": self._most, "by_tool": self._tools.result()}
