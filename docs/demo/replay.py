"""Recorded agents against the banking rules, through `policy decide`: what is stopped, and whom it hinders.

Our own traces come with the ruleset; where `../shared` has AgentDojo's, those are replayed too. The recorded agent is
gullible: whatever it read, it did. *Stopped*: every side-effect call of the attack was refused or asked about.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from policy_engine import Policy, Request, load

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "rulesets" / "banking"
AGENTDOJO = ROOT.parent / "shared" / "data" / "agentdojo" / "banking"
REFUSED = ("deny", "escalate")


def show() -> None:
    """Print the table, a row for each set of traces."""
    head = f"{'traces':<24}{'attacks':>8}{'stopped':>9}{'silent':>8}{'tasks':>7}{'unhindered':>12}{'asked':>7}{'denied':>8}"
    print(f"{head}{'µs/decision':>13}")
    _row("our own", (RULES / "traces.jsonl").read_text(encoding="utf-8").splitlines())
    if AGENTDOJO.is_dir():
        _row("AgentDojo, open part", list(_agentdojo()))


def _row(name: str, lines: list[str]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.write("\n".join(lines))
        file.flush()
        command = [sys.executable, "-c", "from policy_engine.cli import main; main()", "decide", str(RULES / "banking.policy")]
        done = subprocess.run([*command, "--calls", file.name], capture_output=True, text=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode not in (0, 1) or len(answers) != len(lines):
        raise SystemExit(f"policy decide could not read the traces of {name}:\n{done.stderr}{done.stdout[-500:]}")
    runs: dict[str, list[tuple[dict[str, Any], str]]] = defaultdict(list)
    for line, answer in zip(map(json.loads, lines), answers, strict=True):
        if "tool" in line:
            runs[line["run"]].append((line, answer["effect"]))
    attacked = {run: calls for run, calls in runs.items() if any(_hostile(call) for call, _ in calls)}
    attacks = [[effect for call, effect in calls if _harmful(call)] for calls in attacked.values()]
    tasks = [[effect for _, effect in calls] for run, calls in runs.items() if run not in attacked]
    stopped = sum(all(effect in REFUSED for effect in effects) for effects in attacks)
    silent = sum(
        not any(effect in REFUSED for call, effect in calls if _hostile(call)) for calls in attacked.values()
    )
    denied = sum("deny" in effects for effects in tasks)
    asked = sum("escalate" in effects and "deny" not in effects for effects in tasks)
    micros = _micros(load(RULES / "banking.policy"), [call for calls in runs.values() for call, _ in calls])
    print(
        f"{name:<24}{len(attacks):>8}{_share(stopped, attacks):>9}{silent:>8}{len(tasks):>7}"
        f"{_share(len(tasks) - asked - denied, tasks):>12}{asked:>7}{denied:>8}{micros:>13.0f}"
    )


def _hostile(call: dict[str, Any]) -> bool:
    return call.get("origin") == "attack"


def _harmful(call: dict[str, Any]) -> bool:
    """A call of the attack that changes something; reading alone does no harm at a bank of one's own."""
    return _hostile(call) and not call["tool"].startswith(("get_", "read_"))


def _share(part: int, whole: list[Any]) -> str:
    return f"{100 * part / len(whole):.0f} %" if whole else "-"


def _micros(policy: Policy, calls: Iterable[dict[str, Any]]) -> float:
    """Microseconds of the middle decision, history left out."""
    times = []
    for call in calls:
        request = Request(tool=call["tool"], args=call["args"])
        run = policy.run(input="")
        begun = time.perf_counter()
        policy.decide(request, run=run)
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1e6


def _agentdojo() -> Iterable[str]:
    """AgentDojo's benign tasks and attacked ones as lines for `policy decide`."""
    for file in ("user_tasks.jsonl", "security_cases.jsonl"):
        for number, text in enumerate((AGENTDOJO / file).read_text(encoding="utf-8").splitlines()):
            trace = json.loads(text)
            run = f"{file} {number}"
            yield json.dumps({"run": run, "input": trace["prompt"]})
            for index, event in enumerate(trace["events"]):
                mark = "attack" if event["origin"] == "attack" else "user"
                named = {"run": run, "call": str(index)}
                yield json.dumps({**named, "tool": event["tool"], "args": event["args"], "origin": mark})
                if event["error"] is not None:
                    yield json.dumps({**named, "error": event["error"]})
                else:
                    yield json.dumps({**named, "result": event["output_json"]})
