"""`policy audit compare`: two sets of runs side by side, the regression test of a new prompt, model or policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer

from policy_engine.audit.metrics.comparing import Pair, Side, pairs
from policy_engine.audit.metrics.drift import Compared, Unit, bounds_of, compared
from policy_engine.audit.metrics.grouping import FIELDS, RunFields
from policy_engine.cli import terminal
from policy_engine.cli.audit_records import LogArgument, records_of
from policy_engine.cli.exits import FINDINGS, stop
from policy_engine.cli.options import Format, FormatOption
from policy_engine.cli.tables import duration, percent, table
from policy_engine.cli.terminal import safe, styled

MOST_SHOWN: Final = 20
_BY: Final = tuple(name for name in FIELDS if name != "task")
_Names: TypeAlias = tuple[str, str]
_Both: TypeAlias = tuple[Side, Side]
_Changed: TypeAlias = list[tuple[Pair, list[str]]]


def compare(
    file: LogArgument,
    file2: Annotated[Path | None, typer.Argument(metavar="[FILE2]", help="The second set, where it is a log of its own.")] = None,
    by: Annotated[str | None, typer.Option("--by", help=f"What tells the sets apart: {', '.join(_BY)}.")] = None,
    a: Annotated[str | None, typer.Option("--a", help="The first set: a value of what `--by` names.")] = None,
    b: Annotated[str | None, typer.Option("--b", help="The second set.")] = None,
    drift: Annotated[
        str | None, typer.Option("--drift", help="How much worse the second may be: completion=2%,coherence=0.05,p99=20%.")
    ] = None,
    form: FormatOption = Format.text,
) -> None:
    """Put two sets of runs side by side; exit 1 where the second is worse than `--drift` allows.

    \b
    Examples:
      policy audit compare state.db --by agent.model --a m-1 --b m-2 --drift completion=2%,coherence=0.05
      policy audit compare before.jsonl after.jsonl --drift success=1%,changed=10%
    """
    bounds = _bounds(drift)
    names, (one, other) = _sets(file, file2, by, a, b)
    found = list(pairs(one, other))
    rows = compared(one, other, found, bounds)
    changed = [(pair, changes) for pair in found if (changes := pair.changes())]
    if form is Format.json:
        terminal.say(json.dumps(_data(names, (one, other), rows, found, changed), indent=2))
    else:
        terminal.say("\n".join(_page(names, (one, other), rows, found, changed)))
    if any(row.drifted for row in rows):
        raise typer.Exit(FINDINGS)


def _bounds(drift: str | None) -> dict[str, float]:
    if drift is None:
        return {}
    try:
        return bounds_of(drift)
    except ValueError as fault:
        stop(f"`--drift {drift}`: {fault}", suggestion="--drift completion=2%,coherence=0.05,p99=20%")


def _sets(file: Path, file2: Path | None, by: str | None, a: str | None, b: str | None) -> tuple[_Names, _Both]:
    """Names and metrics of both sets. Two files need no `--by`; one file needs it, and its sets are named or only two."""
    if by is not None and by not in _BY:
        stop(f"`--by {by}` is not known", suggestion=f"--by {_BY[0]}, or one of {', '.join(_BY[1:])}")
    if by is None and (a is not None or b is not None):
        stop("`--a` and `--b` are values of what `--by` names", suggestion="--by agent.model")
    if file2 is not None:
        names = (a or str(file), b or str(file2))
        return names, (_only(_sides(file, by), a, file), _only(_sides(file2, by), b, file2))
    if by is None:
        stop("one file holds two sets only where `--by` tells them apart", suggestion="--by agent.model, or a second file")
    sides = _sides(file, by)
    if (a is None or b is None) and len(sides) != 2:
        stop(f"{file} has {len(sides)} sets by {by}: {_listed(sides)}", suggestion=f"--by {by} --a ONE --b OTHER")
    others = [name for name in sides if name not in (a, b)]
    first = a if a is not None else others.pop(0)
    second = b if b is not None else others.pop(0)
    return (first, second), (_only(sides, first, file), _only(sides, second, file))


def _sides(file: Path, by: str | None) -> dict[str, Side]:
    """The sets of a file by name, in the order in which they began."""
    fields = None if by is None else RunFields(FIELDS[by])
    sides: dict[str, Side] = {}
    for record in records_of(file):
        if fields is None or record.run:  # the log's own records are of no run
            name = "" if fields is None else fields.group(record)
            sides.setdefault(name, Side()).add(record)
    return sides


def _only(sides: dict[str, Side], name: str | None, file: Path) -> Side:
    if name is None and len(sides) > 1:
        stop(f"{file} has {len(sides)} sets: {_listed(sides)}", suggestion="--a ONE --b OTHER, or no --by")
    side = next(iter(sides.values()), None) if name is None else sides.get(name)
    if side is None or not side.rows():
        stop(f"{file} has no runs" + ("" if name is None else f" of `{name}`; it has {_listed(sides) or 'none'}"))
    return side


def _listed(sides: dict[str, Side]) -> str:
    return ", ".join(f"`{name}`" for name in list(sides)[:10])


# ------------------------------------------------------------------ showing
def _page(names: _Names, sides: _Both, rows: list[Compared], found: list[Pair], changed: _Changed) -> list[str]:
    head = ("", safe(names[0]), safe(names[1]), "change", "allowed", "")
    runs = ("runs", str(len(sides[0].rows())), str(len(sides[1].rows())), "", "", "")
    lines = table([head, runs, *map(_cells, rows)], indent="")
    lines = [styled("bad", line) if line.endswith("drift") else line for line in lines]
    lines += ["", f"{len(changed)} of {len(found)} paired runs changed"]
    for pair, changes in changed[:MOST_SHOWN]:
        lines.append(f"  {safe(pair.a.key)}: {safe('; '.join(changes))}")
    if len(changed) > MOST_SHOWN:
        lines.append(f"  … and {len(changed) - MOST_SHOWN} more; --format json has all")
    return lines


def _cells(row: Compared) -> tuple[str, ...]:
    change = row.b - row.a if row.a is not None and row.b is not None else None
    shown = "–"
    if change is not None and row.relative:
        shown = f"{change / row.a:+.0%}".replace("%", " %") if row.a else ("–" if not change else "new")
    elif change is not None:
        shown = f"{change * 100:+.1f} points" if row.unit == "share" else f"{change:+.2f}"
    points = row.unit == "share" or row.relative
    allowed = "" if row.allowed is None else (percent(row.allowed) if points else f"{row.allowed:.2f}")
    return row.name, _told(row.a, row.unit), _told(row.b, row.unit), shown, allowed, "drift" if row.drifted else ""


def _told(value: float | None, unit: Unit) -> str:
    if value is None:
        return "–"
    match unit:
        case "share":
            return percent(value)
        case "seconds":
            return duration(value * 1e9)
        case "score":
            return f"{value:.2f}"
        case "number":
            return f"{value:.4g}"


def _data(names: _Names, sides: _Both, rows: list[Compared], found: list[Pair], changed: _Changed) -> dict[str, Any]:
    return {
        "a": {"name": names[0], "runs": len(sides[0].rows()), "stats": sides[0].stats.result()},
        "b": {"name": names[1], "runs": len(sides[1].rows()), "stats": sides[1].stats.result()},
        "measures": [
            {"name": row.name, "unit": row.unit, "a": row.a, "b": row.b, "worse": _finite(row.worse), "allowed": row.allowed,
             "drift": row.drifted}
            for row in rows
        ],
        "paired": len(found),
        "changed": [{"key": pair.a.key, "a": pair.a.run, "b": pair.b.run, "changes": changes} for pair, changes in changed],
        "drift": any(row.drifted for row in rows),
    }  # fmt: skip


def _finite(value: float | None) -> float | None:
    """JSON has no infinity: what grew from nothing is told by its values."""
    return None if value is None or value == float("inf") else value
