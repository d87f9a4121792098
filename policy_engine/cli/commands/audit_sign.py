"""`policy audit checkpoint` and `policy audit key`: signatures, and what a witness outside keeps of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from policy_engine.audit.log import Audit, AuditError
from policy_engine.audit.signing import KEY_VARIABLE, KeyFault, new_key
from policy_engine.cli import terminal
from policy_engine.cli.audit_keys import KeyOption, signer
from policy_engine.cli.audit_records import LogArgument, ledger_at
from policy_engine.cli.exits import stop
from policy_engine.runtime.ports.ledger import UnreadableRows


def checkpoint(
    file: LogArgument,
    export: Annotated[
        Path | None, typer.Option("--export", help="Add the signed statement to this file, for a witness outside.")
    ] = None,
    key: KeyOption = None,
) -> None:
    """Sign how far the log has come, and take that outside: afterwards nobody can shorten it or write it anew unseen.

    \b
    Example:
      policy audit checkpoint state.db --key audit.key --export witness.jsonl
    """
    signs = signer(key)
    if signs is None:
        stop("there is no key to sign with", suggestion=f"policy audit key audit.key, then --key audit.key, or {KEY_VARIABLE}")
    try:
        said = Audit(ledger_at(file), signer=signs).checkpoint()
    except (AuditError, UnreadableRows, ValueError) as fault:
        stop(str(fault))
    if said is None:
        stop(f"{file} has no records yet")
    if export is not None:
        try:
            with export.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(said) + "\n")
        except OSError as fault:
            stop(f"{export} cannot be written: {fault.strerror}")
    terminal.say(f"{file}: signed up to record {said['sequence']} with the key {said['key'][:12]}")


def key(file: Annotated[Path, typer.Argument(help="Where the private key goes; must not be there.")]) -> None:
    """Make a key pair: the private key goes into a file of yours alone, the public one is printed.

    \b
    Example:
      policy audit key audit.key > audit.pub
    """
    try:
        made = new_key(str(file))
    except KeyFault as fault:
        stop(str(fault))
    terminal.say(made.pem.strip())
