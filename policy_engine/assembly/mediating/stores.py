"""From `memory://` or `sqlite:///state.db` to the stores behind a mediator: one file holds all of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal as OneOf

from policy_engine.audit.encoding import encoded, from_json, parsed
from policy_engine.runtime.ports.approvals import ApprovalStore
from policy_engine.runtime.ports.counters import CounterStore
from policy_engine.runtime.ports.history import HistoryStore
from policy_engine.runtime.ports.ledger import Ledger
from policy_engine.stores.memory.approvals import MemoryApprovals
from policy_engine.stores.memory.counters import MemoryCounters
from policy_engine.stores.memory.history import MemoryHistory
from policy_engine.stores.memory.ledger import MemoryLedger
from policy_engine.stores.sqlite.approvals import SqliteApprovals
from policy_engine.stores.sqlite.counters import SqliteCounters
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.history import SqliteHistory
from policy_engine.stores.sqlite.ledger import SqliteLedger

_SQLITE: Final = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Stores:
    """The ports, and how to let go of what they hold. `blocking` = a method may wait for a disk or another process."""

    counters: CounterStore
    approvals: ApprovalStore
    ledger: Ledger
    history: HistoryStore
    blocking: bool
    close: Callable[[], None]


def read_again(data: bytes) -> Any:
    """An engine value, from the bytes it was written as."""
    return from_json(parsed(data))


def opened(url: str, *, durability: OneOf["process", "fsync"] = "process") -> Stores:
    """The stores of a URL: `memory://` (gone with this process) or `sqlite:///PATH`, four slashes for an absolute path.

    Raises `ValueError` for any other, and what the database raises where it cannot be opened safely.
    """
    if url == "memory://":
        return Stores(MemoryCounters(), MemoryApprovals(), MemoryLedger(), MemoryHistory(), False, lambda: None)
    path = url.removeprefix(_SQLITE)
    if path == url or not path:
        raise ValueError(f"a store is `memory://` or `sqlite:///state.db`, not {url!r}")
    database = Database(path, durability=durability)
    return Stores(
        SqliteCounters(database), SqliteApprovals(database), SqliteLedger(database),
        SqliteHistory(database, write=lambda value: encoded(value)[1], read=read_again), True, database.close,
    )  # fmt: skip
