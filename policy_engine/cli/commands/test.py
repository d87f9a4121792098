"""`policy test`: the cases beside policies, played and compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from policy_engine.assembly.loading import load
from policy_engine.cli import terminal
from policy_engine.cli.cases.model import CaseFile
from policy_engine.cli.cases.playing import Failure, Verdict, play
from policy_engine.cli.cases.reading import read_cases
from policy_engine.cli.exits import BROKEN, FINDINGS, stop
from policy_engine.cli.options import Format, FormatOption
from policy_engine.cli.policies import files_in, looked_in, show, unreadable
from policy_engine.diagnostics.model import Diagnostic, PolicyError
from policy_engine.diagnostics.render_json import diagnostic_data
from policy_engine.diagnostics.render_text import summary
from policy_engine.runtime.engine import Policy
from policy_engine.semantics.artifact import EventPlan, ToolPlan


@dataclass(frozen=True, slots=True)
class _Played:
    """One file of cases and how they went; `unreached` are rules of its policy that no case reaches."""

    file: CaseFile
    verdicts: tuple[Verdict, ...]
    unreached: tuple[str, ...]


def test(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files of cases, policies, or folders to search for cases; none = this folder."),
    ] = None,
    form: FormatOption = Format.text,
) -> None:
    """Play the cases beside policies and compare.

    Cases stand in `cases.yaml` or `NAME.cases.yaml`; docs/tour.md shows how they are written.

    \b
    Example:
      policy test rules/
    """
    given = paths or [Path()]
    files = files_in([_cases_of(path) for path in given], "cases.yaml")
    if not files:
        stop(f"no cases.yaml and no *.cases.yaml {looked_in(given)}", suggestion="policy init, which writes an example")
    played: list[_Played] = []
    faults: list[Diagnostic] = []
    for path in terminal.progress(files, "testing"):
        try:
            played.append(_play(read_cases(path)))
        except PolicyError as fault:
            faults.extend(fault.diagnostics)
        except OSError as fault:
            stop(unreadable(path, fault))
    _report(played, faults, form)


def _cases_of(path: Path) -> Path:
    """A policy stands for its cases, so that hooks can pass the files that changed."""
    if path.suffix != ".policy":
        return path
    own = path.with_name(f"{path.stem}.cases.yaml")
    return own if own.exists() else path.with_name("cases.yaml")


def _play(file: CaseFile) -> _Played:
    policy = load(file.policy, under=file.under, params=file.params)
    verdicts = tuple(play(policy, case) for case in terminal.progress(file.cases, f"testing {file.path.name}"))
    reached = frozenset[str]().union(*(verdict.reached for verdict in verdicts))
    return _Played(file, verdicts, tuple(sorted(_rules_of(policy) - reached)))


def _rules_of(policy: Policy) -> set[str]:
    """The ids of all rules of the policy itself; layers above it have cases of their own."""
    plans: list[ToolPlan | EventPlan] = [*policy.compiled.tools.values(), *policy.compiled.events.values()]
    sections = [section for plan in plans for section in (plan.rewrites, plan.decide, plan.result, plan.limits, plan.timeouts)]
    return {rule.id for section in sections for rule in section.rules if rule.layer == 0}


def _report(played: Sequence[_Played], faults: Sequence[Diagnostic], form: Format) -> None:
    failed = sum(1 for one in played for verdict in one.verdicts if verdict.failures)
    total = sum(len(one.verdicts) for one in played)
    if form is Format.json:
        data = {"passed": total - failed, "failed": failed, "files": [_data(one) for one in played]}
        terminal.say(json.dumps({**data, "diagnostics": [diagnostic_data(one) for one in faults]}, indent=2))
    else:
        for one in played:
            _show(one)
        show(faults, form, to_errors=True)
        style = "bad" if failed or faults else "good"
        broken = f", {summary(faults)} in what could not be played" if faults else ""
        terminal.say(terminal.styled(style, f"{total - failed} passed, {failed} failed{broken}"))
    if any(fault.severity == "error" for fault in faults):
        raise typer.Exit(BROKEN)
    if failed:
        raise typer.Exit(FINDINGS)


def _show(played: _Played) -> None:
    for verdict in played.verdicts:
        for failure in verdict.failures:
            heading = terminal.styled("bad", "FAILED")
            terminal.say(f"{heading} {terminal.safe(verdict.case.name)}  {terminal.safe(str(failure.span))}")
            _show_failure(failure)
    for rule in played.unreached:
        terminal.say(terminal.safe(f"note: no case of {played.file.path} reaches {rule}"))


def _show_failure(failure: Failure) -> None:
    for one in failure.differences:
        expected = terminal.styled("good", f"- {terminal.safe(one.expected)}")
        got = terminal.styled("bad", f"+ {terminal.safe(one.got)}")
        terminal.say(f"  {one.what}\n    {expected}    expected\n    {got}    decided")
    if failure.why:
        terminal.say(terminal.styled("dim", f"  why: {terminal.safe(failure.why)}"))
    terminal.say()


def _data(played: _Played) -> dict[str, Any]:
    return {
        "file": str(played.file.path),
        "policy": str(played.file.policy),
        "unreached": list(played.unreached),
        "cases": [
            {
                "name": verdict.case.name,
                "passed": not verdict.failures,
                "failures": [
                    {
                        "place": str(failure.span),
                        "why": failure.why,
                        "differences": [
                            {"what": one.what, "expected": one.expected, "got": one.got} for one in failure.differences
                        ],
                    }
                    for failure in verdict.failures
                ],
            }
            for verdict in played.verdicts
        ],
    }
