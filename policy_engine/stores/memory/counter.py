"""One counter in memory: its entries in the order of time, what is open, and their exact sum.

The sum is kept and never made anew: an entry is added when it is reserved and taken off when it leaves its window, is given
back, or lapses. All methods are called under the lock of the store.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import Final

from policy_engine.runtime.ports.counters import Demand
from policy_engine.stores.amounts import Exact, exact, minus, plus
from policy_engine.stores.remembering import FORGET_AFTER
from policy_engine.stores.waiting import Release, wait_for

RUNNING: Final = 0
HELD: Final = 1
LAPSED: Final = 2
"""Held for a person until its time was over: counts no more, unless it is committed after all."""
SPENT: Final = 3
GONE: Final = 4
NEVER: Final = -(1 << 63)
"""Before every moment: nothing has left a window yet."""
_FEW_GONE: Final = 1000


@dataclass(slots=True, eq=False)
class Entry:
    """What one call takes of one counter. `earlier` = moment, amount and item that it had spent before it was reserved anew."""

    call: str
    counter: Counter
    at: int
    amount: Exact
    item: str | None
    place: bool
    state: int = RUNNING
    until: int = 0
    earlier: tuple[int, Exact, str | None] | None = None


class Counter:
    """`clock` is the latest moment it was asked, `horizon` the moment up to which entries have left, `end` when all will have."""

    __slots__ = ("_gone", "_items", "_order", "clock", "end", "horizon", "name", "noted", "open", "total")

    def __init__(self, name: str) -> None:
        self.name = name
        self.clock = NEVER
        self.horizon = NEVER
        self.end = NEVER
        self.noted = NEVER
        self.total: Exact = 0
        self.open: dict[str, Entry] = {}
        self._order: deque[Entry] = deque()
        self._items: dict[str, tuple[int, Exact]] = {}
        self._gone = 0

    def advance(self, now: int, demand: Demand) -> list[Entry] | None:
        """Its time goes on, never back; returns the entries that have left their window and are over."""
        since = demand.since
        if now > self.clock:
            self.clock = now
        if demand.until is not None:
            self.end = max(self.end, demand.until)
        elif not demand.place:
            self.end = self.clock + (FORGET_AFTER if demand.span is None else demand.span)
        if since is None or since <= self.horizon:
            return None
        if since >= now:
            raise ValueError("a window begins before the moment")
        self.horizon = since
        order = self._order
        if not order or order[0].at > since:
            return None
        return self._leave(since)

    def _leave(self, since: int) -> list[Entry]:
        left = []
        order = self._order
        while order and order[0].at <= since:
            entry = order.popleft()
            if entry.state == SPENT:
                self._take_off(entry)
                left.append(entry)
            elif entry.state == LAPSED:
                left.append(entry)
            elif entry.state == GONE:
                self._gone -= 1
        return left

    def lapse(self) -> list[Entry]:
        """Whatever people had too long to think about counts no more; returns what is over, having left its window too."""
        late = [one for one in self.open.values() if one.state == HELD and one.until <= self.clock]
        return [entry for entry in late if not self.let_lapse(entry)]

    def let_lapse(self, entry: Entry) -> bool:
        """Give back what was held. False where it has left its window; else it is remembered for a late commit."""
        entry.state = LAPSED
        self._take_off(entry)
        del self.open[entry.call]
        return entry.at > self.horizon

    def standing(self, demand: Demand, own: Entry | None) -> tuple[Exact, Exact]:
        """What others have of it, and what the call would take, were its `own` entry not there."""
        total, taken = self.total, exact(demand.amount)
        if own is not None:
            if own.item is None:
                total = minus(total, own.amount)
            elif self._items[own.item][0] == 1:
                total = minus(total, self._items[own.item][1])
        if demand.item is not None and demand.item in self._items:
            others = self._items[demand.item][0] - (own is not None and own.item == demand.item)
            taken = 0 if others > 0 else taken
        return total, taken

    def wait(self, total: Exact, taken: Exact, bound: Exact | float, demand: Demand, own: Entry | None, now: int) -> int | None:
        """When it fits, see `waiting`."""

        def holders(item: str) -> int:
            return self._items[item][0] - (own is not None and own.item == item)

        releases = merge(self._leaving(demand, own), self._lapsing(own), key=_moment)
        return wait_for(total, taken, bound, releases, holders, now=now, demand=demand)

    def _leaving(self, demand: Demand, own: Entry | None) -> Iterator[Release]:
        """Spent entries, when they leave their window."""
        if demand.until is None and demand.span is None:
            return
        for entry in self._order:
            if entry.state != SPENT or entry is own:
                continue
            if demand.until is None:
                yield entry.at + (demand.span or 0), entry.amount, entry.item
            elif entry.at < demand.until:
                yield demand.until, entry.amount, entry.item

    def _lapsing(self, own: Entry | None) -> Sequence[Release]:
        held = [entry for entry in self.open.values() if entry.state == HELD and entry is not own]
        return sorted(((entry.until, entry.amount, entry.item) for entry in held), key=_moment)

    def enter(self, entry: Entry) -> None:
        """Count a new entry; the item it brings back keeps the amount it was counted with."""
        self.open[entry.call] = entry
        if entry.item is None:
            self.total = plus(self.total, entry.amount)
        else:
            self._add(entry)
        if not entry.place:
            self._order.append(entry)

    def _add(self, entry: Entry) -> None:
        if entry.item is None:
            self.total = plus(self.total, entry.amount)
            return
        holders, amount = self._items.get(entry.item, (0, entry.amount))
        entry.amount = amount
        self._items[entry.item] = holders + 1, amount
        if holders == 0:
            self.total = plus(self.total, amount)

    def _take_off(self, entry: Entry) -> None:
        if entry.item is None:
            self.total = minus(self.total, entry.amount)
            return
        holders, amount = self._items[entry.item]
        if holders > 1:
            self._items[entry.item] = holders - 1, amount
        else:
            del self._items[entry.item]
            self.total = minus(self.total, amount)

    def spend(self, entry: Entry, used: Exact | None) -> bool:
        """It has run; `used` is what it really took. False where it is over, having left its window meanwhile."""
        if entry.state == LAPSED:
            self._add(entry)
        else:
            del self.open[entry.call]
        if entry.place or entry.at <= self.horizon:
            self._take_off(entry)
            entry.state = GONE
            return False
        if used is not None and entry.item is None:
            self.total = plus(minus(self.total, entry.amount), used)
            entry.amount = used
        entry.state = SPENT
        entry.earlier = None
        return True

    def remove(self, entry: Entry) -> Entry | None:
        """As if it had never been reserved; returns what its call had spent before, counting again."""
        if entry.state in (RUNNING, HELD):
            del self.open[entry.call]
        if entry.state != LAPSED:
            self._take_off(entry)
        entry.state = GONE
        if not entry.place and entry.at > self.horizon:
            self._gone += 1
        if entry.earlier is None or entry.earlier[0] <= self.horizon:
            return None
        at, amount, item = entry.earlier
        again = Entry(entry.call, self, at, amount, item, False, SPENT)
        self._add(again)
        self._order.append(again)
        self._tidy()
        return again

    def _tidy(self) -> None:
        """In order again, without those that are gone."""
        self._order = deque(sorted((entry for entry in self._order if entry.state != GONE), key=lambda entry: entry.at))
        self._gone = 0

    def tidy_if_worth_it(self) -> None:
        """Refunds leave holes; when most are holes, they are filled."""
        if self._gone > _FEW_GONE and 2 * self._gone > len(self._order):
            self._tidy()

    def all_entries(self) -> list[Entry]:
        """Every entry, for a counter that is to be forgotten."""
        return [*(entry for entry in self._order if entry.state != GONE), *(one for one in self.open.values() if one.place)]


def _moment(release: Release) -> int:
    return release[0]
