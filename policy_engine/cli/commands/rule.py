"""`policy rule CODE`: what a diagnostic means, offline."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from policy_engine.cli import terminal
from policy_engine.cli.codes import ALL_CODES
from policy_engine.cli.exits import stop
from policy_engine.cli.options import Format, FormatOption
from policy_engine.diagnostics.model import Code
from policy_engine.diagnostics.suggest import did_you_mean


def rule(
    code: Annotated[str | None, typer.Argument(help="The code, as in `error[type-mismatch]`; none = list all.")] = None,
    form: FormatOption = Format.text,
) -> None:
    """Explain a code such as `type-mismatch`, offline.

    What it means, why it matters, how to mend it. Without a code, all of them are listed.

    \b
    Example:
      policy rule type-mismatch
    """
    if code is None:
        _list(form)
        return
    found = next((one for one in ALL_CODES if one.name == code), None)
    if found is None:
        stop(
            f"there is no code `{code}`",
            suggestion=did_you_mean(code, [one.name for one in ALL_CODES]) or "policy rule, which lists them all",
        )
    if form is Format.json:
        terminal.say(json.dumps({**_data(found), "explanation": found.explanation}, indent=2))
        return
    terminal.say(f"{terminal.styled('strong', found.name)} ({found.severity}): {found.title}\n")
    terminal.say(found.explanation.strip())


def _list(form: Format) -> None:
    codes = sorted(ALL_CODES, key=lambda one: one.name)
    if form is Format.json:
        terminal.say(json.dumps([_data(one) for one in codes], indent=2))
        return
    width = max(len(one.name) for one in codes)
    for one in codes:
        terminal.say(f"{one.name:<{width}}  {one.severity:<7}  {one.title}")


def _data(code: Code) -> dict[str, str]:
    return {"code": code.name, "severity": code.severity, "title": code.title}
