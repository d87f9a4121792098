"""Loading from the cache, and again after a change: `python -m tests.benchmarks.load [--rules N]`.

The workload W(n) with the schemas of its tools. A load from the cache reads and proves the entry; the plans of the tools
are read when they are first used, so the row that touches every tool stands beside it. After one rule of 1,000 was
changed, the same process loads again, and then a process that has only imported the engine; both draw on what the
load before left in the cache, and must decide by the new text. Time is the processor's. Exits 1 beyond a bar, 2 without
`../shared`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from policy_engine import load
from policy_engine.semantics.linking import Linked
from tests.benchmarks.ratio import load_workload

BAR_CACHED_SECONDS: Final = 0.050
BAR_CHANGED_SECONDS: Final = 0.3
BAR_COLD_SECONDS: Final = 2.0
CHANGED_RULES: Final = 1_000
TIMES: Final = 5
_FRESH: Final = """
import json, sys, time
from policy_engine import load
begun = time.process_time()
policy = load(sys.argv[1])
print(json.dumps({"seconds": time.process_time() - begun, "digest": policy.digest}))
"""
_KINDS: Final = {"permit": "allow", "forbid": "deny"}
_ARGS: Final = {
    "account": {"type": "string"}, "amount": {"type": "integer"}, "path": {"type": "string"},
    "tags": {"type": "array", "items": {"type": "string"}}, "to": {"type": "string"},
}  # fmt: skip


def policy_text(workload: ModuleType, n: int) -> str:
    """W(n) as a policy."""
    lines = ["policy bench.w", 'use tools "w.tools.json"', "principal { id: string, role: string }"]
    for rule in workload.make_rules(n):
        lines.append(f"{_KINDS[rule['effect']]} {rule['id']} on {rule['tool']}\n  when {workload.cel(rule)}")
        lines.append(f'  because "policy {rule["id"]}"')
    return "\n".join(lines)


def tools_text(n: int) -> str:
    """The schemas of the tools of W(n)."""
    schema = {"type": "object", "properties": _ARGS, "required": sorted(_ARGS)}
    return json.dumps({"tools": [{"name": f"tool_{number}", "inputSchema": schema} for number in range(n // 5)]})


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the processor, and what came of it."""
    begun = time.process_time()
    made = act()
    return time.process_time() - begun, made


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rules", type=int, default=10_000)
    rules = parser.parse_args(arguments).rules
    workload = load_workload()
    with tempfile.TemporaryDirectory() as name:
        os.environ |= {"POLICY_CACHE": f"{name}/cache", "POLICY_CACHE_KEY": f"{name}/key/cache.key"}
        cold, changed = _changed(workload, Path(name))
        (Path(name) / "cached").mkdir()  # another policy: the first draws on nothing that lies there
        cached = _cached(workload, Path(name) / "cached", rules)
    rows = ((cold, BAR_COLD_SECONDS), *((one, BAR_CHANGED_SECONDS) for one in changed), (cached, BAR_CACHED_SECONDS))
    return int(any(seconds > bar for seconds, bar in rows))


def _written(workload: ModuleType, folder: Path, n: int) -> Path:
    path = folder / "w.policy"
    path.write_text(policy_text(workload, n))
    (folder / "w.tools.json").write_text(tools_text(n))
    return path


def _changed(workload: ModuleType, folder: Path) -> tuple[float, tuple[float, float]]:
    path = _written(workload, folder, CHANGED_RULES)
    text = path.read_text()
    cold, first = timed(lambda: load(path))
    print(f"{CHANGED_RULES} rules, first load    {cold:.3f} s  bar {BAR_COLD_SECONDS:.1f} s")
    same, other = [], []
    digests = {first.digest}
    for number in range(TIMES):
        _change(path, text, 2 * number)
        seconds, policy = timed(lambda: load(path))
        same.append(seconds)
        _change(path, text, 2 * number + 1)
        said = subprocess.run([sys.executable, "-c", _FRESH, str(path)], capture_output=True, check=True, text=True)
        fresh = json.loads(said.stdout)
        other.append(fresh["seconds"])
        digests |= {policy.digest, fresh["digest"]}
    assert len(digests) == 1 + 2 * TIMES, "a changed policy was not read"
    for medians, who in ((same, "one changed"), (other, "one changed, a new process")):
        changed = statistics.median(medians)
        print(f"{CHANGED_RULES} rules, {who}    {changed:.3f} s  bar {BAR_CHANGED_SECONDS:.1f} s")
        print(f"  beside the first load    {changed / cold:.2f}×")
    return cold, (statistics.median(same), statistics.median(other))


def _change(path: Path, text: str, number: int) -> None:
    path.write_text(text.replace("args.amount > 9000", f"args.amount > {9001 + number}", 1))


def _cached(workload: ModuleType, folder: Path, rules: int) -> float:
    path = _written(workload, folder, rules)
    compiled, _ = timed(lambda: load(path))
    taken, whole = [], []
    for _ in range(TIMES):
        seconds, policy = timed(lambda: load(path))
        assert isinstance(policy.compiled.constants, Linked), "the policy was compiled again"
        taken.append(seconds)
        whole.append(seconds + timed(lambda policy=policy: [policy.compiled.tools[tool] for tool in policy.tools])[0])
    cached = statistics.median(taken)
    print(f"{rules} rules, from the cache    {1e3 * cached:.1f} ms  bar {1e3 * BAR_CACHED_SECONDS:.0f} ms")
    print(f"  every tool used    {1e3 * statistics.median(whole):.1f} ms")
    print(f"  compiled    {compiled:.2f} s")
    print(f"  cached beside compiled    {cached / compiled:.4f}×")
    return cached


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
