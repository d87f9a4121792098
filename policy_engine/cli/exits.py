"""Exit codes, the same for every command, and the way a command ends early."""

from __future__ import annotations

from typing import Final, NoReturn

import typer

from policy_engine.cli import terminal

FINE: Final = 0
"""Nothing to say, or the call is allowed."""
FINDINGS: Final = 1
"""Something was found, a case failed, a call was refused."""
BROKEN: Final = 2
"""Wrong usage, or input that cannot be read or used."""


def stop(message: str, *, suggestion: str | None = None) -> NoReturn:
    """Say on standard error what is wrong with the input and what to do instead, and end with `BROKEN`."""
    terminal.complain(f"error: {message}")
    if suggestion:
        terminal.complain(f"  try: {suggestion}")
    raise typer.Exit(BROKEN)
