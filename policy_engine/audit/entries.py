"""A record as it is read again, whether from a ledger or from an export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from policy_engine.audit.payloads import Payload, read
from policy_engine.runtime.ports.ledger import Row


@dataclass(frozen=True)
class Entry:
    """One record: `sequence` and `digest` name it, `said` are its commitments, the rest is as it was told."""

    sequence: int
    digest: str
    kind: str
    at: int
    run: str
    call: str | None
    body: Mapping[str, Any]
    said: Mapping[str, Any]
    beside: bytes | None

    @cached_property
    def payloads(self) -> Mapping[str, Payload]:
        """What was kept of the values, by name."""
        return read(self.said, self.beside)

    def value(self, name: str, default: Any = None) -> Any:
        """The value of a payload, masked or whole; `default` where there is none, or it was not kept."""
        payload = self.payloads.get(name)
        return default if payload is None or payload.kept in ("digest", "erased") else payload.value


def entry_of(row: Row) -> Entry:
    """The record of a row. Raises `ValueError` for a row that holds none: verify the log."""
    try:
        data = orjson.loads(row.data)
        return Entry(
            row.sequence, row.digest, data["kind"], data["at"], data["run"], data["call"], data["body"], data["payloads"],
            row.payload,
        )  # fmt: skip
    except (ValueError, TypeError, LookupError) as fault:
        raise ValueError(f"record {row.sequence} cannot be read: verify the log") from fault
