"""The metrics of a log as a page for people. Names in it are made safe here: tools and rules are what others wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from policy_engine.audit.metrics.stats import Stats
from policy_engine.cli.tables import bar, duration, named, percent, sparkline, table
from policy_engine.cli.terminal import safe, styled

MOST_ROWS: Final = 20
_SPARKS: Final = 12
_TITLE: Final = 12
_COLUMNS: Final = ("tasks", "completed", "calls", "returned", "refused", "asked", "coherence", "p50", "p99", "tokens", "cost")
_OF_TOOLS: Final = frozenset(("calls", "returned", "refused", "p50", "p99", "cost"))


def page(stats: Stats) -> list[str]:
    """All metrics, those that nothing happened in left out."""
    found = stats.result()
    return [_head(found), "", *_rates(found), *_chain(found), *_tools(found), *_decisions(found), *_stages(stats), *_rest(found)]


def groups_page(by: str, groups: Mapping[str, Stats]) -> list[str]:
    """One line a group. Tools have no tasks, no coherence, no questions and no tokens of their own."""
    columns = [column for column in _COLUMNS if by != "tool" or column in _OF_TOOLS]
    rows = [[by, *columns]]
    for name, stats in groups.items():
        cells = _cells(stats.result())
        rows.append([safe(name), *(cells[column] for column in columns)])
    return table(rows, indent="")


def _cells(found: Mapping[str, Any]) -> dict[str, str]:
    tool = found["latency"].get("tool", {})
    return {
        "tasks": str(found["completion"]["ended"]), "completed": percent(found["completion"]["rate"]),
        "calls": str(found["calls"]["ran"]), "returned": percent(found["calls"]["success"]),
        "refused": percent(found["refusals"]["rate"]), "asked": percent(found["escalations"]["rate"]),
        "coherence": _score(found["coherence"]["mean"]), "p50": duration(tool.get("p50")), "p99": duration(tool.get("p99")),
        "tokens": str(found["spending"]["tokens"]), "cost": f"{found['spending']['cost']:.6g}",
    }  # fmt: skip


def _head(found: Mapping[str, Any]) -> str:
    records = found["records"]
    if not records["count"]:
        return "no records"
    first, last = (datetime.fromtimestamp(records[end] / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S") for end in ("first", "last"))
    return f"{records['count']} records from {first} to {last} UTC"


def _line(title: str, text: str) -> str:
    return f"{styled('strong', title.ljust(_TITLE))} {text}"


def _rates(found: Mapping[str, Any]) -> Iterator[str]:
    tasks, calls, refused, asked = (found[name] for name in ("completion", "calls", "refusals", "escalations"))
    opened = f", {tasks['open']} open" if tasks["open"] else ""
    yield _rate("completed", tasks["rate"], f"{tasks['completed']} of {tasks['ended']} tasks{opened}", tasks["causes"])
    returned = calls["statuses"].get("returned", 0)
    yield _rate("returned", calls["success"], f"{returned} of {calls['ran']} calls", found["failures"]["classes"])
    yield _rate("refused", refused["rate"], f"{refused['calls']} calls, {refused['events']} events", refused["by_cause"])
    yield _rate("asked", asked["rate"], f"{asked['asked']} questions", asked["answers"])


def _rate(title: str, share: float | None, of: str, why: dict[str, int]) -> str:
    reasons = f": {safe(named(why))}" if why else ""
    return _line(title, f"{percent(share):>8}  {bar(share)}  {of}{reasons}")


def _chain(found: Mapping[str, Any]) -> Iterator[str]:
    chain = found["coherence"]
    faults = {name.replace("_", " "): count for name, count in chain["faults"].items()}
    told = f": {named(faults, 6)}" if faults else ""
    least = f", least {_score(chain['min'])}" if chain["runs"] else ""
    yield _line("coherence", f"{_score(chain['mean']):>8}  {bar(chain['mean'])}  {chain['runs']} runs{least}{told}")


def _score(score: float | None) -> str:
    return "–" if score is None else f"{score:.2f}"


def _tools(found: Mapping[str, Any]) -> Iterator[str]:
    rows = [("tool", "ran", "returned", "retries", "refused", "cost")]
    refused, retried = found["refusals"]["by_tool"], found["retries"]["by_tool"]
    ran, costs = found["calls"]["by_tool"], found["spending"]["cost_by_tool"]
    for tool in sorted({*ran, *refused}, key=lambda name: (-ran.get(name, {}).get("ran", 0), name)):
        one = ran.get(tool, {"ran": 0, "success": None})
        rows.append((safe(tool), str(one["ran"]), percent(one["success"]), str(retried.get(tool, 0)), str(refused.get(tool, 0)),
                     f"{costs.get(tool, 0):.6g}"))  # fmt: skip
    yield from _section(rows)


def _decisions(found: Mapping[str, Any]) -> Iterator[str]:
    phases = found["decisions"]["by_phase"]
    yield from _section([("decisions", "count", ""), *(
        (safe(phase), str(sum(effects.values())), safe(named(effects))) for phase, effects in phases.items()
    )])  # fmt: skip
    rules = sorted(found["decisions"]["by_rule"].items(), key=lambda item: (-sum(item[1].values()), item[0]))
    yield from _section([("rule", "decided", ""), *(
        (safe(rule), str(sum(effects.values())), safe(named(effects))) for rule, effects in rules
    )])  # fmt: skip


def _stages(stats: Stats) -> Iterator[str]:
    rows = [["stage", "count", "p50", "p90", "p99", "most", "spread"]]
    for stage, spread in stats.latency.stages().items():
        times = [duration(spread.percentile(percent)) for percent in (50, 90, 99)]
        picture = sparkline(spread.shape(_SPARKS)).ljust(_SPARKS)
        rows.append([safe(stage), str(spread.count), *times, duration(spread.most), picture])
    yield from _section(rows)


def _section(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if len(rows) < 2:
        return
    yield ""
    lines = table(rows[: MOST_ROWS + 1], indent="")
    yield styled("dim", lines[0])
    yield from lines[1:]
    if len(rows) > MOST_ROWS + 1:
        yield styled("dim", f"… and {len(rows) - MOST_ROWS - 1} more; --format json has all")


def _rest(found: Mapping[str, Any]) -> Iterator[str]:
    limits, breakers, leaks, asked = (found[name] for name in ("limits", "breakers", "leaks", "escalations"))
    retries, spent, decided = found["retries"], found["spending"], found["decisions"]
    again = f"{retries['retries']} in {retries['calls']} calls, of which {percent(retries['recovered'])} then returned"
    lines = (
        (asked["wait"]["count"], "waited", f"for people {duration(asked['wait']['p50'])}, 99 % {duration(asked['wait']['p99'])}"),
        (limits["refused"], "limits", f"refused {limits['refused']}: {safe(named(limits['by_rule']))}"),
        (breakers["opened"] + breakers["refused"], "breakers", f"opened {breakers['opened']}, refused {breakers['refused']}"),
        (retries["retries"], "retries", again),
        (leaks["abandoned"], "leaks", f"{leaks['abandoned']} calls abandoned, at most {leaks['most_at_once']} at once"),
        (found["failures"]["rules"], "errors", f"in conditions of {safe(named(found['failures']['rules']))}"),
        (decided["unenforced"], "observed", f"{decided['unenforced']} decisions were not enforced"),
        (spent["tokens"] or spent["cost"], "spent", f"{spent['tokens']} tokens, cost {spent['cost']:.6g}"),
    )  # fmt: skip
    told = [_line(title, text) for happened, title, text in lines if happened]
    yield from ["", *told] if told else []
