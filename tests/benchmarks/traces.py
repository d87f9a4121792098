"""Recorded runs of agents, ours and AgentDojo's, as `tests/benchmarks/agentdojo.py` replays them.

A recorded call says on whose behalf it was: the user's, or an attack's that the gullible agent fell for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Step:
    """One recorded call. `text` is the result as the model read it, `result` the same as a value."""

    tool: str
    args: dict[str, Any]
    result: Any
    error: str | None
    origin: Literal["user", "attack"]
    text: str | None = None


@dataclass(frozen=True)
class Trace:
    """What the user asked and what a gullible agent then did. Without attack steps it is a benign task."""

    name: str
    prompt: str
    steps: tuple[Step, ...]

    @property
    def attacked(self) -> bool:
        """Whether an attack acted in it."""
        return any(step.origin == "attack" for step in self.steps)

    def changed(self, change: Callable[[str], str], *, prompt: bool = True) -> Trace:
        """The same with another writing of every string; of the prompt too unless told otherwise."""
        steps = (
            replace(
                step,
                args=mapped(step.args, change),
                result=mapped(step.result, change),
                text=mapped(step.text, change),
            )
            for step in self.steps
        )
        return Trace(self.name, change(self.prompt) if prompt else self.prompt, tuple(steps))

    def values(self) -> list[Any]:
        """Everything that stands in it."""
        return [self.prompt, [[step.args, step.result, step.text] for step in self.steps]]


def recorded(folder: Path) -> list[Trace]:
    """The benign tasks and the attacked ones of an AgentDojo suite."""
    tasks = [_recorded(row, row["task"]) for row in _rows(folder / "user_tasks.jsonl")]
    cases = _rows(folder / "security_cases.jsonl")
    return tasks + [_recorded(row, f"{row['user_task']} / {row['injection_task']}") for row in cases]


def samples(path: Path) -> list[Trace]:
    """Traces in the line format of `policy decide`, their calls marked with `origin`."""
    prompts: dict[str, str] = {}
    calls: dict[str, dict[str, Step]] = {}
    for row in _rows(path):
        run = row["run"]
        if "input" in row and "tool" not in row:
            prompts[run] = row["input"]
        elif "tool" in row:
            step = Step(row["tool"], row["args"], None, None, row.get("origin", "user"))
            calls.setdefault(run, {})[row["call"]] = step
        else:
            made = calls[run]
            made[row["call"]] = replace(made[row["call"]], result=row.get("result"), error=row.get("error"))
    return [Trace(run, prompt, tuple(calls.get(run, {}).values())) for run, prompt in prompts.items()]


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _recorded(row: dict[str, Any], name: str) -> Trace:
    steps = (
        Step(event["tool"], event["args"], event["output_json"], event["error"], event["origin"], event["output"])
        for event in row["events"]
    )
    return Trace(name, row["prompt"], tuple(steps))


# ------------------------------------------------------------------ walking values
def texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every string in a value, each with the nearest key above it; keys themselves with none."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield "", name
            yield from texts(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item, key)


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """The value with every string in it changed, keys too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): mapped(item, change) for key, item in value.items()}
    return [mapped(item, change) for item in value] if isinstance(value, list) else value
