"""The record of what was decided and what came of it. Implemented in `policy_engine/audit`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Literal as OneOf, NamedTuple, Protocol

from policy_engine.base.records import RecordKind


class Record(NamedTuple):
    """One thing that happened, see `base/records.py` for what each kind holds.

    `at` is nanoseconds since the epoch. `body` is JSON-like and holds no values that agents, users or tools chose, but for
    names; those are `payloads`, engine values by name, stored beside the chain as the operator chose: whole, masked, or not.
    """

    kind: RecordKind
    at: int
    run: str
    call: str | None
    body: Mapping[str, Any]
    payloads: Mapping[str, Any] = MappingProxyType({})


record_of: Final[Callable[[tuple[RecordKind, int, str, str | None, Any, Any]], Record]] = partial(tuple.__new__, Record)
"""A record of its fields by position: what `Record(…)` makes, at half its cost, for code that makes some on every call."""


class AuditLog(Protocol):
    """Keeps records in the order they come. Thread- and process-safe.

    `durability` names what a record survives once `append` has returned: `memory` nothing, `process` the death of this
    process, `fsync` the loss of power.
    """

    blocking: bool
    durability: OneOf["memory", "process", "fsync"]

    def append(self, record: Record) -> str:
        """Keep a record; returns its digest (hex) once it is kept. Raises when it is not: then nothing may go on."""
        ...

    def keep_policy(self, digest: str, sources: Mapping[str, bytes], about: Mapping[str, Any]) -> None:
        """Keep what a policy is made of, once, so that its decisions can be made again. `about` is JSON-like: how to load the
        sources, and the tags of its rules."""
        ...


class Watcher(Protocol):
    """Is told every record once it is kept: live metrics, telemetry. Thread-safe; must not wait, and should not raise."""

    def on_record(self, record: Record) -> None:
        """Something was kept."""
        ...
