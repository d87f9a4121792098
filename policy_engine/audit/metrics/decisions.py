"""Decisions by effect and by rule, for calls, results and events."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from policy_engine.audit.metrics.counting import Rows, Tally
from policy_engine.audit.metrics.metric import text, texts
from policy_engine.audit.metrics.told import Told
from policy_engine.base.records import RecordKind

_FEW: Final = 32
_PHASES: Final = {"decision": "call", "outcome": "result"}


def _effects() -> Tally:
    return Tally(_FEW)


class Decisions:
    """Counts what was decided. `phase` is `call`, `result`, or the event's name.

    A call that was decided again later (`tries` above 0) is counted each time: these are decisions, not calls.
    """

    name: ClassVar[str] = "decisions"
    kinds: ClassVar[tuple[RecordKind, ...]] = ("decision", "outcome", "event")

    def __init__(self) -> None:
        self._phases = Rows(_effects, _FEW)
        self._rules = Rows(_effects)
        self._observed = Tally()
        self._unenforced = 0

    def add(self, record: Told) -> None:
        """Count a decision about a call, about what came of it, or about an event."""
        body = record.body
        effect = text(body, "effect")
        self._phases.row(_PHASES.get(record.kind) or text(body, "name")).add(effect)
        for rule in texts(body, "rules"):
            self._rules.row(rule).add(effect)
        for rule in texts(body, "observed"):
            self._observed.add(rule)
        self._unenforced += body.get("enforced") is False

    def merge(self, other: Decisions) -> None:
        """Add what another counted."""
        self._phases.merge(other._phases)
        self._rules.merge(other._rules)
        self._observed.merge(other._observed)
        self._unenforced += other._unenforced

    def result(self) -> dict[str, Any]:
        """Counts by phase and effect, by rule and effect, of rules that only observe, and of decisions not enforced."""
        return {
            "by_phase": {phase: effects.result() for phase, effects in self._phases.items()},
            "by_rule": {rule: effects.result() for rule, effects in self._rules.items()},
            "observed": self._observed.result(), "unenforced": self._unenforced,
        }  # fmt: skip
