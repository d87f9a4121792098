"""Coherence over runs: how the scores are spread, and what took them down."""

from __future__ import annotations

from typing import Any, ClassVar

from policy_engine.audit.metrics.coherence import FAULTS, MILLION
from policy_engine.audit.metrics.counting import Tally
from policy_engine.audit.metrics.distribution import Distribution
from policy_engine.audit.metrics.runs import RunFacts, Runs
from policy_engine.audit.metrics.told import Told
from policy_engine.base.records import RecordKind


class Chains:
    """Scores every run that did something; runs still open by what they did so far."""

    name: ClassVar[str] = "coherence"
    kinds: ClassVar[tuple[RecordKind, ...]] = ("run.begun", "run.ended", "decision", "outcome", "event", "plan")

    def __init__(self) -> None:
        self._runs = Runs(self._judged)
        self._scores = Distribution()
        self._faults = Tally(len(FAULTS))

    def add(self, record: Told) -> None:
        """Give a record to its run."""
        self._runs.add(record)

    def merge(self, other: Chains) -> None:
        """Add what another counted. A run should be in one of both: one judged in parts has several scores."""
        self._scores.merge(other._scores)
        self._faults.merge(other._faults)
        self._runs.merge(other._runs)

    def _judged(self, facts: RunFacts) -> None:
        _count(facts, self._scores, self._faults)

    def scores(self) -> tuple[Distribution, Tally]:
        """The spread of scores in millionths, and how often each fault was found."""
        scores, faults = Distribution(), Tally(len(FAULTS))
        scores.merge(self._scores)
        faults.merge(self._faults)
        for facts in self._runs:
            _count(facts, scores, faults)
        return scores, faults

    def result(self) -> dict[str, Any]:
        """`mean`, `min` and `p50` of the scores (0…1), `runs` scored, and `faults` found."""
        scores, faults = self.scores()
        parts = (("mean", scores.sum / scores.count if scores.count else None),
                 ("min", scores.least), ("p50", scores.percentile(50)))  # fmt: skip
        return {
            "runs": scores.count, **{name: None if value is None else value / MILLION for name, value in parts},
            "faults": faults.result(),
        }  # fmt: skip


def _count(facts: RunFacts, scores: Distribution, faults: Tally) -> None:
    coherence = facts.coherence()
    if coherence is None:
        return
    scores.add(coherence.millionths)
    for fault, times in coherence.counts.items():
        if times:
            faults.add(fault, times)
