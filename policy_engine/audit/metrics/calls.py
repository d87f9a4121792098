"""Tool-call success rate: which share of the calls that ran returned, over all and by tool."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from policy_engine.audit.metrics.counting import Rows, Tally
from policy_engine.audit.metrics.metric import share, text
from policy_engine.audit.metrics.told import Told
from policy_engine.base.records import RecordKind

_STATUSES: Final = 16


def _statuses() -> Tally:
    return Tally(_STATUSES)


class Calls:
    """Counts how calls that ran came out. A result that was redacted or withheld still returned."""

    name: ClassVar[str] = "calls"
    kinds: ClassVar[tuple[RecordKind, ...]] = ("outcome",)

    def __init__(self) -> None:
        self._all = _statuses()
        self._tools = Rows(_statuses)

    def add(self, record: Told) -> None:
        """Count an outcome."""
        status = text(record.body, "status")
        self._all.add(status)
        self._tools.row(text(record.body, "tool")).add(status)

    def merge(self, other: Calls) -> None:
        """Add what another counted."""
        self._all.merge(other._all)
        self._tools.merge(other._tools)

    def result(self) -> dict[str, Any]:
        """`success` = returned ÷ ran, with the count of each status; the same for each tool."""
        return {**_told(self._all), "by_tool": {tool: _told(counts) for tool, counts in self._tools.items()}}


def _told(counts: Tally) -> dict[str, Any]:
    return {"success": share(counts.get("returned"), counts.total), "ran": counts.total, "statuses": counts.result()}
