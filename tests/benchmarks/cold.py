"""One decision in a process of its own: `python -m tests.benchmarks.cold [--rounds N]`.

From start to exit, with a warm cache and the workload W(200): the lean entry, `policy decide`, and for comparison the full
engine with the cache and without, each in turn beside the bare interpreter (`python -I -S -c pass`), which is the unit;
a second bare one shows what the machine adds (A/A). Time is the processor's. Every answer is compared with the
full engine's. Exits 1 beyond a bar or for a wrong answer, 2 without `../shared`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.load import policy_text, tools_text
from tests.benchmarks.ratio import load_workload

ROOT: Final = Path(__file__).resolve().parents[2]
LEAN: Final = ROOT / "policy_engine" / "lean" / "__main__.py"
RULES: Final = 200
BARS: Final[Mapping[str, float]] = {"lean entry": 1.6, "policy decide": 3.0}
_MAIN: Final = "import re, sys; sys.argv[0] = 'policy'; from policy_engine.cli import main; sys.exit(main())"


def cpu_seconds(command: Sequence[str], line: bytes, environment: Mapping[str, str]) -> tuple[float, bytes]:
    """What a process took of the processor, and what it printed."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(line)
        given.seek(0)
        process = subprocess.Popen(command, stdin=given, stdout=said, stderr=subprocess.DEVNULL, env=environment)
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0  # it is waited for already
        said.seek(0)
        return usage.ru_utime + usage.ru_stime, said.read()


def commands(policy: Path) -> dict[str, tuple[list[str], dict[str, str]]]:
    """What is measured, by name, with what it changes in the environment."""
    bare = [sys.executable, "-I", "-S", "-c", "pass"]
    decide = ["decide", str(policy), "--calls", "-"]
    full = "import sys; sys.argv[0] = 'policy'; from policy_engine.cli.app import main; main()"
    return {
        "bare": (bare, {}),
        "bare again": (bare, {}),
        "lean entry": ([sys.executable, "-I", "-S", str(LEAN), str(policy)], {}),
        "policy decide": ([sys.executable, "-c", _MAIN, *decide], {}),
        "full engine": ([sys.executable, "-c", full, *decide], {}),
        "no cache": ([sys.executable, "-c", full, *decide], {"POLICY_CACHE": "off"}),
    }


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args(arguments).rounds
    workload = load_workload()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        policy = folder / "w.policy"
        policy.write_text(policy_text(workload, RULES))
        (folder / "w.tools.json").write_text(tools_text(RULES))
        rules, calls = workload.make_rules(RULES), workload.make_calls(RULES)
        call = calls[workload.expected(rules, calls).index("allow")]
        line = json.dumps({key: call[key] for key in ("tool", "args", "principal")}).encode()
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "POLICY_CACHE": str(folder / "cache"),
            "POLICY_CACHE_KEY": str(folder / "key" / "cache.key"),
        }  # fmt: skip
        return _measured(commands(policy), line, environment, rounds)


def _measured(rows: dict[str, Any], line: bytes, environment: dict[str, str], rounds: int) -> int:
    taken: dict[str, list[float]] = {name: [] for name in rows}
    answers: dict[str, set[bytes]] = {name: set() for name in rows}
    for number in range(rounds + 1):  # the first warms the cache and the disk
        for name, (command, changed) in rows.items():
            slow = name in ("full engine", "no cache")
            if slow and number > rounds // 3:
                continue
            seconds, said = cpu_seconds(command, line, {**environment, **changed})
            if number:
                taken[name].append(seconds)
                answers[name].add(said)
    beyond = 0
    for name, seconds_of in taken.items():
        ratio = statistics.median(one / unit for one, unit in zip(seconds_of, taken["bare"], strict=False))
        bar = f"  bar {BARS[name]:.1f}" if name in BARS else ""
        beyond += name in BARS and ratio > BARS[name]
        print(f"{name:<16}{1e3 * statistics.median(seconds_of):>9.1f} ms{ratio:>8.2f}×{bar}")
    right = answers["no cache"]
    wrong = [name for name in rows if not name.startswith("bare") and answers[name] != right]
    if wrong or b'"allow"' not in b"".join(right):
        print(f"wrong answers: {wrong or 'all'}")
    return 1 if beyond or wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
