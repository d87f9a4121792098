"""Reading the audit log from a SQLite file and its tail, while others append, and move rows from one into the other.

Nothing is moved or made here. What was read of the tail is taken only while the database still names that tail; otherwise its
rows are in the tables by now, and are read there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policy_engine.runtime.ports.ledger import Head, Row
from policy_engine.stores.errors import StoreDamaged, StoreError
from policy_engine.stores.sqlite import rows as tables, tail as tails
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.frames import Contents
from policy_engine.stores.sqlite.tail import Tail


class Reading:
    """Reads the log of a database. `path` is where its tail stands."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.path = f"{database.path}-tail"

    def told(self) -> tuple[Head, bytes | None]:
        """The last row of the tables, and which tail is in use."""
        with self._database.read() as connection:
            return tables.told(connection)

    def found(self, name: bytes, *, writing: bool = False) -> Tail | None:
        """The tail of that name. None where it has been given up meanwhile; raises `StoreDamaged` where it is gone."""
        tail, cause = None, None
        try:
            tail = tails.find(self.path, name, patience=self._database.patience, writing=writing)
        except StoreError as fault:
            cause = fault
        if tail is None:
            head, still = self.told()
            if still == name:
                why = cause or f"{self.path} is missing, or another's"
                raise StoreDamaged(head.sequence + 1, f"and all behind it cannot be read: {why}") from cause
        return tail

    def damaged(self, found: Contents) -> StoreDamaged:
        """What to raise for a tail of which not all can be read."""
        return StoreDamaged(
            found.head.sequence + 1, f"and all behind it cannot be read: {self.path} is damaged ({found.damage})"
        )

    def head(self) -> Head:
        """The last row; raises `StoreDamaged` where the tail is gone or does not tell."""
        while True:
            head, name = self.told()
            if name is None:
                return head
            tail = self.found(name)
            if tail is None:
                continue
            with tail.locked(shared=True):
                end = tail.look()
            if end is not None:
                return end.head
            if self.told()[1] == name:
                raise StoreDamaged(head.sequence + 1, f"may not be the last: {self.path} does not tell where it ends")

    def rows(self, *, after: int, upto: int | None, run: str | None) -> Iterator[Row]:
        """The rows in order, a page at a time, so that nobody who writes has to wait for who reads; then the tail's."""
        end = tables.NO_END if upto is None else upto
        place = after
        while True:
            with self._database.read() as connection:
                page = tables.page(connection, place, end, run)
                name = tables.told(connection)[1]
            yield from page
            if page:
                place = page[-1].sequence
            if len(page) == tables.PAGE:
                continue
            if name is None:
                return
            found = self._held(name)
            if found is None:  # its rows are in the table now
                continue
            yield from (row for row in found.rows if after < row.sequence <= end and run in (None, row.run))
            if found.damage is not None and found.head.sequence < end:
                raise self.damaged(found)
            return

    def _held(self, name: bytes) -> Contents | None:
        """What a tail holds; None where it has been given up meanwhile."""
        tail = self.found(name)
        if tail is None:
            return None
        with tail.locked(shared=True):
            found = tail.contents()
        return found if found.damage is None or self.told()[1] == name else None

    def policy(self, digest: str) -> Mapping[str, bytes] | None:
        """What was kept of a policy."""
        with self._database.read() as connection:
            found = connection.execute("SELECT name, content FROM audit_policies WHERE digest = ?", (digest,)).fetchall()
        return dict(found) or None
