"""Going on with a log whose tail is damaged or gone: what can be read is kept, what cannot is seen to be missing for ever."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import NamedTuple

from policy_engine.runtime.ports.ledger import Head
from policy_engine.stores.errors import StoreDamaged
from policy_engine.stores.sqlite import rows
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.frames import Contents
from policy_engine.stores.sqlite.reading import Reading
from policy_engine.stores.sqlite.tail import Tail


class Recovered(NamedTuple):
    """`first` to `last` are the numbers of the records that are missing: one at least, where nothing tells how many they were.
    `aside` is the file that holds what is left of them, None where there is none."""

    first: int
    last: int
    aside: str | None


def recover(database: Database) -> Recovered | None:
    """Let the log of a database go on behind what cannot be read of its tail. None where nothing is wrong with it.

    Raises `StoreError`, and leaves all as it was, where that cannot be now, or its file has to be made ours alone first.
    """
    reading = Reading(database)
    name = reading.told()[1]
    if name is None:
        return None
    try:
        tail = reading.found(name, writing=True)
        if tail is None:
            return None
    except StoreDamaged as fault:
        if fault.__cause__ is not None and os.path.isfile(reading.path) and not os.path.islink(reading.path):
            raise
        tail = None
    with nullcontext() if tail is None else tail.locked(), database.write(synced=True) as connection:
        if rows.told(connection)[1] != name:
            return None
        found = Contents([], Head(0, ""), 0, damage="gone") if tail is None else tail.contents()
        if found.damage is None:
            return None
        rows.insert(connection, found.rows)
        head, _ = rows.told(connection)
        last = found.missing if found.missing is not None else Head(head.sequence + 1, os.urandom(32).hex())
        rows.goes_on_after(connection, last)
        rows.use(connection, None)
        if tail is not None:
            tail.seal()
    return Recovered(head.sequence + 1, last.sequence, _aside(database, reading.path, name, tail))


def _aside(database: Database, path: str, name: bytes, tail: Tail | None) -> str | None:
    """Put what is left of the tail elsewhere, before the next one takes its place."""
    aside = f"{path}-unreadable-{name.hex()[:8]}"
    with database.write() as connection:
        if rows.told(connection)[1] is not None or not os.path.lexists(path):
            return None
        os.rename(path, aside)
    return aside
