"""Tokens and cost: what steps of the agent used, and what its calls cost, in the unit of the host."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final

from policy_engine.audit.metrics.counting import Tally
from policy_engine.audit.metrics.metric import number, text
from policy_engine.audit.metrics.told import Told
from policy_engine.base.records import RecordKind

_BILLIONTHS: Final = 1_000_000_000


class Spending:
    """Adds up. Costs are added in billionths, as whole numbers: sums of doubles would depend on the order."""

    name: ClassVar[str] = "spending"
    kinds: ClassVar[tuple[RecordKind, ...]] = ("outcome", "event")

    def __init__(self) -> None:
        self._tokens = 0
        self._steps = 0
        self._tools = Tally()

    def add(self, record: Told) -> None:
        """Count what an outcome or a step used."""
        cost = billionths(record.body.get("cost"))
        self._tokens += number(record.body, "tokens")
        if record.kind == "event":
            self._steps += cost
        elif cost:
            self._tools.add(text(record.body, "tool"), cost)

    def merge(self, other: Spending) -> None:
        """Add what another counted."""
        self._tokens += other._tokens
        self._steps += other._steps
        self._tools.merge(other._tools)

    def result(self) -> dict[str, Any]:
        """`tokens` of steps; `cost` of calls and steps together, of steps, and by tool."""
        return {
            "tokens": self._tokens, "cost": (self._tools.total + self._steps) / _BILLIONTHS,
            "cost_of_steps": self._steps / _BILLIONTHS,
            "cost_by_tool": {tool: cost / _BILLIONTHS for tool, cost in self._tools.result().items()},
        }  # fmt: skip


def billionths(cost: object) -> int:
    """A cost as a whole number; 0 for what is no finite number."""
    if isinstance(cost, bool) or not isinstance(cost, int | float) or not math.isfinite(cost):
        return 0
    return round(cost * _BILLIONTHS)
