"""`policy audit stats`: every metric of `docs/metrics.md`, from the records alone."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from policy_engine.audit.metrics.grouping import BY, grouped
from policy_engine.audit.metrics.stats import Stats
from policy_engine.audit.metrics.told import Told
from policy_engine.cli import terminal
from policy_engine.cli.audit_records import LogArgument, records_of
from policy_engine.cli.exits import stop
from policy_engine.cli.metrics_page import groups_page, page
from policy_engine.cli.options import Format, FormatOption

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_AGO: Final = re.compile(r"(\d{1,9})([smhd])")


def stats(
    file: LogArgument,
    run: Annotated[str | None, typer.Option("--run", help="Only this run.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only from then on: 24h, 30d, or 2026-05-01T08:00Z.")] = None,
    by: Annotated[str | None, typer.Option("--by", help=f"One line for each: {', '.join(BY)}.")] = None,
    form: FormatOption = Format.text,
) -> None:
    """Tell how runs went: completion, success, refusals, coherence, latency, cost.

    \b
    Examples:
      policy audit stats state.db --since 24h
      policy audit stats export.jsonl --by agent.model
    """
    if by is not None and by not in BY:
        stop(f"`--by {by}` is not known", suggestion=f"--by {BY[0]}, or one of {', '.join(BY[1:])}")
    chosen = _chosen(file, run, None if since is None else _moment(since))
    if by is None:
        counted = Stats().add_all(chosen)
        told, lines = counted.result(), page(counted)
    else:
        groups = grouped(chosen, by)
        told, lines = {"by": by, "groups": {name: one.result() for name, one in groups.items()}}, groups_page(by, groups)
    if run is not None and not (told["groups"] if by else told["records"]["count"]):
        stop(f"{file} has no records of the run `{run}`" + (f" since {since}" if since else ""))
    terminal.say(json.dumps(told, indent=2) if form is Format.json else "\n".join(lines))


def _chosen(file: Path, run: str | None, since: int | None) -> Iterator[Told]:
    for record in records_of(file):
        if (run is None or record.run == run) and (since is None or record.at >= since):
            yield record


def _moment(text: str) -> int:
    """Nanoseconds since the epoch."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return time.time_ns() - int(ago[1]) * _UNITS[ago[2]] * 1_000_000_000
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        stop(f"`--since {text}` is no time", suggestion="--since 24h, or --since 2026-05-01T08:00Z")
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1e9)
