"""Error classes: what went wrong in tools, and which rules met an error in their conditions."""

from __future__ import annotations

from typing import Any, ClassVar

from policy_engine.audit.metrics.counting import Tally
from policy_engine.audit.metrics.metric import text
from policy_engine.audit.metrics.told import Told
from policy_engine.base.records import RecordKind


class Failures:
    """Counts classes of errors of calls that did not return, and rules with errors."""

    name: ClassVar[str] = "failures"
    kinds: ClassVar[tuple[RecordKind, ...]] = ("decision", "outcome", "event")

    def __init__(self) -> None:
        self._classes = Tally()
        self._tools = Tally()
        self._rules = Tally()

    def add(self, record: Told) -> None:
        """Count a failed outcome, and every rule with an error."""
        body = record.body
        if record.kind == "outcome" and body.get("status") != "returned":
            told = body.get("error")
            self._classes.add(told if isinstance(told, str) else text(body, "status"))
            self._tools.add(text(body, "tool"))
        errors = body.get("errors")
        for error in errors if isinstance(errors, list | tuple) else ():
            if isinstance(error, list | tuple) and error and isinstance(error[0], str):
                self._rules.add(error[0])

    def merge(self, other: Failures) -> None:
        """Add what another counted."""
        self._classes.merge(other._classes)
        self._tools.merge(other._tools)
        self._rules.merge(other._rules)

    def result(self) -> dict[str, Any]:
        """`classes` and `by_tool` of calls that did not return, `rules` whose conditions came to no value."""
        return {
            "failed": self._classes.total, "classes": self._classes.result(), "by_tool": self._tools.result(),
            "rules": self._rules.result(),
        }  # fmt: skip
