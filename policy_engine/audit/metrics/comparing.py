"""Two sets of runs side by side: the metrics of each, and which of the runs that belong together changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from policy_engine.audit.metrics.coherence import MILLION
from policy_engine.audit.metrics.runs import RunFacts, Runs
from policy_engine.audit.metrics.stats import Stats
from policy_engine.audit.metrics.told import Told

MOST_SHOWN: Final = 6


@dataclass(frozen=True)
class RunRow:
    """What is kept of one run to compare it. `key` is its task, or its own name where the host named no task."""

    run: str
    key: str
    begun_at: int
    completed: bool | None
    coherence: int | None
    tools: tuple[str, ...]
    refused: tuple[str, ...]


def row_of(facts: RunFacts) -> RunRow | None:
    """The row of a run; None for runs of sub-agents, whose names say nothing, and for records without a beginning."""
    if facts.begun is None or facts.begun_at is None or isinstance(facts.begun.get("parent"), str):
        return None
    chain = [link for link in facts.chain() if link.kind == "call"]
    coherence, task = facts.coherence(), facts.begun.get("task")
    refused = Counter(rule for link in chain if link.effect == "deny" and link.enforced for rule in link.rules or ("(no rule)",))
    return RunRow(
        facts.run, task if isinstance(task, str) else facts.run, facts.begun_at,
        None if facts.ended is None else facts.ended.get("completed") is True,
        None if coherence is None else coherence.millionths,
        tuple(link.name for link in chain),
        tuple(f"{rule} {times}×" if times > 1 else rule for rule, times in sorted(refused.items())),
    )  # fmt: skip


class Side:
    """One of two sets of runs. Memory grows with the number of runs, a row each."""

    def __init__(self) -> None:
        self.stats = Stats()
        self._rows: list[RunRow] = []
        self._runs = Runs(self._judged)

    def add(self, record: Told) -> None:
        """Take in a record of this set."""
        self.stats.add(record)
        self._runs.add(record)

    def _judged(self, facts: RunFacts) -> None:
        row = row_of(facts)
        if row is not None:
            self._rows.append(row)

    def rows(self) -> list[RunRow]:
        """Its runs, in the order in which they began."""
        rows = [*self._rows, *filter(None, map(row_of, self._runs))]
        return sorted(rows, key=lambda row: (row.begun_at, row.run))


@dataclass(frozen=True)
class Pair:
    """Two runs that belong together."""

    a: RunRow
    b: RunRow

    def changes(self) -> list[str]:
        """What is not the same, in words; nothing where nothing changed."""
        a, b = self.a, self.b
        told = (
            ("completed", _yes(a.completed), _yes(b.completed)), ("calls", _several(a.tools), _several(b.tools)),
            ("refused by", _several(a.refused), _several(b.refused)),
            ("coherence", _score(a.coherence), _score(b.coherence)),
        )  # fmt: skip
        exact = (a.completed, a.tools, a.refused, a.coherence), (b.completed, b.tools, b.refused, b.coherence)
        return [f"{name} {was} -> {now}" for (name, was, now), x, y in zip(told, *exact, strict=True) if x != y]


def pairs(a: Side, b: Side) -> Iterator[Pair]:
    """Runs of the same key, the first with the first, the second with the second; those without a partner are left out."""
    waiting: dict[str, list[RunRow]] = defaultdict(list)
    for row in reversed(b.rows()):
        waiting[row.key].append(row)
    for row in a.rows():
        partners = waiting.get(row.key)
        if partners:
            yield Pair(row, partners.pop())


def _yes(completed: bool | None) -> str:
    return {True: "yes", False: "no", None: "still open"}[completed]


def _several(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:MOST_SHOWN]) or "none"
    return f"{shown} and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else shown


def _score(coherence: int | None) -> str:
    return "none" if coherence is None else f"{coherence / MILLION:.2f}"
