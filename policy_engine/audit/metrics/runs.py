"""What is kept of each run until it can be judged: a few facts, and the links of its chain. Bounded in both directions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Final

from policy_engine.audit.metrics.coherence import Coherence, coherence_of
from policy_engine.audit.metrics.links import Link, link_of
from policy_engine.audit.metrics.told import Told

MOST_LINKS: Final = 5_000
"""Links of one run that are kept; a run that does more is judged by its first ones."""
MOST_RUNS: Final = 10_000
"""Open runs kept at once; then the one begun first is judged by what it did so far, and forgotten."""
MOST_ENDED: Final = 1_000
"""Runs kept after their end, for what a late call adds; then the one that ended first is judged and forgotten."""
MOST_LINKS_IN_ALL: Final = 200_000
"""Links of all runs together; beyond them runs are judged as above."""


class RunFacts:
    """What the records of one run say so far."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.begun: dict[str, Any] | None = None
        self.begun_at: int | None = None
        self.ended: dict[str, Any] | None = None
        self._links: dict[tuple[str, ...], Link] = {}
        self._returned: dict[str, bool] = {}

    def __len__(self) -> int:
        return len(self._links)

    def add(self, record: Told) -> None:
        """Take in a record of this run."""
        match record.kind:
            case "run.begun":
                self.begun, self.begun_at = dict(record.body), record.at
            case "run.ended":
                self.ended = dict(record.body)
            case "outcome" if record.call is not None and len(self._returned) < MOST_LINKS:
                self._came_of(record.call, record.body.get("status") == "returned")
            case _:
                link = link_of(record)
                if link is not None:
                    self._keep(link)

    def _came_of(self, call: str, returned: bool) -> None:
        self._returned[call] = returned or self._returned.get(call, False)

    def _keep(self, link: Link) -> None:
        """A call decided again, as when it is resumed, is the same link: its last decision counts."""
        key = (link.call, link.identity) if link.call else ("", link.kind, link.identity, str(link.at), str(link.order))
        known = self._links.get(key)
        if known is None and len(self._links) >= MOST_LINKS:
            return
        self._links[key] = link if known is None else max(known, link)

    def merge(self, other: RunFacts) -> None:
        """Take in what another knows of the same run."""
        self.begun, self.begun_at = (self.begun, self.begun_at) if self.begun else (other.begun, other.begun_at)
        self.ended = self.ended or other.ended
        for call, returned in other._returned.items():
            self._came_of(call, returned)
        for link in other._links.values():
            self._keep(link)

    def chain(self) -> list[Link]:
        """The links in order."""
        links = (link._replace(failed=not self._returned.get(link.call, True)) for link in self._links.values())
        return sorted(links, key=_order)

    def coherence(self) -> Coherence | None:
        """How coherent the run is; None where it did nothing yet."""
        return coherence_of(self.chain(), ended=self.ended is not None) if self._links else None


class Runs:
    """The runs that records are about. `judged` is called with each run that must go to make place."""

    def __init__(self, judged: Callable[[RunFacts], None]) -> None:
        self._judged = judged
        self._open: OrderedDict[str, RunFacts] = OrderedDict()
        self._ended: OrderedDict[str, RunFacts] = OrderedDict()
        self._links = 0

    def add(self, record: Told) -> None:
        """Give a record to its run; one that comes after the run's end still counts."""
        facts = self._find(record.run)
        before = len(facts)
        facts.add(record)
        self._place(facts, len(facts) - before)

    def _find(self, run: str) -> RunFacts:
        found = self._open.get(run)
        if found is None:
            found = self._ended.get(run)
        if found is None:
            found = self._open[run] = RunFacts(run)
        return found

    def _place(self, facts: RunFacts, more: int) -> None:
        self._links += more
        if facts.ended is not None and facts.run in self._open:
            self._ended[facts.run] = self._open.pop(facts.run)
        while len(self._ended) > MOST_ENDED or len(self._open) > MOST_RUNS or self._links > MOST_LINKS_IN_ALL:
            _, gone = (self._open if len(self._open) > MOST_RUNS or not self._ended else self._ended).popitem(last=False)
            self._links -= len(gone)
            self._judged(gone)

    def merge(self, other: Runs) -> None:
        """Take in the runs of another, which keeps its own."""
        for facts in other:
            mine = self._find(facts.run)
            before = len(mine)
            mine.merge(facts)
            self._place(mine, len(mine) - before)

    def __iter__(self) -> Iterator[RunFacts]:
        """Those kept now."""
        yield from list(self._ended.values())
        yield from list(self._open.values())


def _order(link: Link) -> tuple[Any, ...]:
    return link[:5] + link.rules + (link.effect, link.call)
