"""Counters and breakers of this process: running totals, so that a window of 100,000 entries costs what one of ten does.

What each word means is in `docs/decisions/0019-counters.md`. Places need no lease here: the store ends with its process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from threading import Lock
from typing import Final, Literal as OneOf

from policy_engine.runtime.ports.counters import Admission, Demand, Full
from policy_engine.stores.amounts import exact, exact_bound, plus
from policy_engine.stores.breaking import CLOSED, Breaker, admitted, reported
from policy_engine.stores.errors import StoreError
from policy_engine.stores.memory.counter import HELD, RUNNING, SPENT, Counter, Entry
from policy_engine.stores.remembering import GRACE

MAX_KEPT_CALLS: Final = 2_000_000
"""Calls with entries that are still needed; beyond it every reservation of another call is an error."""
_LOOKED_AT: Final = 2
"""Counters that may have ended and are looked at, a reservation: more than it can bring new ones."""


class MemoryCounters:
    """Implements `runtime.ports.counters.CounterStore`."""

    blocking = False

    def __init__(self) -> None:
        self._lock = Lock()
        self._counters: dict[str, Counter] = {}
        self._calls: dict[str, list[Entry]] = {}
        self._breakers: dict[str, Breaker] = {}
        self._ends: list[tuple[int, str]] = []

    def reserve(
        self, call: str, demands: Sequence[Demand], *, now: int, lease: int, beyond: frozenset[int] = frozenset()
    ) -> Full | None:
        """Hold everything, or nothing. Raises `ValueError` for amounts that cannot be counted or two demands of one counter,
        `StoreError` where there is no room."""
        with self._lock:
            if self._ends and self._ends[0][0] <= now:
                self._forget_ended(now)
            before = self._calls.get(call)
            if before is None and len(self._calls) >= MAX_KEPT_CALLS:
                raise StoreError("more calls are counted than there is room for")
            made: list[Entry] = []
            for index, demand in enumerate(demands):
                counter = self._counters.get(demand.counter) or self._new_counter(demand.counter, now)
                left = counter.advance(now, demand)
                if left is not None:
                    self._drop_all(left)
                full = self._room(index, demand, counter, before, now, index in beyond)
                if full is not None:
                    return full
                made.append(Entry(call, counter, counter.clock, exact(demand.amount), demand.item, demand.place))
            if before is None and len(made) == 1:
                made[0].counter.enter(made[0])
                self._calls[call] = made
            else:
                self._replace(call, before or (), made)
            return None

    def _new_counter(self, name: str, now: int) -> Counter:
        counter = self._counters[name] = Counter(name)
        counter.noted = now + GRACE
        heappush(self._ends, (counter.noted, name))
        return counter

    def _room(
        self, index: int, demand: Demand, counter: Counter, before: Sequence[Entry] | None, now: int, beyond: bool
    ) -> Full | None:
        bound = exact_bound(demand.bound)
        if before is None and demand.item is None and (beyond or plus(counter.total, exact(demand.amount)) <= bound):
            return None  # as nearly always; what has lapsed could only make more room
        self._drop_all(counter.lapse())
        own = next((one for one in before or () if one.counter is counter and one.state in (RUNNING, HELD, SPENT)), None)
        total, taken = counter.standing(demand, own)
        if beyond or plus(total, taken) <= bound:
            return None
        return Full(index, counter.wait(total, taken, bound, demand, own, now))

    def _replace(self, call: str, before: Sequence[Entry], made: list[Entry]) -> None:
        """What the call held goes. What it had spent stays; where it counts anew, it comes back if that is refunded."""
        anew = {entry.counter.name: entry for entry in made}
        if len(anew) < len(made):
            raise ValueError("two demands of one counter")
        kept = list(made)
        for entry in before:
            again = anew.get(entry.counter.name)
            if again is not None:
                again.earlier = (entry.at, entry.amount, entry.item) if entry.state == SPENT else entry.earlier
                entry.earlier = None
                entry.counter.remove(entry)
                entry.counter.tidy_if_worth_it()
            elif entry.state == SPENT:
                kept.append(entry)
            else:
                self._undo(entry, kept)
        for entry in made:
            entry.counter.enter(entry)
        self._keep(call, kept)

    def _undo(self, entry: Entry, kept: list[Entry]) -> None:
        again = entry.counter.remove(entry)
        if again is not None:
            kept.append(again)
        entry.counter.tidy_if_worth_it()

    def _keep(self, call: str, kept: list[Entry]) -> None:
        if kept:
            self._calls[call] = kept
        else:
            self._calls.pop(call, None)

    def _drop_all(self, over: Sequence[Entry]) -> None:
        """Nobody needs these entries any more."""
        for entry in over:
            entries = self._calls.get(entry.call)
            if entries is not None and entry in entries:
                entries.remove(entry)
                if not entries:
                    del self._calls[entry.call]

    def hold(self, call: str, *, until: int, now: int) -> None:
        """A person thinks: places are free, amounts stay held until then. What has lapsed or run is not held again."""
        with self._lock:
            kept = []
            for entry in self._calls.get(call, ()):
                if entry.place:
                    entry.counter.remove(entry)
                    continue
                kept.append(entry)
                if entry.state == HELD and entry.until <= max(now, entry.counter.clock):
                    if not entry.counter.let_lapse(entry):
                        kept.pop()
                elif entry.state in (RUNNING, HELD):
                    entry.state, entry.until = HELD, until
            self._keep(call, kept)

    def commit(self, call: str, amounts: Mapping[str, float], *, now: int) -> None:
        """The call has run, and took these amounts. Raises `ValueError` for an amount that cannot be counted."""
        used = {name: exact(amount) for name, amount in amounts.items()} if amounts else {}
        with self._lock:
            entries = self._calls.get(call)
            if entries is None:
                return
            over = []
            for entry in entries:
                if entry.state != SPENT and not entry.counter.spend(entry, used.get(entry.counter.name)):
                    over.append(entry)
            if over:
                self._keep(call, [entry for entry in entries if entry not in over])

    def refund(self, call: str, *, now: int) -> None:
        """The call provably did not run: what it held goes, what it had spent before counts again."""
        with self._lock:
            kept: list[Entry] = []
            for entry in self._calls.get(call, ()):
                if entry.state == SPENT:
                    kept.append(entry)
                else:
                    self._undo(entry, kept)
            self._keep(call, kept)

    def forget(self, counters: Sequence[str]) -> None:
        """Nobody will ask for these counters again."""
        with self._lock:
            for name in counters:
                counter = self._counters.pop(name, None)
                if counter is not None:
                    self._drop_all(counter.all_entries())

    def _forget_ended(self, now: int) -> None:
        for _ in range(_LOOKED_AT):
            if not self._ends or self._ends[0][0] > now:
                return
            noted, name = heappop(self._ends)
            counter = self._counters.get(name)
            if counter is None or counter.noted != noted:
                continue  # forgotten meanwhile
            if counter.open or counter.end + GRACE > now:
                counter.noted = max(now, counter.end) + GRACE
                heappush(self._ends, (counter.noted, name))
                continue
            del self._counters[name]
            self._drop_all(counter.all_entries())

    def admit(self, breaker: str, call: str, *, now: int, probe_after: int, lease: int) -> Admission:
        """Ask a breaker."""
        if breaker not in self._breakers:
            return _CLOSED
        with self._lock:
            kept = self._breakers.get(breaker, CLOSED)
            admission, self._breakers[breaker] = admitted(kept, call, now=now, probe_after=probe_after, lease=lease)
            return admission

    def report(
        self, breaker: str, call: str, failed: bool | None, *, now: int, failures: int, within: int
    ) -> OneOf["closed", "open"]:
        """Tell a breaker."""
        if not failed and breaker not in self._breakers:
            return "closed"
        with self._lock:
            kept = self._breakers.get(breaker, CLOSED)
            state, after = reported(kept, call, failed, now=now, failures=failures, within=within)
            if after == CLOSED:
                self._breakers.pop(breaker, None)
            else:
                self._breakers[breaker] = after
            return state


_CLOSED: Final = Admission("closed")
