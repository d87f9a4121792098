"""The counters as anybody would write them who had all the time in the world: lists that are gone through and summed.

Judge of the real stores. It keeps every entry, adds fractions, and finds how long to wait by asking itself at each moment
at which anything could change.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from policy_engine.runtime.ports.counters import Demand, Full


@dataclass
class Entry:
    """`state` is running, held, lapsed or spent."""

    call: str
    at: int
    amount: Fraction
    item: str | None
    place: bool
    state: str = "running"
    until: int = 0
    earlier: Entry | None = None


@dataclass
class Counter:
    """All entries of a counter in the order of time; nothing at or before `horizon` counts again once it is no longer open."""

    clock: int = -(10**30)
    horizon: int = -(10**30)
    entries: list[Entry] = field(default_factory=list)

    def counting(self, call: str | None = None) -> list[Entry]:
        return [
            entry for entry in self.entries if entry.call != call and (
                entry.state in ("running", "held") or (entry.state == "spent" and entry.at > self.horizon)
            )
        ]  # fmt: skip

    def used(self, call: str | None = None) -> Fraction:
        counting = self.counting(call)
        items = {entry.item: entry.amount for entry in counting if entry.item is not None}
        return sum((entry.amount for entry in counting if entry.item is None), Fraction(0)) + sum(items.values(), Fraction(0))

    def move(self, now: int, since: int | None) -> None:
        self.clock = max(self.clock, now)
        if since is not None:
            self.horizon = max(self.horizon, since)
        for entry in self.entries:
            if entry.state == "held" and entry.until <= self.clock:
                entry.state = "lapsed"
        self.entries = [
            entry for entry in self.entries if entry.state in ("running", "held") or entry.at > self.horizon
        ]


class Twin:
    """Implements the limits of `CounterStore`."""

    blocking = False

    def __init__(self) -> None:
        self.counters: dict[str, Counter] = {}

    def _of(self, call: str) -> list[tuple[Counter, Entry]]:
        return [(counter, one) for counter in self.counters.values() for one in counter.entries if one.call == call]

    def _wanted(self, counter: Counter, call: str, demand: Demand) -> Fraction:
        known = demand.item is not None and any(entry.item == demand.item for entry in counter.counting(call))
        return Fraction(0) if known else Fraction(repr(float(demand.amount)))

    def _fits(self, counter: Counter, call: str, demand: Demand) -> bool:
        return counter.used(call) + self._wanted(counter, call, demand) <= Fraction(repr(float(demand.bound)))

    def reserve(
        self, call: str, demands: Sequence[Demand], *, now: int, lease: int, beyond: frozenset[int] = frozenset()
    ) -> Full | None:
        for index, demand in enumerate(demands):
            counter = self.counters.setdefault(demand.counter, Counter())
            counter.move(now, demand.since)
            if index not in beyond and not self._fits(counter, call, demand):
                return Full(index, self._wait(counter, call, demand, now))
        wanted = {demand.counter: demand for demand in demands}
        earlier: dict[str, Entry | None] = {}
        for name, counter in self.counters.items():
            for entry in [one for one in counter.entries if one.call == call]:
                if entry.state == "spent":
                    if name in wanted:
                        earlier[name] = entry
                        counter.entries.remove(entry)
                elif name in wanted:
                    earlier[name] = entry.earlier
                    counter.entries.remove(entry)
                else:
                    self._give_back(counter, entry)
        for name, demand in wanted.items():
            counter = self.counters[name]
            held = {entry.item: entry.amount for entry in counter.counting() if entry.item is not None}
            amount = held.get(demand.item, Fraction(repr(float(demand.amount))))
            counter.entries.append(
                Entry(call, counter.clock, amount, demand.item, demand.place, earlier=earlier.get(name))
            )
        return None

    def _wait(self, counter: Counter, call: str, demand: Demand, now: int) -> int | None:
        moments = {entry.until for entry in counter.entries if entry.state == "held"}
        if demand.until is not None:
            moments.add(demand.until)
        elif demand.span is not None:
            moments |= {entry.at + demand.span for entry in counter.entries}
        for moment in sorted(moment for moment in moments if moment > now):
            later, then = copy.deepcopy(counter), demand
            if demand.until is not None and moment >= demand.until:
                then = replace(demand, since=demand.until - 1)
            elif demand.span is not None:
                then = replace(demand, since=moment - demand.span)
            later.move(moment, then.since)
            if self._fits(later, call, then):
                return moment - now
        return None

    def _give_back(self, counter: Counter, entry: Entry) -> None:
        counter.entries.remove(entry)
        if entry.earlier is not None and entry.earlier.at > counter.horizon:
            held = {one.item: one.amount for one in counter.counting() if one.item is not None}
            entry.earlier.amount = held.get(entry.earlier.item, entry.earlier.amount)
            counter.entries.append(entry.earlier)

    def hold(self, call: str, *, until: int, now: int) -> None:
        for counter, entry in self._of(call):
            if entry.place:
                counter.entries.remove(entry)
            elif entry.state == "held" and entry.until <= max(now, counter.clock):
                entry.state = "lapsed"
                if entry.at <= counter.horizon:
                    counter.entries.remove(entry)
            elif entry.state in ("running", "held"):
                entry.state, entry.until = "held", until

    def commit(self, call: str, amounts: Mapping[str, float], *, now: int) -> None:
        names = {id(counter): name for name, counter in self.counters.items()}
        for counter, entry in self._of(call):
            if entry.state == "spent":
                continue
            if entry.state == "lapsed" and entry.item is not None:
                held = {one.item: one.amount for one in counter.counting() if one.item is not None}
                entry.amount = held.get(entry.item, entry.amount)
            if entry.place or entry.at <= counter.horizon:
                counter.entries.remove(entry)
                continue
            entry.state, entry.earlier = "spent", None
            if entry.item is None and names[id(counter)] in amounts:
                entry.amount = Fraction(repr(float(amounts[names[id(counter)]])))

    def refund(self, call: str, *, now: int) -> None:
        for counter, entry in self._of(call):
            if entry.state != "spent":
                self._give_back(counter, entry)

    def forget(self, counters: Sequence[str]) -> None:
        for name in counters:
            self.counters.pop(name, None)
