"""One counter in SQLite, within a transaction: a row with its exact sum, and a row for each entry that still matters.

The twin of `stores/memory/counter.py`: the same words, the same methods. Sums are kept and never made anew, so that a window
with 100,000 entries costs what one with ten does. What a transaction costs is the pages that it writes: all rows of a counter
lie together, its sum beside what is open of it, so that a reservation writes two pages (the other finds entries by call).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from heapq import merge
from sqlite3 import Connection
from typing import Any, Final, TypeAlias

from policy_engine.runtime.ports.counters import Demand
from policy_engine.stores.amounts import Exact, exact, minus, plus
from policy_engine.stores.remembering import DAY, FORGET_AFTER, GRACE
from policy_engine.stores.waiting import Release, wait_for

PLACE: Final = -1
RUNNING: Final = 0
HELD: Final = 1
LAPSED: Final = 2
"""Held for a person until its time was over: counts no more, unless it is committed after all."""
PRESUMED: Final = 3
"""Its process is gone: spent, as far as anybody knows."""
SPENT: Final = 4
NEVER: Final = -(1 << 63)
_MAX_INTEGER: Final = 1 << 63
Stored: TypeAlias = int | str

STEPS: Final = (
    """
    CREATE TABLE counters (
        counter BLOB NOT NULL, kind INTEGER NOT NULL, at INTEGER NOT NULL, call TEXT NOT NULL,
        amount NOT NULL, item TEXT, state INTEGER, until INTEGER, owner INTEGER,
        earlier_at INTEGER, earlier_amount, earlier_item TEXT,
        clock INTEGER, horizon INTEGER, last_day INTEGER,
        PRIMARY KEY (counter, kind, at, call)
    ) WITHOUT ROWID;
    CREATE INDEX counted_items ON counters (counter, item) WHERE item IS NOT NULL;
    CREATE TABLE calls (
        call TEXT NOT NULL, counter BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (call, counter)
    ) WITHOUT ROWID;
    CREATE TABLE ends (last_day INTEGER NOT NULL, counter BLOB NOT NULL, PRIMARY KEY (last_day, counter)) WITHOUT ROWID;
    """,
)
"""Kind 0 is the counter itself, its sum in `amount`; 1 what is open of it, 2 what is over. `ends` = when a counter may go."""
ENTRY_COLUMNS: Final = (
    "e.call, e.counter, e.at, e.amount, e.item, e.state, e.until, e.owner, e.earlier_at, e.earlier_amount, e.earlier_item"
)
_FIND: Final = """
    SELECT amount, clock, horizon, last_day, (SELECT min(at) FROM counters WHERE counter = ?1 AND kind = 2)
    FROM counters WHERE counter = ?1 AND kind = 0
"""
_MAKE: Final = (
    "INSERT INTO counters (amount, clock, horizon, last_day, counter, kind, at, call) VALUES (?, ?, ?, ?, ?, 0, 0, '')"
)
_KEEP: Final = "UPDATE counters SET amount = ?, clock = ?, horizon = ?, last_day = ? WHERE counter = ? AND kind = 0"
_LEAVING: Final = "SELECT amount, item, state, call, counter FROM counters WHERE counter = ? AND kind = 2 AND at <= ?"
_LEFT: Final = "DELETE FROM counters WHERE counter = ? AND kind = 2 AND at <= ?"
_OPEN: Final = f"SELECT {ENTRY_COLUMNS} FROM counters e WHERE e.counter = ? AND e.kind = 1"
_DELETE: Final = "DELETE FROM counters WHERE counter = ? AND kind = ? AND at = ? AND call = ?"
_INSERT: Final = """
    INSERT INTO counters (
        counter, kind, at, call, amount, item, state, until, owner, earlier_at, earlier_amount, earlier_item
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_NAME_CALL: Final = "INSERT INTO calls (call, counter, at) VALUES (?, ?, ?)"
_FORGET_CALL: Final = "DELETE FROM calls WHERE call = ? AND counter = ?"
_STATE: Final = "UPDATE counters SET kind = ?, state = ?, until = ? WHERE counter = ? AND kind = 1 AND at = ? AND call = ?"
_SPENT: Final = """
    UPDATE counters SET kind = 2, state = 4, amount = ?, earlier_at = NULL
    WHERE counter = ? AND kind = ? AND at = ? AND call = ?
"""
_HOLDER: Final = (
    "SELECT amount FROM counters WHERE counter = ? AND item = ? AND item IS NOT NULL AND state <> 2 AND call <> ? LIMIT 1"
)
_HOLDERS: Final = (
    "SELECT count(*) FROM counters WHERE counter = ? AND item = ? AND item IS NOT NULL AND state <> 2 AND call <> ?"
)
_SPEND: Final = """
    UPDATE counters SET kind = 2, state = 4, earlier_at = NULL WHERE counter = ? AND kind = 1 AND at = ? AND call = ?
"""
_IN_ORDER: Final = """
    SELECT at, amount, item, call FROM counters WHERE counter = ? AND kind = 2 AND state >= 3 ORDER BY at
"""
_LATE: Final = 8
"""A sliding window is swept when something left it more than this part of its length ago."""
NOBODY: Final = ""
"""No call has this name."""


@dataclass(slots=True)
class Entry:
    """A row of kind 1 or 2. `earlier_…` = what the call had spent before it was reserved anew."""

    call: str
    counter: bytes
    at: int
    amount: Exact
    item: str | None
    state: int
    until: int | None
    owner: int
    earlier_at: int | None = None
    earlier_amount: Exact | None = None
    earlier_item: str | None = None

    @property
    def counts(self) -> bool:
        """Whether it is part of the sum."""
        return self.state != LAPSED

    @property
    def kind(self) -> int:
        """Which kind of row it is."""
        return 1 if self.state <= HELD else 2


def entry_of(row: Iterable[Any]) -> Entry:
    """The entry that a row with the columns of `ENTRY_COLUMNS` holds."""
    entry = Entry(*row)
    entry.amount = loaded(entry.amount)
    if entry.earlier_amount is not None:
        entry.earlier_amount = loaded(entry.earlier_amount)
    return entry


def stored(amount: Exact) -> Stored:
    """As SQLite keeps it without rounding."""
    return amount if type(amount) is int and amount < _MAX_INTEGER else str(amount)


def loaded(amount: Any) -> Exact:
    """What `stored` made."""
    return amount if type(amount) is int else Decimal(amount)


@lru_cache(maxsize=4096)
def key_of(name: str) -> bytes:
    """What stands for a counter's name: 128 bits, so that no two that anybody could find share it."""
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def spend_as_held(connection: Connection, key: bytes, at: int, call: str) -> None:
    """What runs has run and took what was held, within its window: the sum stays."""
    connection.execute(_SPEND, (key, at, call))


class Counter:
    """A row of kind 0; `keep` writes it back."""

    __slots__ = ("_connection", "_first", "_kept_last_day", "_last_day", "_new", "clock", "horizon", "id", "total")

    def __init__(self, connection: Connection, key: bytes) -> None:
        self._connection = connection
        self.id = key
        row = connection.execute(_FIND, (key,)).fetchone()
        self._new = row is None
        total, clock, horizon, last_day, first = row or (0, NEVER, NEVER, 0, None)
        self.total = loaded(total)
        self.clock: int = clock
        self.horizon: int = horizon
        self._last_day: int = last_day
        self._kept_last_day: int = last_day
        self._first: int | None = first

    def keep(self) -> None:
        """Write what changed."""
        values = (stored(self.total), self.clock, self.horizon, self._last_day, self.id)
        self._connection.execute(_MAKE if self._new else _KEEP, values)
        self._new = False
        if self._last_day != self._kept_last_day:
            self._connection.execute("DELETE FROM ends WHERE last_day = ? AND counter = ?", (self._kept_last_day, self.id))
            self._connection.execute("INSERT OR IGNORE INTO ends (last_day, counter) VALUES (?, ?)", (self._last_day, self.id))
            self._kept_last_day = self._last_day

    def linger(self, day: int) -> None:
        """It cannot go yet: look again on that day."""
        self._last_day = day
        self.keep()

    def erase(self, most: int) -> bool:
        """Delete it and its entries, so many at once; True once nothing is left."""
        rows = self._connection.execute(
            "SELECT call, counter, kind, at FROM counters WHERE counter = ? AND kind > 0 LIMIT ?", (self.id, most)
        ).fetchall()
        self._connection.executemany(_DELETE, [(counter, kind, at, call) for call, counter, kind, at in rows])
        self._connection.executemany(_FORGET_CALL, [row[:2] for row in rows])
        if len(rows) == most:
            return False
        self._connection.execute("DELETE FROM counters WHERE counter = ?", (self.id,))
        self._connection.execute("DELETE FROM ends WHERE last_day = ? AND counter = ?", (self._kept_last_day, self.id))
        return True

    def advance(self, now: int, demand: Demand) -> None:
        """Its time goes on, never back; what has left its window long ago goes."""
        if now > self.clock:
            self.clock = now
        if demand.until is not None:
            end = demand.until
        elif demand.place:
            end = self.clock
        else:
            end = self.clock + (FORGET_AFTER if demand.span is None else demand.span)
        self._last_day = max(self._last_day, (end + GRACE) // DAY + 1)
        since = demand.since
        if since is None or since <= self.horizon:
            return
        if since >= now:
            raise ValueError("a window begins before the moment")
        self.horizon = since
        late = since if demand.span is None else since - demand.span // _LATE
        if self._first is not None and self._first <= late:
            self.sweep()

    def sweep(self) -> None:
        """Take off what has left its window. Until then it counts, so that many may go at once: whoever finds no room for
        a demand sweeps and looks again."""
        if self._first is None or self._first > self.horizon:
            return
        self._first = None
        left = self._connection.execute(_LEAVING, (self.id, self.horizon)).fetchall()
        self._connection.execute(_LEFT, (self.id, self.horizon))
        self._connection.executemany(_FORGET_CALL, [row[3:] for row in left])
        items: dict[str, Exact] = {}
        for amount, item, state, _, _ in left:
            if state == LAPSED:
                continue
            if item is None:
                self.total = minus(self.total, loaded(amount))
            else:
                items[item] = loaded(amount)
        for item, held in items.items():
            if self._holder(item, NOBODY) is None:
                self.total = minus(self.total, held)

    def purge(self, gone: Callable[[int], bool]) -> None:
        """Whatever people had too long to think about, and what processes held that are gone."""
        for entry in map(entry_of, self._connection.execute(_OPEN, (self.id,)).fetchall()):
            if entry.state == HELD:
                if entry.until is not None and entry.until <= self.clock:
                    self.let_lapse(entry)
            elif gone(entry.owner):
                self.presume(entry)

    def let_lapse(self, entry: Entry) -> None:
        """Give back what was held; while it is in its window, a late commit finds it."""
        if entry.at <= self.horizon:
            self._delete(entry)
            return
        self._set(entry, LAPSED, None)
        self._take_off(entry)

    def presume(self, entry: Entry) -> None:
        """Its process is gone: its place is free, its amount counts as spent from when it was reserved."""
        if entry.state == PLACE or entry.at <= self.horizon:
            self._delete(entry)
        else:
            self._set(entry, PRESUMED, None)

    def standing(self, demand: Demand, own: Entry | None, call: str) -> tuple[Exact, Exact]:
        """What others have of it, and what the call would take, were its `own` entry not there."""
        total, taken = self.total, exact(demand.amount)
        if own is not None and (own.item is None or self._holder(own.item, call) is None):
            total = minus(total, own.amount)
        if demand.item is not None and self._holder(demand.item, call) is not None:
            taken = 0
        return total, taken

    def wait(self, total: Exact, taken: Exact, bound: Exact | float, demand: Demand, call: str, now: int) -> int | None:
        """When it fits, see `waiting`."""

        def holders(item: str) -> int:
            found: int = self._connection.execute(_HOLDERS, (self.id, item, call)).fetchone()[0]
            return found

        releases = merge(self._leaving(demand, call), self._lapsing(call), key=_moment)
        return wait_for(total, taken, bound, releases, holders, now=now, demand=demand)

    def _leaving(self, demand: Demand, call: str) -> Iterator[Release]:
        if demand.until is None and demand.span is None:
            return
        for at, amount, item, caller in self._connection.execute(_IN_ORDER, (self.id,)):
            if caller == call:
                continue
            if demand.until is None:
                yield at + demand.span, loaded(amount), item
            elif at < demand.until:
                yield demand.until, loaded(amount), item

    def _lapsing(self, call: str) -> list[Release]:
        entries = map(entry_of, self._connection.execute(_OPEN, (self.id,)).fetchall())
        held = [entry for entry in entries if entry.state == HELD and entry.call != call]
        return sorted(((entry.until or 0, entry.amount, entry.item) for entry in held), key=_moment)

    def enter(self, entry: Entry) -> None:
        """Count a new entry; the item it brings back keeps the amount it was counted with."""
        self._add(entry)
        earlier = None if entry.earlier_amount is None else stored(entry.earlier_amount)
        values = (
            self.id, entry.kind, entry.at, entry.call, stored(entry.amount), entry.item, entry.state,
            entry.until, entry.owner, entry.earlier_at, earlier, entry.earlier_item,
        )  # fmt: skip
        self._connection.execute(_INSERT, values)
        self._connection.execute(_NAME_CALL, (entry.call, self.id, entry.at))

    def spend(self, entry: Entry, used: Exact | None) -> None:
        """It has run; `used` is what it really took. What has left its window meanwhile is over."""
        if entry.state == PLACE or entry.at <= self.horizon:
            self._delete(entry)
            return
        if not entry.counts:
            self._add(entry)
        if used is not None and entry.item is None:
            self.total = plus(minus(self.total, entry.amount), used)
            entry.amount = used
        self._connection.execute(_SPENT, (stored(entry.amount), self.id, entry.kind, entry.at, entry.call))

    def hold(self, entry: Entry, until: int, now: int) -> None:
        """A person thinks."""
        if entry.state == PLACE:
            self._delete(entry)
        elif entry.state == HELD and entry.until is not None and entry.until <= max(now, self.clock):
            self.let_lapse(entry)
        elif entry.state in (RUNNING, HELD):
            self._set(entry, HELD, until)

    def remove(self, entry: Entry) -> None:
        """As if it had never been reserved."""
        self._delete(entry)

    def give_back(self, entry: Entry) -> None:
        """As if it had never been reserved; what its call had spent before counts again."""
        self._delete(entry)
        if entry.earlier_at is None or entry.earlier_at <= self.horizon:
            return
        amount = 0 if entry.earlier_amount is None else entry.earlier_amount
        self.enter(Entry(entry.call, self.id, entry.earlier_at, amount, entry.earlier_item, SPENT, None, entry.owner))

    def _holder(self, item: str, call: str) -> Exact | None:
        """The amount with which somebody but the call counts the item, or None where nobody does."""
        row = self._connection.execute(_HOLDER, (self.id, item, call)).fetchone()
        return None if row is None else loaded(row[0])

    def _add(self, entry: Entry) -> None:
        if entry.item is not None:
            held = self._holder(entry.item, entry.call)
            if held is not None:
                entry.amount = held
                return
        self.total = plus(self.total, entry.amount)

    def _take_off(self, entry: Entry) -> None:
        if entry.item is None or self._holder(entry.item, entry.call) is None:
            self.total = minus(self.total, entry.amount)

    def _delete(self, entry: Entry) -> None:
        self._connection.execute(_DELETE, (self.id, entry.kind, entry.at, entry.call))
        self._connection.execute(_FORGET_CALL, (entry.call, self.id))
        if entry.counts:
            self._take_off(entry)

    def _set(self, entry: Entry, state: int, until: int | None) -> None:
        kind = 2 if state > HELD else 1
        self._connection.execute(_STATE, (kind, state, until, self.id, entry.at, entry.call))


def _moment(release: Release) -> int:
    return release[0]
