"""Refusals: which share of the decisions about calls refused, and who refused: a rule, a limit, a breaker, a fault …"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from policy_engine.audit.metrics.counting import Tally
from policy_engine.audit.metrics.metric import share, text
from policy_engine.audit.metrics.told import Told
from policy_engine.base.records import RecordKind

_FEW: Final = 32


class Refusals:
    """Counts decisions `deny` that were enforced; what an observing run would have refused is apart."""

    name: ClassVar[str] = "refusals"
    kinds: ClassVar[tuple[RecordKind, ...]] = ("decision", "event")

    def __init__(self) -> None:
        self._decided = 0
        self._calls = 0
        self._events = 0
        self._observed = 0
        self._hinted = 0
        self._causes = Tally(_FEW)
        self._tools = Tally()

    def add(self, record: Told) -> None:
        """Count a decision."""
        body = record.body
        self._decided += record.kind == "decision"
        if body.get("effect") != "deny":
            return
        if body.get("enforced") is False:
            self._observed += 1
            return
        self._causes.add(text(body, "cause"))
        if record.kind == "event":
            self._events += 1
            return
        self._calls += 1
        self._hinted += body.get("hinted") is True
        self._tools.add(text(body, "tool"))

    def merge(self, other: Refusals) -> None:
        """Add what another counted."""
        self._decided += other._decided
        self._calls += other._calls
        self._events += other._events
        self._observed += other._observed
        self._hinted += other._hinted
        self._causes.merge(other._causes)
        self._tools.merge(other._tools)

    def result(self) -> dict[str, Any]:
        """`rate` = calls refused ÷ decisions about calls; `by_cause` counts calls and events."""
        return {
            "rate": share(self._calls, self._decided), "calls": self._calls, "events": self._events,
            "hinted": self._hinted, "observed": self._observed,
            "by_cause": self._causes.result(), "by_tool": self._tools.result(),
        }  # fmt: skip
