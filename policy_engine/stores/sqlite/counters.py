"""Counters and breakers in a file, shared by all processes that use it. One write transaction a question.

What each word means is in `docs/decisions/0019-counters.md`. Places need no lease here: the kernel tells whether a process
still lives (`owners`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from sqlite3 import Connection
from typing import Final, Literal as OneOf

from policy_engine.runtime.ports.counters import Admission, Demand, Full
from policy_engine.stores.amounts import exact, exact_bound, plus
from policy_engine.stores.breaking import CLOSED, Breaker, admitted, reported
from policy_engine.stores.remembering import DAY
from policy_engine.stores.sqlite.counter import (
    ENTRY_COLUMNS,
    HELD,
    PLACE,
    PRESUMED,
    RUNNING,
    SPENT,
    STEPS,
    Counter,
    Entry,
    entry_of,
    key_of,
    spend_as_held,
)  # fmt: skip
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.owners import Owners, owners_of

_OF_CALL: Final = f"""
    SELECT {ENTRY_COLUMNS} FROM calls c CROSS JOIN counters e
    ON e.counter = c.counter AND e.kind IN (1, 2) AND e.at = c.at AND e.call = c.call WHERE c.call = ?
"""
_OF_CALL_WITH_HORIZON: Final = f"""
    SELECT {ENTRY_COLUMNS}, h.horizon FROM calls c CROSS JOIN counters e
    ON e.counter = c.counter AND e.kind IN (1, 2) AND e.at = c.at AND e.call = c.call
    CROSS JOIN counters h ON h.counter = c.counter AND h.kind = 0 WHERE c.call = ?
"""
_BREAKERS: Final = (
    "CREATE TABLE breakers (name TEXT PRIMARY KEY, opened INTEGER, failures TEXT NOT NULL, probe TEXT, probe_since INTEGER)",
)
_FIND_BREAKER: Final = "SELECT opened, failures, probe, probe_since FROM breakers WHERE name = ?"
_KEEP_BREAKER: Final = "INSERT OR REPLACE INTO breakers VALUES (?, ?, ?, ?, ?)"
_ENDED: Final = "SELECT counter FROM ends WHERE last_day < ? LIMIT 4"
_RESERVATIONS_A_TIDYING: Final = 64
_ENTRIES_A_TIDYING: Final = 1000
_NO_END: Final = 1 << 62


class SqliteCounters:
    """Implements `runtime.ports.counters.CounterStore`. Raises `StoreError` where the file cannot be used."""

    blocking = True

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reservations = 0
        self._known_owners = owners_of(database.path)
        database.migrate("counters", STEPS)
        database.migrate("breakers", _BREAKERS)
        self._bury()

    def _owners(self) -> Owners:
        if self._known_owners.process != os.getpid():
            self._known_owners = owners_of(self._database.path)
        return self._known_owners

    def _gone(self, owner: int) -> bool:
        return self._owners().gone(owner)

    def reserve(
        self, call: str, demands: Sequence[Demand], *, now: int, lease: int, beyond: frozenset[int] = frozenset()
    ) -> Full | None:
        """Hold everything, or nothing. Raises `ValueError` for amounts that cannot be counted or two demands of one counter."""
        owner = self._owners().mine
        with self._database.write() as connection:
            self._tidy_now_and_then(connection, now)
            known = connection.execute("SELECT 1 FROM calls WHERE call = ? LIMIT 1", (call,)).fetchone() is not None
            made: list[tuple[Counter, Entry]] = []
            counters: dict[str, Counter] = {}
            for index, demand in enumerate(demands):
                if demand.counter in counters:
                    raise ValueError("two demands of one counter")
                counter = counters[demand.counter] = Counter(connection, key_of(demand.counter))
                counter.advance(now, demand)
                full = self._room(connection, index, call, demand, counter, now, index in beyond)
                if full is not None:
                    for one in counters.values():
                        one.keep()
                    return full
                state = PLACE if demand.place else RUNNING
                amount = exact(demand.amount)
                made.append((counter, Entry(call, counter.id, counter.clock, amount, demand.item, state, None, owner)))
            if known:
                self._replace(connection, call, made)
            for counter, entry in made:
                counter.enter(entry)
                counter.keep()
            return None

    def _room(
        self, connection: Connection, index: int, call: str, demand: Demand, counter: Counter, now: int, beyond: bool
    ) -> Full | None:
        amount, bound = exact(demand.amount), exact_bound(demand.bound)
        if demand.item is None and (beyond or plus(counter.total, amount) <= bound):
            return None  # as nearly always; what this call had, or has lapsed, could only make more room
        counter.sweep()
        counter.purge(self._gone)
        own = next((entry for entry in _entries(connection, call) if entry.counter == counter.id and entry.counts), None)
        total, taken = counter.standing(demand, own, call)
        if beyond or plus(total, taken) <= bound:
            return None
        return Full(index, counter.wait(total, taken, bound, demand, call, now))

    def _replace(self, connection: Connection, call: str, made: list[tuple[Counter, Entry]]) -> None:
        """What the call held goes. What it had spent stays, also what a process that is gone may have; where it counts anew,
        it comes back if that is refunded."""
        anew = {entry.counter: (counter, entry) for counter, entry in made}
        for old in _entries(connection, call):
            spent = old.state in (SPENT, PRESUMED) or (old.state == RUNNING and self._gone(old.owner))
            if old.counter in anew:
                counter, entry = anew[old.counter]
                if spent and old.at > counter.horizon:
                    entry.earlier_at, entry.earlier_amount, entry.earlier_item = old.at, old.amount, old.item
                elif not spent:
                    entry.earlier_at, entry.earlier_amount = old.earlier_at, old.earlier_amount
                    entry.earlier_item = old.earlier_item
                counter.remove(old)
            elif not spent:
                counter = Counter(connection, old.counter)
                counter.give_back(old)
                counter.keep()

    def hold(self, call: str, *, until: int, now: int) -> None:
        """A person thinks: places are free, amounts stay held until then. What has lapsed or run is not held again."""
        with self._database.write() as connection:
            for entry in _entries(connection, call):
                counter = Counter(connection, entry.counter)
                counter.hold(entry, until, now)
                counter.keep()

    def commit(self, call: str, amounts: Mapping[str, float], *, now: int) -> None:
        """The call has run, and took these amounts. Raises `ValueError` for an amount that cannot be counted."""
        used = {key_of(name): exact(amount) for name, amount in amounts.items()}
        with self._database.write() as connection:
            for *row, horizon in connection.execute(_OF_CALL_WITH_HORIZON, (call,)).fetchall():
                _, key, at, _, _, state, *_ = row
                if state == SPENT:
                    continue
                if state == RUNNING and at > horizon and key not in used:
                    spend_as_held(connection, key, at, call)
                    continue
                counter = Counter(connection, key)
                counter.spend(entry_of(row), used.get(key))
                counter.keep()

    def refund(self, call: str, *, now: int) -> None:
        """The call provably did not run: what it held goes, what it had spent before counts again."""
        with self._database.write() as connection:
            for entry in _entries(connection, call):
                if entry.state != SPENT:
                    counter = Counter(connection, entry.counter)
                    counter.give_back(entry)
                    counter.keep()

    def forget(self, counters: Sequence[str]) -> None:
        """Nobody will ask for these counters again."""
        with self._database.write() as connection:
            for name in counters:
                Counter(connection, key_of(name)).erase(most=_NO_END)

    def _bury(self) -> None:
        """What processes held that are gone, found when a store is opened."""
        with self._database.write() as connection:
            rows = connection.execute(f"SELECT {ENTRY_COLUMNS} FROM counters e WHERE e.kind = 1").fetchall()
            gone = {owner: self._gone(owner) for owner in {entry_of(row).owner for row in rows}}
            for entry in map(entry_of, rows):
                if entry.state != HELD and gone[entry.owner]:
                    counter = Counter(connection, entry.counter)
                    counter.presume(entry)
                    counter.keep()

    def _tidy_now_and_then(self, connection: Connection, now: int) -> None:
        """Counters that nobody asks any more go, a little at a time."""
        self._reservations += 1
        if self._reservations % _RESERVATIONS_A_TIDYING:
            return
        today = now // DAY
        for (key,) in connection.execute(_ENDED, (today,)).fetchall():
            counter = Counter(connection, key)
            if connection.execute("SELECT 1 FROM counters WHERE counter = ? AND kind = 1 LIMIT 1", (key,)).fetchone():
                counter.linger(today + 1)
            else:
                counter.erase(most=_ENTRIES_A_TIDYING)

    def admit(self, breaker: str, call: str, *, now: int, probe_after: int, lease: int) -> Admission:
        """Ask a breaker. A closed one is only read."""
        with self._database.read() as connection:
            if _breaker(connection, breaker).opened is None:
                return Admission("closed")
        with self._database.write() as connection:
            before = _breaker(connection, breaker)
            admission, after = admitted(before, call, now=now, probe_after=probe_after, lease=lease)
            _keep_breaker(connection, breaker, before, after)
            return admission

    def report(
        self, breaker: str, call: str, failed: bool | None, *, now: int, failures: int, within: int
    ) -> OneOf["closed", "open"]:
        """Tell a breaker. Where a closed one hears nothing bad, it is only read."""
        if not failed:
            with self._database.read() as connection:
                if _breaker(connection, breaker).opened is None:
                    return "closed"
        with self._database.write() as connection:
            before = _breaker(connection, breaker)
            state, after = reported(before, call, failed, now=now, failures=failures, within=within)
            _keep_breaker(connection, breaker, before, after)
            return state


def _entries(connection: Connection, call: str) -> list[Entry]:
    return [entry_of(row) for row in connection.execute(_OF_CALL, (call,)).fetchall()]


def _breaker(connection: Connection, name: str) -> Breaker:
    row = connection.execute(_FIND_BREAKER, (name,)).fetchone()
    if row is None:
        return CLOSED
    return Breaker(row[0], tuple(json.loads(row[1])), row[2], row[3])


def _keep_breaker(connection: Connection, name: str, before: Breaker, after: Breaker) -> None:
    if after == CLOSED:
        connection.execute("DELETE FROM breakers WHERE name = ?", (name,))
    elif after != before:
        row = (name, after.opened, json.dumps(after.failures), after.probe, after.probe_since)
        connection.execute(_KEEP_BREAKER, row)
