"""The bar of the issue: planted faults rank below their clean twins in at least 95 % of pairs made from recorded traces."""

from __future__ import annotations

import pytest

from tests.benchmarks.agentdojo import SUITES
from tests.benchmarks.coherence import BAR, PLANTINGS, ranked, twins


@pytest.mark.parametrize("ours", [True, False], ids=["our own", "AgentDojo"])
def test_planted_faults_rank_below_their_clean_twins(ours: bool) -> None:
    """Loops, oscillation, ignored refusals and hints, left plans and idle steps, each in 95 of 100 pairs or more."""
    found = [twin for suite in SUITES for twin in twins(suite, ours=ours)]
    if not found and not ours:
        pytest.skip("AgentDojo's traces are not there")
    rows = ranked(found, seeds=2)
    assert len(rows) == len(PLANTINGS)
    for name, row in rows.items():
        assert row.pairs >= len(found), name
        assert row.share >= BAR, (name, row.misses[:5])


def test_recorded_runs_of_benign_tasks_are_coherent() -> None:
    """The score does not blame agents that did well: 0.95 on average over runs as they were recorded."""
    found = [twin for suite in SUITES for twin in twins(suite, ours=True)]
    assert sum(twin.score() for _, twin in found) / len(found) >= 950_000
