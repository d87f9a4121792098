"""`policy explain`: one decision in full, every rule with what its condition came to."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from policy_engine.base.decision import Reserve, Timeout
from policy_engine.cli import terminal
from policy_engine.cli.exits import FINDINGS, stop
from policy_engine.cli.options import Format, FormatOption, ParamOption, UnderOption, params_from
from policy_engine.cli.policies import loaded, unreadable
from policy_engine.cli.traffic.answers import answer
from policy_engine.cli.traffic.demands import owed_text
from policy_engine.cli.traffic.entries import CallEntry, EntryError
from policy_engine.cli.traffic.lines import entry_of, read_lines
from policy_engine.cli.traffic.player import Player
from policy_engine.runtime.engine import Policy
from policy_engine.runtime.explaining import Explanation, RuleExplanation

_STYLES = {"true": "strong", "false": "dim", "error": "bad"}


def explain(
    policy: Annotated[Path, typer.Argument(help="A policy file, or a folder of them.")],
    call: Annotated[str | None, typer.Option("--call", help="The call as JSON, as @FILE, or `-`.")] = None,
    calls: Annotated[Path | None, typer.Option("--calls", help="JSON lines; those before --line are its history.")] = None,
    line: Annotated[int | None, typer.Option("--line", min=1, help="The line of --calls to explain.")] = None,
    form: FormatOption = Format.text,
    under: UnderOption = None,
    param: ParamOption = None,
) -> None:
    """Explain one decision in full.

    Every rule that targets the call, what its condition came to, and why this is the effect.

    \b
    Examples:
      policy explain support.policy --call '{"tool": "crm.refund", "args": {"amount": 900.0}}'
      policy explain support.policy --calls calls.jsonl --line 7
    """
    if (call is None) == (calls is None) or (calls is None) != (line is None):
        stop("give either --call, or --calls together with --line")
    player = Player(loaded(policy, under=under, params=params_from(param), form=form))
    entry = _single(call) if call is not None else _recorded(player, calls, line)
    explanation = player.explain(entry)
    if form is Format.json:
        terminal.say(json.dumps(_data(entry, explanation), indent=2))
    else:
        _show(player.policy, entry, explanation)
    if not explanation.decision.allowed:
        raise typer.Exit(FINDINGS)


# ------------------------------------------------------------------ which call
def _single(call: str) -> CallEntry:
    text: str | bytes = call
    if call == "-":
        text = sys.stdin.buffer.read()
    elif call.startswith("@"):
        try:
            text = Path(call[1:]).read_bytes()
        except OSError as fault:
            stop(unreadable(call[1:], fault))
    entry = entry_of(text)
    if isinstance(entry, str):
        stop(f"--call: {entry}", suggestion='--call \'{"tool": "crm.refund", "args": {"amount": 5.0}}\'')
    return _only_calls(entry, "--call")


def _recorded(player: Player, calls: Path | None, line: int | None) -> CallEntry:
    """The call on the asked line, after everything before it was played; broken lines change nothing, as in `decide`."""
    try:
        with open(str(calls), "rb") as stream:
            for place, entry in read_lines(stream, str(calls)):
                if place == f"{calls}:{line}":
                    if isinstance(entry, str):
                        stop(f"{place}: {entry}")
                    return _only_calls(entry, place)
                if not isinstance(entry, str):
                    with contextlib.suppress(EntryError):
                        player.play(entry)
    except OSError as fault:
        stop(unreadable(str(calls), fault))
    stop(f"{calls} has no entry on line {line}")


def _only_calls(entry: Any, place: str) -> CallEntry:
    if not isinstance(entry, CallEntry):
        stop(f"{place} is not a call; only calls are explained rule by rule")
    return entry


# ------------------------------------------------------------------ how it reads
def _data(entry: CallEntry, explanation: Explanation) -> dict[str, Any]:
    return {
        **answer(entry, explanation.decision),
        "layers": [{"layer": layer, "default": default} for layer, default in explanation.defaults],
        "targeted": [
            {
                "rule": one.rule, "kind": one.kind, "layer": one.layer, "observed": one.observed,
                "came_to": one.came_to, "error": one.error, "place": one.place,
            }
            for one in explanation.rules
        ],
    }  # fmt: skip


def _show(policy: Policy, entry: CallEntry, explanation: Explanation) -> None:
    decision = explanation.decision
    style = "good" if decision.allowed else "bad"
    terminal.say(f"{terminal.styled(style, decision.effect)}  {terminal.safe(decision.tool)}")
    lines = [
        ("policy", f"{policy.name} {policy.version or ''} ({policy.digest[:12]})"),
        ("rules", ", ".join(decision.rules) or "none"),
        ("reason", decision.reason),
        ("detail", decision.detail),
        ("hint", decision.hint),
        ("args", json.dumps(answer(entry, decision)["args"]) if decision.args is not None else "did not fit"),
    ]
    for name, text in lines:
        if text:
            terminal.say(f"  {name + ':':<8} {terminal.safe(text)}")
    for error in decision.errors:
        terminal.say(terminal.safe(f"  error:   {error.rule} at {error.place}: {error.message}"))
    for ask in decision.asks:
        terminal.say(terminal.safe(f"  asks:    {ask.count} of {ask.queue} within {ask.within} ({ask.rule})"))
    for owed in decision.obligations:
        if isinstance(owed, Reserve | Timeout):
            terminal.say(terminal.safe(f"  owes:    {owed_text(owed)}"))
    for layer, default in explanation.defaults:
        rules = [one for one in explanation.rules if one.layer == layer]
        terminal.say(f"\nlayer {terminal.safe(layer)} (default {default})")
        for one in rules:
            _show_rule(one)
        if not rules:
            terminal.say("  no rule targets this call")


def _show_rule(one: RuleExplanation) -> None:
    mark = terminal.styled(_STYLES[one.came_to], f"{one.came_to:<5}")
    observed = "observe " if one.observed else ""
    terminal.say(f"  {mark}  {terminal.safe(f'{observed}{one.kind} {one.rule}  {one.place}')}")
    if one.error:
        terminal.say(terminal.safe(f"           {one.error}"))
    for line in one.text.strip().splitlines():
        terminal.say(terminal.styled("dim", f"           | {terminal.safe(line.strip())}"))
