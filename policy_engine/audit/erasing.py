"""Erasing payloads: of a run, of everything before a moment, or of everything done for one person. It is itself recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policy_engine.audit.entries import Entry
from policy_engine.audit.log import Audit
from policy_engine.base.records import ErasedBody


def erase(audit: Audit, *, run: str | None = None, before: int | None = None, principal: str | None = None) -> int:
    """Erase the payloads of all records that match what is given (exactly one); how many had some. `before` is nanoseconds.

    Raises `AuditError`; then nothing was erased.
    """
    if sum(one is not None for one in (run, before, principal)) != 1:
        raise ValueError("payloads are erased by run, by date or by principal: by one of them")
    if run is not None:
        found = [entry.sequence for entry in audit.entries(run=run) if entry.beside is not None]
    elif before is not None:
        found = [entry.sequence for entry in audit.entries() if entry.beside is not None and entry.at < before]
    else:
        found = _of(audit, principal or "")
    if found:
        by: Any = "run" if run is not None else "date" if before is not None else "principal"
        body: ErasedBody = {"by": by, "ranges": _ranges(found), "count": len(found)}
        audit.erase(found, body)
    return len(found)


def _of(audit: Audit, principal: str) -> list[int]:
    """The records about a principal: those that name it, and all of the runs in which one did."""
    runs = {entry.run for entry in audit.entries() if entry.beside is not None and _principal(entry) == principal}
    return [
        entry.sequence
        for entry in audit.entries()
        if entry.beside is not None and entry.run and entry.run in runs and _principal(entry) in (None, principal)
    ]


def _principal(entry: Entry) -> str | None:
    """The id of the principal that a record names."""
    if "principal" not in entry.said:
        return None
    who = entry.value("principal")
    who = getattr(who, "fields", who)
    found = who.get("id") if isinstance(who, Mapping) else who
    return None if found is None else str(found)


def _ranges(numbers: list[int]) -> list[list[int]]:
    """First and last of each stretch without gaps."""
    made: list[list[int]] = []
    for number in numbers:
        if made and made[-1][1] == number - 1:
            made[-1][1] = number
        else:
            made.append([number, number])
    return made
