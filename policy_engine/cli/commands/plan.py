"""`policy plan`: how each rule is evaluated: what finds it, which state it reads, what is gone through at each decision."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from policy_engine.base.limits import MAX_SCANNED_CALLS
from policy_engine.cli import terminal
from policy_engine.cli.exits import stop
from policy_engine.cli.options import Format, FormatOption, ParamOption, UnderOption, params_from
from policy_engine.cli.policies import loaded
from policy_engine.cli.traffic.demands import demand_of
from policy_engine.semantics.artifact import (
    CompiledPolicy,
    EventPlan,
    Fold,
    FoldPlan,
    Index,
    IndexNode,
    Section,
    ToolPlan,
    Track,
)
from policy_engine.semantics.ast.expressions import Call, Expr, Literal, children
from policy_engine.semantics.context import FOLDED

_FOUND_BY = {
    "equal": "{path} equal to a literal", "whole": "{path} being a text", "begins": "the beginning of {path}",
    "ends": "the end of {path}", "pattern": "a pattern over {path}", "above": "a bound of {path}",
    "reaches": "a bound of {path}", "below": "a bound of {path}", "within": "a bound of {path}",
    "present": "{path} being there", "test": "a test it shares with others",
}  # fmt: skip
_KEPT = {
    "exists": "whether there is one", "uniform": "whether all have one value", "count": "how many there are",
    "last": "the last one", "reduce": "what their values come to",
}  # fmt: skip
_PROVENANCE: Final = frozenset(("said", "origins", "labels", "pointed", "coverage", "carried"))
_UNFINDABLE: Final = "nothing it tests can be looked up"
_TOO_FEW: Final = "so few rules need no index"


@dataclass
class RulePlan:
    """How one rule is evaluated. `access` = what finds it; `folded` and `scanned` tell about the history it reads; `values` =
    its words about where values came from; `demands` = what a limit, timeout, retry or breaker asks of a mediator."""

    rule: str
    kind: str
    phase: str
    place: str
    access: str
    demands: str | None = None
    folded: list[dict[str, Any]] = field(default_factory=list)
    scanned: list[dict[str, str]] = field(default_factory=list)
    values: list[str] = field(default_factory=list)


def plan(
    policy: Annotated[Path, typer.Argument(help="A policy file, or a folder of them.")],
    tool: Annotated[str | None, typer.Argument(help="A tool or event; all of them if left out.")] = None,
    form: FormatOption = Format.text,
    under: UnderOption = None,
    param: ParamOption = None,
) -> None:
    """Show how rules are evaluated, for one tool or all.

    For each rule: what finds it among the others, the state kept per call from which its questions about history are
    answered, what has to be gone through at every decision instead, and why, and what it asks about where values came from.

    \b
    Examples:
      policy plan support.policy
      policy plan support.policy crm.refund --format json
    """
    compiled = loaded(policy, under=under, params=params_from(param)).compiled
    plans: dict[str, ToolPlan | EventPlan] = {**compiled.tools, **compiled.events}
    if tool is not None and tool not in plans:
        near = get_close_matches(tool, plans, n=3) or sorted(compiled.tools)[:5]
        stop(f"{policy} knows no tool or event `{tool}`", suggestion=", ".join(near))
    names = [tool] if tool is not None else sorted(plans)
    found = {name: list(_rules(compiled, plans[name])) for name in names}
    if form is Format.json:
        data = {name: [asdict(one) for one in rules] for name, rules in found.items() if rules or name == tool}
        terminal.say(json.dumps(data, indent=2))
        return
    for name, rules in found.items():
        if rules or name == tool:
            _show(name, rules)


# ------------------------------------------------------------------ what there is to say
def _rules(policy: CompiledPolicy, plan: ToolPlan | EventPlan) -> Iterator[RulePlan]:
    sections = [("rewrites", plan.rewrites), ("decide", plan.decide), ("result", plan.result)]
    sections += [("limits", plan.limits), ("timeouts", plan.timeouts)]
    if isinstance(plan, ToolPlan):
        sections.append(("errors", plan.errors))
    for phase, section in sections:
        access = _access(policy, section)
        unfound = f"tested at every decision: {_UNFINDABLE if access else _TOO_FEW}"
        for number, (rule, condition) in enumerate(zip(section.rules, section.batch.conditions, strict=True)):
            made = RulePlan(rule.id, rule.kind, phase, str(rule.span), access.get(number, unfound))
            if isinstance(condition, Literal):
                made.access = "always holds" if condition.value is True else "never holds"
            made.demands = demand_of(rule.execution)
            made.folded = [_told(policy.folds, number) for number in _questions(condition)]
            reasons = dict(policy.folds.scanned)
            made.scanned = [
                {"text": _line(node.span.text), "why": reasons[node.span]} for node in _nodes(condition) if node.span in reasons
            ]
            words = {node.function for node in _nodes(condition) if isinstance(node, Call)}
            made.values = sorted(words.intersection(_PROVENANCE))
            yield made


def _told(folds: FoldPlan, number: int) -> dict[str, Any]:
    fold = folds.folds[number]
    asked: list[Fold] = [fold] if fold.after is None else [fold.after, fold]
    tracks = [folds.tracks[one.track] for one in asked]
    windows = any(one.window is not None for one in asked)
    return {
        "text": _line(fold.span.text),
        "keeps": "whether one came since another" if fold.after else _KEPT[fold.kind],
        "tracks": [_track(track) for track in tracks],
        "reads": "the calls within the window" if fold.kind == "reduce" and windows else "one entry",
    }


def _track(track: Track) -> dict[str, Any]:
    return {
        "calls": track.text, "tools": list(track.tools) if track.tools is not None else "all",
        "keys": len(track.keys), "rows": track.rows is not None,
    }  # fmt: skip


def _questions(condition: Expr) -> Iterator[int]:
    for node in _nodes(condition):
        number = node.args[0] if isinstance(node, Call) and node.function == FOLDED else None
        if isinstance(number, Literal) and isinstance(number.value, int):
            yield number.value


def _nodes(node: Expr) -> Iterator[Expr]:
    yield node
    for child in children(node):
        yield from _nodes(child)


def _access(policy: CompiledPolicy, section: Section) -> dict[int, str]:
    """For each rule that the index of its section finds, how."""
    index = policy.constants.get(f"{section.batch.function}_index") if section.rules else None
    found: dict[int, str] = {}
    if isinstance(index, Index):
        _walk(index.root, (), found)
    return found


def _walk(node: IndexNode, way: tuple[str, ...], found: dict[int, str]) -> None:
    for number, _ in node.entries:
        if way:
            found[number] = f"found by {', then '.join(way)}"
    for table in node.tables:
        here = (*way, _FOUND_BY[table.family].format(path=".".join(table.path)))
        for _, bucket in table.rows:
            if isinstance(bucket, IndexNode):
                _walk(bucket, here, found)
            else:
                found[bucket if isinstance(bucket, int) else bucket[0]] = f"found by {', then '.join(here)}"


# ------------------------------------------------------------------ how it reads
def _show(name: str, rules: list[RulePlan]) -> None:
    terminal.say(terminal.styled("strong", terminal.safe(name)))
    for one in rules:
        terminal.say(terminal.safe(f"  {one.kind} {one.rule}  {one.place}"))
        terminal.say(terminal.safe(f"    access:  {one.access}"))
        if one.demands:
            terminal.say(terminal.safe(f"    demands: {one.demands}"))
        for told in one.folded:
            terminal.say(terminal.safe(f"    folded:  {told['text']}"))
            for track in told["tracks"]:
                of = "all tools" if track["tools"] == "all" else ", ".join(track["tools"])
                terminal.say(terminal.styled("dim", terminal.safe(f"             kept per call of {of}: {track['calls']}")))
            terminal.say(terminal.styled("dim", f"             {told['keeps']}; a decision reads {told['reads']}"))
        for scan in one.scanned:
            terminal.say(terminal.safe(f"    scanned: {scan['text']}"))
            terminal.say(terminal.styled("dim", terminal.safe(f"             because {scan['why']}")))
            bound = f"             at every decision; with more than {MAX_SCANNED_CALLS:,} calls in the run it is an error"
            terminal.say(terminal.styled("dim", bound))
        if one.values:
            terminal.say(f"    values:  {', '.join(one.values)}")
            terminal.say(terminal.styled("dim", "             looked up in what was noted once of each result"))
    if not rules:
        terminal.say("  no rule is about it")


def _line(text: str) -> str:
    return " ".join(text.split())
