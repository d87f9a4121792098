"""Which records a command is about: by number, by the beginning of a digest, by call."""

from __future__ import annotations

from policy_engine.audit.entries import Entry, entry_of
from policy_engine.cli.exits import stop
from policy_engine.runtime.ports.ledger import Ledger, UnreadableRows

_SHORTEST = 6


def found(ledger: Ledger, id: str) -> list[Entry]:
    """The records that `id` names: one by its number or digest, all of a call. Ends the command where there is none."""
    try:
        if id.isdecimal() and len(id) < _SHORTEST + 6:
            rows = list(ledger.rows(after=int(id) - 1, upto=int(id)))
        else:
            rows = [row for row in ledger.rows() if len(id) >= _SHORTEST and row.digest.startswith(id)]
        entries = list(map(entry_of, rows)) or [entry for entry in map(entry_of, ledger.rows()) if entry.call == id]
    except (ValueError, UnreadableRows) as fault:
        stop(str(fault), suggestion="policy audit verify")
    if not entries:
        stop(
            f"there is no record `{id}`",
            suggestion="a number, the first letters of a digest (six or more), or a call as `policy audit show` tells it",
        )
    return entries
