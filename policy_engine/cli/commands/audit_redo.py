"""`policy audit redo`: decisions made again from the store alone."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from policy_engine.assembly.redoing import Redo, Redone, counted
from policy_engine.cli import terminal
from policy_engine.cli.audit_finding import found
from policy_engine.cli.audit_records import LogArgument, ledger_at
from policy_engine.cli.exits import FINDINGS, stop
from policy_engine.cli.options import Format, FormatOption
from policy_engine.runtime.ports.ledger import UnreadableRows

_STYLES = {"equal": "good", "differs": "bad", "inexact": "warn"}


def redo(
    file: LogArgument,
    id: Annotated[str | None, typer.Argument(metavar="[ID]", help="A number, a digest's first letters, or a call.")] = None,
    run: Annotated[str | None, typer.Option("--run", help="All decisions of this run.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All decisions of the log.")] = False,
    form: FormatOption = Format.text,
) -> None:
    """Make recorded decisions again, with the policy as it was then, and compare them. Needs nothing but the store.

    \b
    Examples:
      policy audit redo state.db 17
      policy audit redo state.db --all
    """
    if (id is not None) + (run is not None) + everything != 1:
        stop("say which decisions, in one way", suggestion="an ID, --run R, or --all")
    ledger = ledger_at(file)
    again = Redo(ledger)
    try:
        if id is not None:
            wanted = found(ledger, id)
            numbers = {entry.sequence for entry in wanted}
            made = list(again.redo(lambda entry: entry.sequence in numbers, runs=[entry.run for entry in wanted]))
        else:
            made = list(again.redo(lambda entry: run is None or entry.run == run, runs=None if run is None else [run]))
    except (ValueError, UnreadableRows) as fault:
        stop(str(fault), suggestion="policy audit verify")
    if not made:
        stop("there is no decision among these records")
    _tell(made, form, each=not everything)


def _tell(made: list[Redone], form: Format, *, each: bool) -> None:
    counts = counted(made)
    if form is Format.json:
        terminal.say(json.dumps({"counts": counts, "records": [
            {"record": one.entry.sequence, "verdict": one.verdict, "problem": one.problem, "note": one.note} for one in made
        ]}, indent=2))  # fmt: skip
    else:
        for one in made:
            if each or one.verdict != "equal":
                about = f"record {one.entry.sequence} ({one.entry.kind} {one.entry.body['effect']})"
                said = "  ".join(part for part in (about, one.problem, one.note) if part)
                terminal.say(f"{terminal.styled(_STYLES[one.verdict], one.verdict):<9}{terminal.safe(said)}")
        terminal.say(f"{counts['equal']:,} equal, {counts['differs']:,} differ, {counts['inexact']:,} cannot be redone exactly")
    if counts["equal"] != len(made):
        raise typer.Exit(FINDINGS)
