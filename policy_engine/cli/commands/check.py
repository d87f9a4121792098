"""`policy check`: everything there is to say about policies, before they decide anything."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from policy_engine.assembly.files import FileResolver, entries
from policy_engine.assembly.loading import compiled
from policy_engine.cli import terminal
from policy_engine.cli.codes import BROKEN_INPUT
from policy_engine.cli.exits import BROKEN, FINDINGS, stop
from policy_engine.cli.options import Format, FormatOption, ParamOption, UnderOption, params_from
from policy_engine.cli.policies import files_in, looked_in, show, unreadable
from policy_engine.diagnostics.model import Diagnostic


def check(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Policy files, or folders to search for them; none = this folder.")
    ] = None,
    form: FormatOption = Format.text,
    under: UnderOption = None,
    param: ParamOption = None,
) -> None:
    """Say everything that is wrong with policies.

    Names, types, every rule for every tool it targets, and what a mistake would do to decisions. A file that another
    of the given files uses is checked as part of it. Notes alone are fine.

    \b
    Example:
      policy check support.policy
    """
    params = params_from(param)
    given = paths or [Path()]
    files = files_in(given, ".policy")
    if not files:
        stop(f"no .policy file {looked_in(given)}", suggestion="policy init")
    found: list[tuple[str, tuple[Diagnostic, ...]]] = []
    used: set[str] = set()
    for path in terminal.progress(files, "checking"):
        resolver = FileResolver()
        try:
            result = compiled(resolver, entries(path), under=under or (), params=params, executable=False)
        except OSError as fault:
            stop(unreadable(path, fault))
        own = os.path.realpath(path)
        found.append((own, result.diagnostics))
        used.update({os.path.realpath(source.name) for source, _ in result.files} - {own})
    diagnostics = tuple(dict.fromkeys(one for path, some in found if path not in used for one in some))
    _report(diagnostics, form, len(files))


def _report(diagnostics: tuple[Diagnostic, ...], form: Format, files: int) -> None:
    """Print them, and end with the code they call for."""
    show(diagnostics, form)
    grave = [one for one in diagnostics if one.severity != "note"]
    if not grave:
        if form is Format.text:
            terminal.say(terminal.styled("good", f"{files} {'policy' if files == 1 else 'policies'} checked: fine"))
        return
    broken = any(one.severity == "error" and one.code.name in BROKEN_INPUT for one in grave)
    raise typer.Exit(BROKEN if broken else FINDINGS)
