"""`policy fmt`: one way to write a policy. Keeps comments; formatting twice changes nothing more."""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from collections.abc import Sequence
from difflib import unified_diff
from pathlib import Path
from typing import Annotated

import typer

from policy_engine.base.source import Source
from policy_engine.cli import terminal
from policy_engine.cli.exits import BROKEN, FINDINGS, stop
from policy_engine.cli.options import Format, FormatOption
from policy_engine.cli.policies import files_in, looked_in, show, unreadable
from policy_engine.compiler.analysis.draft import finding
from policy_engine.compiler.analysis.reading import UNREADABLE_FILE, not_utf8, place_of
from policy_engine.compiler.formatting.formatter import format_policy
from policy_engine.diagnostics.model import Diagnostic, PolicyError


def fmt(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Policy files, folders to search for them, or `-` for standard input; none = this folder."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if anything would change.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; show what would change.")] = False,
    form: FormatOption = Format.text,
) -> None:
    """Format policies in place. A file that does not parse or cannot be read stays as it is; the others are formatted.

    \b
    Example:
      policy fmt --check rules/
    """
    given = paths or [Path()]
    if given == [Path("-")]:
        _standard_input(form)
        return
    files = files_in(given, ".policy")
    if not files:
        stop(f"no .policy file {looked_in(given)}", suggestion="policy init")
    changed: list[Path] = []
    faults: list[Diagnostic] = []
    for path in terminal.progress(files, "formatting"):
        before = _read(path)
        if isinstance(before, Diagnostic):
            faults.append(before)
            continue
        try:
            after = format_policy(Source(str(path), before))
        except PolicyError as fault:
            faults.extend(fault.diagnostics)
            continue
        if after != before:
            changed.append(path)
            if diff and form is Format.text:
                _show_difference(path, before, after)
            if not (check or diff):
                _write(path, after)
    _report(files, changed, faults, form, wrote=not (check or diff))


def _report(files: Sequence[Path], changed: Sequence[Path], faults: list[Diagnostic], form: Format, wrote: bool) -> None:
    """Say what changed or would change, and end with the code it calls for."""
    if form is Format.json:
        terminal.say(json.dumps({"files": len(files), "changed": [str(path) for path in changed], "written": wrote}))
    else:
        for path in changed:
            terminal.say(f"{'formatted' if wrote else 'would format'} {terminal.safe(str(path))}")
        if not changed and not faults:
            terminal.say(terminal.styled("good", f"{len(files)} already formatted"))
    if faults:
        show(faults, form, to_errors=True)
        raise typer.Exit(BROKEN)
    if changed and not wrote:
        raise typer.Exit(FINDINGS)


def _standard_input(form: Format) -> None:
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
        sys.stdout.write(format_policy(Source("<standard input>", text)))
    except UnicodeDecodeError:
        stop("standard input is not UTF-8 text")
    except PolicyError as fault:
        show(fault.diagnostics, form, to_errors=True)
        raise typer.Exit(BROKEN) from None


def _read(path: Path) -> str | Diagnostic:
    """The text of a file, or what is wrong with it: the other files are formatted all the same."""
    place = place_of(str(path))
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as fault:
        return finding(UNREADABLE_FILE, unreadable(path, fault), place, effect="the file stays as it is")
    except UnicodeDecodeError as fault:
        return not_utf8(str(path), fault, place)


def _write(path: Path, text: str) -> None:
    """Replace the file at once, so that a full disk or a lost process leaves the old one whole."""
    target = Path(os.path.realpath(path))
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(text.encode("utf-8"))
            os.chmod(name, stat.S_IMODE(target.stat().st_mode))
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as fault:
        stop(f"{path} cannot be written: {(fault.strerror or type(fault).__name__).lower()}")


def _show_difference(path: Path, before: str, after: str) -> None:
    lines = unified_diff(before.splitlines(), after.splitlines(), f"{path} as it is", f"{path} formatted", lineterm="")
    for line in lines:
        style = "good" if line.startswith("+") else "bad" if line.startswith("-") else "dim"
        terminal.say(terminal.styled(style, terminal.safe(line)))
