"""An audit log that tells watchers what it keeps: live metrics and telemetry see the very records that are in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal as OneOf

from policy_engine.runtime.ports.audit import AuditLog, Record, Watcher


class WatchedLog:
    """The log it is given, and after each record that was kept, its watchers, in order.

    What was not kept is told to nobody. A watcher that raises is counted in `faults` and stops neither the call nor the
    other watchers: it only counts what has happened already.
    """

    def __init__(self, log: AuditLog, watchers: Sequence[Watcher]) -> None:
        self._log = log
        self._watchers = tuple(watchers)
        self.blocking: bool = log.blocking
        self.durability: OneOf["memory", "process", "fsync"] = log.durability
        self.faults = 0

    def append(self, record: Record) -> str:
        """Keep a record and tell it. Raises what the log raises."""
        digest = self._log.append(record)
        for watcher in self._watchers:
            try:
                watcher.on_record(record)
            except Exception:
                self.faults += 1
        return digest

    def keep_policy(self, digest: str, sources: Mapping[str, bytes], about: Mapping[str, Any]) -> None:
        """As the log does."""
        self._log.keep_policy(digest, sources, about)
