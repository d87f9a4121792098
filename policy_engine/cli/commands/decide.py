"""`policy decide`: recorded or live traffic in, one decision a line out."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from policy_engine.cli import terminal
from policy_engine.cli.exits import BROKEN, FINDINGS, stop
from policy_engine.cli.options import Format, FormatOption, ParamOption, UnderOption, params_from
from policy_engine.cli.policies import loaded, unreadable
from policy_engine.cli.traffic.answers import answer, broken
from policy_engine.cli.traffic.entries import Entry, EntryError
from policy_engine.cli.traffic.lines import read_lines
from policy_engine.cli.traffic.player import Player

_ALLOWED = ("allow", "pass", "redact")


def decide(
    policy: Annotated[Path, typer.Argument(help="A policy file, or a folder of them.")],
    calls: Annotated[str, typer.Option("--calls", help="A file of JSON lines, or `-` for standard input.")],
    form: FormatOption = Format.json,
    under: UnderOption = None,
    param: ParamOption = None,
) -> None:
    """Decide calls, results and events, line by line.

    \b
    A call:     {"tool": "crm.refund", "args": {"amount": 5.0}, "principal": {"id": "u1"}, "run": "r1", "call": "c1"}
    An outcome: {"run": "r1", "call": "c1", "result": {"ok": true}}
    An event:   {"run": "r1", "input": "refund order 7"}

    Lines with one `run` are one trace. A line that cannot be read is refused on its own; the others go on.

    \b
    Example:
      policy decide support.policy --calls calls.jsonl
    """
    player = Player(loaded(policy, under=under, params=params_from(param), form=Format.text))
    refused = spoiled = False
    with _opened(calls) as stream, terminal.stepper("deciding", None) as step:
        for place, entry in read_lines(stream, "<standard input>" if calls == "-" else calls):
            data, readable = _decided(player, place, entry)
            spoiled |= not readable
            refused |= data["effect"] not in _ALLOWED
            _print(data, form)
            step()
    if spoiled or refused:
        raise typer.Exit(BROKEN if spoiled else FINDINGS)


def _decided(player: Player, place: str, entry: Entry | str) -> tuple[dict[str, Any], bool]:
    """The answer to one line, and whether the line could be read."""
    if isinstance(entry, str):
        return broken(place, entry), False
    try:
        return answer(entry, player.play(entry)), True
    except EntryError as fault:
        return broken(place, str(fault)), False


def _print(data: dict[str, Any], form: Format) -> None:
    if form is Format.json:
        terminal.say(json.dumps(data, allow_nan=False))
    else:
        style = "good" if data["effect"] in _ALLOWED else "bad"
        about = " ".join(str(data[key]) for key in ("run", "call", "tool") if key in data)
        hint = f"hint: {data['hint']}" if data["hint"] else None
        detail = None if data["detail"] and data["detail"] in data["reason"] else data["detail"]  # nothing is said twice
        why = "; ".join(str(part) for part in (data["reason"], hint, detail) if part)
        terminal.say(f"{terminal.styled(style, data['effect']):<9} {terminal.safe(f'{about}  {why}'.strip())}")
    sys.stdout.flush()


@contextlib.contextmanager
def _opened(calls: str) -> Iterator[BinaryIO]:
    if calls == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = open(calls, "rb")  # noqa: SIM115 - closed below; faults of writing are not faults of this file
    except OSError as fault:
        stop(unreadable(calls, fault))
    with stream:
        yield stream
