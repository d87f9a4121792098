"""`policy keys new`: a key for a person who shall answer questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from policy_engine.assembly.approver_keys import KeyFault, new_key, write_key
from policy_engine.cli import terminal
from policy_engine.cli.exits import stop
from policy_engine.cli.options import Format, FormatOption
from policy_engine.cli.person import new_passphrase

HELP: Final = "Keys of people who answer questions."


def new(
    approver: Annotated[str, typer.Argument(help="Who it is for: their id in the registry of approvers.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write it; nothing is overwritten.")],
    form: FormatOption = Format.text,
) -> None:
    """Make a key for an approver, locked by a passphrase that is asked here.

    What goes into the registry of approvers is shown; it is no secret. Who knows file and passphrase is that person.

    \b
    Example:
      policy keys new alice --out alice.key
    """
    try:
        content, public = new_key(approver, new_passphrase(approver))
        write_key(out, content)
    except KeyFault as fault:
        stop(str(fault))
    if form is Format.json:
        terminal.say(json.dumps({"approver": approver, "key": public, "file": str(out)}))
        return
    terminal.say(f"wrote {terminal.safe(str(out))}\n\nFor the registry of approvers:")
    terminal.say(f"  - id: {terminal.safe(json.dumps(approver))}\n    key: {public}\n    queues: [ … ]")


COMMANDS: Final = (new,)
