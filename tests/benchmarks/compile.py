"""How long compiling takes: `python -m tests.benchmarks.compile [n]`.

A policy of n rules over n/5 tools, conditions drawn as in `ratio`, and one of n rules on one tool, from text to a policy
that has decided once, nothing kept from earlier; in seconds of the processor, so that neighbours do not count. Exits 1
when 1,000 rules take more than 2 s. `--profile` tells where.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Final

BAR_SECONDS: Final = 2.0
KINDS: Final = (
    'principal.role == "admin" && args.amount <= {0}',
    'args.path.startsWith("/srv/team{0}/") && args.amount < {1}',
    'args.account == "acct-{0}"',
    '!args.to.endsWith("@corp{0}.com")',
    'args.tags.exists(t, t in ["secret", "tag{0}"])',
)


def many_tools(n: int) -> str:
    """n rules over n/5 tools."""
    return _policy(n, lambda i: f"t{i % max(1, n // 5)}.act")


def one_tool(n: int) -> str:
    """n rules on one tool."""
    return _policy(n, lambda i: "t0.act")


def _policy(n: int, tool: object) -> str:
    lines = ["policy bench", "default deny"]
    for i in range(n):
        kind = "allow" if i % 5 < 2 else "deny"
        condition = KINDS[i % len(KINDS)].format(i, i * 7 % 9000)
        lines.append(f"{kind} r{i} on {tool(i)} when {condition}\n  because \"rule {i}\"")  # type: ignore[operator]
    return "\n".join(lines)


SHAPES: Final = {"many tools": many_tools, "one tool": one_tool}


def cold(shape: str, n: int, profiled: bool) -> float:
    """Processor seconds from the text to the first decision, in this process."""
    from policy_engine import Request
    from policy_engine.assembly.loading import loads

    text = SHAPES[shape](n)
    loads("policy warm\nallow a on t.x")  # the grammar's tables are made once a process
    profile = cProfile.Profile()
    if profiled:
        profile.enable()
    began = time.process_time()
    policy = loads(text)
    args = {"amount": 1, "path": "/x", "account": "a", "to": "b", "tags": ["c"]}
    policy.decide(Request(tool="t0.act", args=args, principal={"role": "admin"}))
    took = time.process_time() - began
    if profiled:
        profile.disable()
        pstats.Stats(profile).sort_stats("cumulative").print_stats(60)
    return took


def main(arguments: Sequence[str]) -> int:
    """Measure both shapes, each in fresh processes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rules", type=int, nargs="?", default=1_000)
    parser.add_argument("--shape", choices=SHAPES)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args(arguments)
    if options.shape:
        print(cold(options.shape, options.rules, options.profile))
        return 0
    fine = True
    for shape in SHAPES:
        command = [sys.executable, "-m", "tests.benchmarks.compile", str(options.rules), "--shape", shape]
        took = sorted(
            float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(3)
        )
        beyond = options.rules == 1_000 and took[1] > BAR_SECONDS
        fine = fine and not beyond
        print(
            f"{options.rules} rules, {shape:10}  {took[1]:.2f} s ({took[0]:.2f}-{took[2]:.2f}, three processes)"
            f"{'   BEYOND ITS BAR' if beyond else ''}",
            flush=True,
        )
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
