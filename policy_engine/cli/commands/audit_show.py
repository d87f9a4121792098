"""`policy audit show`: records for people."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from policy_engine.audit.entries import Entry, entry_of
from policy_engine.cli import terminal
from policy_engine.cli.audit_finding import found
from policy_engine.cli.audit_lines import data, line
from policy_engine.cli.audit_records import LogArgument, ledger_at
from policy_engine.cli.exits import stop
from policy_engine.cli.options import Format, FormatOption
from policy_engine.runtime.ports.ledger import UnreadableRows


def show(
    file: LogArgument,
    id: Annotated[str | None, typer.Argument(metavar="[ID]", help="A number, a digest's first letters, or a call.")] = None,
    run: Annotated[str | None, typer.Option("--run", help="Only this run.")] = None,
    last: Annotated[int, typer.Option("--last", min=1, help="At most so many, the latest.")] = 50,
    form: FormatOption = Format.text,
) -> None:
    """Show records: one line each, or one in full.

    \b
    Examples:
      policy audit show state.db --last 20
      policy audit show state.db 17
    """
    ledger = ledger_at(file)
    if id is not None:
        for entry in found(ledger, id):
            terminal.say(json.dumps(data(entry), indent=2, ensure_ascii=True))
        return
    try:
        first = 0 if run is not None else max(0, ledger.head().sequence - last)
        entries: list[Entry] = list(map(entry_of, ledger.rows(after=first, run=run)))[-last:]
    except (ValueError, UnreadableRows) as fault:
        stop(str(fault), suggestion="policy audit verify")
    if run is not None and not entries:
        stop(f"{file} has no records of the run `{run}`")
    for entry in entries:
        terminal.say(json.dumps(data(entry)) if form is Format.json else line(entry))
