"""`policy audit verify`: whether a log, or an export of one, is as it was kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from policy_engine.audit.exporting import NotAnExport, verified, verified_ledger
from policy_engine.audit.signing import Verifier
from policy_engine.audit.verifying import Report
from policy_engine.cli import terminal
from policy_engine.cli.audit_keys import verifier, witnessed
from policy_engine.cli.audit_records import LogArgument, is_store, ledger_at
from policy_engine.cli.exits import FINDINGS, stop
from policy_engine.cli.options import Format, FormatOption


def verify(
    file: LogArgument,
    from_export: Annotated[
        Path | None, typer.Option("--from-export", help="An export of this log: what it holds must still be there.")
    ] = None,
    witness: Annotated[Path | None, typer.Option("--witness", help="Checkpoints that were taken outside.")] = None,
    public_key: Annotated[Path | None, typer.Option("--public-key", help="Whose signatures count (PEM).")] = None,
    form: FormatOption = Format.text,
) -> None:
    """Follow the chain and say which records were changed, dropped, added or moved.

    \b
    Examples:
      policy audit verify state.db
      policy audit verify state.db --witness witness.jsonl --public-key audit.pub
      policy audit verify export.jsonl
    """
    public, statements = verifier(public_key), witnessed(witness)
    if is_store(file):
        also: dict[int, str] = {}
        if from_export is not None:
            report, also = _export(from_export, public, ())
            if report.faults:
                _tell(from_export, report, form)
        ledger = ledger_at(file)
        report = verified_ledger(ledger, public=public, witness=statements, also=also)
    else:
        report, _ = _export(file, public, statements)
    _tell(file, report, form)


def _export(path: Path, public: Verifier | None, statements: object) -> tuple[Report, dict[int, str]]:
    try:
        with path.open("rb") as lines:
            return verified(lines, public=public, witness=statements)  # type: ignore[arg-type]
    except NotAnExport as fault:
        stop(f"{path}: {fault}")
    except OSError as fault:
        stop(f"{path} cannot be read: {fault.strerror}")


def _tell(file: Path, report: Report, form: Format) -> None:
    """Print what came of it; ends the command where something is wrong."""
    if form is Format.json:
        terminal.say(json.dumps({
            "log": report.log, "records": report.records, "digest": report.digest, "signed": report.signed,
            "checkpoints": report.checkpoints, "erased": report.erased,
            "faults": [{"record": one.sequence, "name": one.name, "problem": one.problem} for one in report.faults],
        }, indent=2))  # fmt: skip
    else:
        for fault in report.faults:
            terminal.say(f"{terminal.styled('bad', 'fault')}  {terminal.safe(str(fault))}")
        terminal.say(terminal.safe(_summary(file, report)))
    if report.faults:
        raise typer.Exit(FINDINGS)


def _summary(file: Path, report: Report) -> str:
    if report.faults:
        return f"{file}: {len(report.faults)} {'fault' if len(report.faults) == 1 else 'faults'} in {_records(report)}"
    said = [f"{file}: {_records(report)}, all as they were kept"]
    if report.signed:
        said.append(f"signed up to record {report.signed}")
    elif report.checkpoints:
        said.append("signatures were not checked (--public-key)")
    else:
        said.append("no checkpoint: whoever can write this file could have written all of it anew")
    if report.erased:
        said.append(f"payloads of {report.erased} erased")
    return "; ".join(said)


def _records(report: Report) -> str:
    return f"{report.records:,} {'record' if report.records == 1 else 'records'}"
