"""Where checks put their findings. One a run of the checker."""

from __future__ import annotations

from typing import Final

from policy_engine.base.source import Span
from policy_engine.diagnostics.model import Code, Collector, Diagnostic, Label
from policy_engine.semantics.ast.expressions import Expr
from policy_engine.semantics.types import DYN, Type

ALWAYS_AN_ERROR: Final = (
    "an error each time this is evaluated: an `allow` never applies, a `deny` or `escalate` always does"
)


class Report:
    """Makes diagnostics; each call answers `DYN`, the type of what is in error, so that one fault is told once."""

    def __init__(self, collector: Collector) -> None:
        """Findings go to `collector`."""
        self._collector = collector
        self.faulty: set[Expr] = set()
        """Nodes that a finding was about."""

    def fault(
        self,
        code: Code,
        message: str,
        *places: tuple[Expr | Span, str],
        effect: str | None = ALWAYS_AN_ERROR,
        suggestion: str | None = None,
        notes: tuple[str, ...] = (),
    ) -> Type:
        """Add a finding at `places`, the first being its own."""
        self.faulty.update(where for where, _ in places[:1] if not isinstance(where, Span))
        labels = tuple(Label(where if isinstance(where, Span) else where.span, text) for where, text in places)
        self._collector.add(Diagnostic(code, message, labels, effect=effect, suggestion=suggestion, notes=notes))
        return DYN
