"""`policy audit recover`: going on with a log whose last records are damaged or gone."""

from __future__ import annotations

from policy_engine.cli import terminal
from policy_engine.cli.audit_records import LogArgument, database_at
from policy_engine.cli.exits import stop
from policy_engine.stores.errors import StoreError
from policy_engine.stores.sqlite.recovering import recover as recovered


def recover(file: LogArgument) -> None:
    """Go on behind records that are damaged or gone, where a mediator refuses to. That they are missing is found by `verify` for
    ever; what is left of them is put aside. Changes nothing where nothing is wrong.

    \b
    Example:
      policy audit recover state.db
    """
    try:
        found = recovered(database_at(file))
    except StoreError as fault:
        stop(str(fault))
    if found is None:
        terminal.say(f"{file}: nothing has to be recovered")
        return
    many = f"record {found.first} is" if found.first == found.last else f"records {found.first} to {found.last} are"
    left = "nothing is left of them" if found.aside is None else f"what is left of them is in {found.aside}, payloads included"
    terminal.say(terminal.safe(f"{file}: {many} missing from now on, and the log goes on behind; {left}"))
