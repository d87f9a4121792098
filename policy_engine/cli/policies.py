"""Policies for commands: found, loaded, or refused with everything that is wrong said at once."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import typer

from policy_engine.assembly.loading import load
from policy_engine.cli import terminal
from policy_engine.cli.exits import BROKEN, stop
from policy_engine.cli.options import Format
from policy_engine.diagnostics.model import Diagnostic, PolicyError
from policy_engine.diagnostics.render_json import render_json
from policy_engine.diagnostics.render_text import render_text, summary
from policy_engine.runtime.engine import Policy

_SKIPPED_FOLDERS: Final = frozenset({"node_modules", "build", "dist", "__pycache__", "site-packages"})


def loaded(
    path: Path,
    *,
    under: Sequence[Path] | None = None,
    params: Mapping[str, Any] | None = None,
    form: Format = Format.text,
) -> Policy:
    """The policy of a file or folder; otherwise every diagnostic goes to standard error and the command ends."""
    try:
        return load(path, under=under or (), params=params)
    except PolicyError as fault:
        show(fault.diagnostics, form, to_errors=True)
        terminal.complain(f"error: {path} does not load, so nothing was decided")
        raise typer.Exit(BROKEN) from None
    except OSError as fault:
        stop(unreadable(path, fault))


def unreadable(path: Path | str, fault: OSError) -> str:
    """What to say about a file that cannot be read."""
    named = fault.filename or path
    return f"{named}: {fault.strerror.lower()}" if fault.strerror else str(fault) or f"{named}: cannot be read"


def show(diagnostics: Iterable[Diagnostic], form: Format, *, to_errors: bool = False) -> None:
    """Print diagnostics in the asked form, with their count below the text form."""
    found = tuple(diagnostics)
    stream = sys.stderr if to_errors else sys.stdout
    if form is Format.json:
        print(render_json(found), file=stream)
    elif found:
        page = render_text(found, colour=terminal.colourful(stream), width=terminal.page_width(stream))
        print(f"{page}\n\n{summary(found)}", file=stream)


def looked_in(paths: Sequence[Path]) -> str:
    """Where was looked for files, in words: «here», «in rules»."""
    return ", ".join("here" if path == Path() else f"in {path}" for path in paths)


def files_in(paths: Sequence[Path], pattern: str) -> list[Path]:
    """The files themselves, and those under folders whose names end in `pattern`, sorted, hidden folders left out."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            for inside in sorted(path.rglob(f"*{pattern}")):
                between = inside.relative_to(path).parts[:-1]
                if not any(part.startswith(".") or part in _SKIPPED_FOLDERS for part in between):
                    found.setdefault(inside)
        else:
            found.setdefault(path)
    return list(found)
