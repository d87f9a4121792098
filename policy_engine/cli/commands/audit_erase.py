"""`policy audit erase`: payloads go, the chain stays."""

from __future__ import annotations

from typing import Annotated

import typer

from policy_engine.audit.erasing import erase as erased
from policy_engine.audit.log import Audit, AuditError
from policy_engine.cli import terminal
from policy_engine.cli.audit_keys import KeyOption, moment, signer
from policy_engine.cli.audit_records import LogArgument, ledger_at
from policy_engine.cli.exits import stop
from policy_engine.runtime.ports.ledger import UnreadableRows


def erase(
    file: LogArgument,
    run: Annotated[str | None, typer.Option("--run", help="All of this run.")] = None,
    before: Annotated[str | None, typer.Option("--before", help="All before this date or moment.")] = None,
    principal: Annotated[str | None, typer.Option("--principal", help="All that was done for this principal (its id).")] = None,
    key: KeyOption = None,
) -> None:
    """Erase arguments, results and all other payloads for good. The chain still verifies; that they were erased is recorded.

    \b
    Example:
      policy audit erase state.db --principal u1
    """
    if sum(one is not None for one in (run, before, principal)) != 1:
        stop("say what to erase, in one way", suggestion="--run R, --before 2026-01-01, or --principal P")
    audit = Audit(ledger_at(file), signer=signer(key))
    try:
        if run is not None and next(audit.entries(run=run), None) is None:
            stop(f"{file} has no record of a run {run!r}, so nothing was erased", suggestion=f"policy audit show {file}")
        count = erased(audit, run=run, before=None if before is None else moment("--before", before), principal=principal)
        audit.checkpoint()
    except (AuditError, UnreadableRows, ValueError) as fault:
        stop(str(fault))
    records = "record" if count == 1 else "records"
    terminal.say(f"{file}: " + (f"the payloads of {count:,} {records} are gone" if count else "nothing there has payloads"))
