"""All metrics together: fed live, record by record, or from a log, with the same result."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import Any, Final

from policy_engine.audit.metrics.breakers import Breakers
from policy_engine.audit.metrics.calls import Calls
from policy_engine.audit.metrics.chains import Chains
from policy_engine.audit.metrics.completion import Completion
from policy_engine.audit.metrics.decisions import Decisions
from policy_engine.audit.metrics.escalations import Escalations
from policy_engine.audit.metrics.failures import Failures
from policy_engine.audit.metrics.latency import Latency
from policy_engine.audit.metrics.leaks import Leaks
from policy_engine.audit.metrics.limits import Limits
from policy_engine.audit.metrics.metric import Metric
from policy_engine.audit.metrics.refusals import Refusals
from policy_engine.audit.metrics.retries import Retries
from policy_engine.audit.metrics.spending import Spending
from policy_engine.audit.metrics.told import Told

COUNTED: Final = frozenset((
    "run.begun", "run.ended", "decision", "outcome", "event", "plan", "ask", "answer", "breaker", "leak", "mode", "reload",
))  # fmt: skip
"""Kinds of records that the mediation tells. What a log or an export writes about itself nobody hears of live."""


class Stats:
    """Counts records. Thread-safe; implements `runtime.ports.audit.Watcher`.

    Records may come in any order. `merge` adds what another counted, of other runs; each record belongs to one of both.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._records = 0
        self._first: int | None = None
        self._last: int | None = None
        self.completion, self.calls, self.decisions = Completion(), Calls(), Decisions()
        self.refusals, self.latency, self.failures = Refusals(), Latency(), Failures()
        self.escalations, self.retries, self.limits = Escalations(), Retries(), Limits()
        self.breakers, self.leaks, self.spending, self.chains = Breakers(), Leaks(), Spending(), Chains()
        self._metrics: tuple[Metric, ...] = (
            self.completion, self.calls, self.decisions, self.refusals, self.latency, self.failures, self.escalations,
            self.retries, self.limits, self.breakers, self.leaks, self.spending, self.chains,
        )  # fmt: skip
        self._by_kind: dict[str, list[Metric]] = {}
        for metric in self._metrics:
            for kind in metric.kinds:
                self._by_kind.setdefault(kind, []).append(metric)

    def add(self, record: Told) -> None:
        """Count a record of a kind in `COUNTED`."""
        if record.kind not in COUNTED:
            return
        with self._lock:
            self._records += 1
            self._first = record.at if self._first is None else min(self._first, record.at)
            self._last = record.at if self._last is None else max(self._last, record.at)
            for metric in self._by_kind.get(record.kind, ()):
                metric.add(record)

    def on_record(self, record: Told) -> None:
        """Count a record as it is kept."""
        self.add(record)

    def add_all(self, records: Iterable[Told]) -> Stats:
        """Count records; returns itself."""
        for record in records:
            self.add(record)
        return self

    def merge(self, other: Stats) -> None:
        """Add what another counted, which stays as it is."""
        with self._lock:
            self._records += other._records
            firsts = [at for at in (self._first, other._first) if at is not None]
            lasts = [at for at in (self._last, other._last) if at is not None]
            self._first, self._last = min(firsts, default=None), max(lasts, default=None)
            for mine, theirs in zip(self._metrics, other._metrics, strict=True):
                mine.merge(theirs)

    def result(self) -> dict[str, Any]:
        """Every metric by its name, JSON-like, and the `records` counted with the moments of the first and the last."""
        with self._lock:
            counted = {"count": self._records, "first": self._first, "last": self._last}
            return {"records": counted, **{metric.name: metric.result() for metric in self._metrics}}
