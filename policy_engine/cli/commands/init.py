"""`policy init`: a policy, its tools, its cases and the hooks that keep them right, ready to be changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from policy_engine.cli import terminal
from policy_engine.cli.exits import stop
from policy_engine.cli.options import Format, FormatOption
from policy_engine.cli.policies import unreadable
from policy_engine.resources import resource


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write; made if it is not there.")] = Path(),
    form: FormatOption = Format.text,
) -> None:
    """Write a first policy with all it needs.

    Its tools, its cases and a pre-commit configuration come with it. Overwrites nothing.

    \b
    Example:
      policy init my-rules
    """
    template = resource("rulesets/starter")
    names = sorted(path.name for path in template.iterdir() if path.is_file() and path.name != "README.md")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        present = [name for name in names if (folder / _target(name)).exists()]
        if present:
            message = f"{folder / _target(present[0])} is there already, and nothing is overwritten"
            stop(message, suggestion="policy init NEW-FOLDER")
        for name in names:
            with open(folder / _target(name), "xb") as stream:
                stream.write((template / name).read_bytes())
    except OSError as fault:
        stop(unreadable(folder, fault))
    _report(folder, [_target(name) for name in names], form)


def _target(name: str) -> str:
    """The name a template is written under; files that tools would read in our own folders are kept under another."""
    return ".pre-commit-config.yaml" if name == "pre-commit-config.yaml" else name


def _report(folder: Path, written: list[str], form: Format) -> None:
    if form is Format.json:
        terminal.say(json.dumps({"folder": str(folder), "written": written}))
        return
    for name in written:
        terminal.say(f"wrote {terminal.safe(str(folder / name))}")
    place = "" if folder == Path() else f" {terminal.safe(str(folder))}"
    terminal.say(f"\nNext: policy check{place} && policy test{place}")
