"""What a rule weighs once it is loaded: `python -m tests.benchmarks.memory`. Exits 1 beyond 3 kB, 2 without `../shared`.

The difference between a policy of many rules and one of few, so that what the engine itself needs does not count.
Bytes are those still held after a collection, by whatever: policy, generated code, memos of the compiler.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from types import ModuleType
from typing import Any

from policy_engine import Request
from tests.benchmarks.peers import policy_of
from tests.benchmarks.ratio import load_workload

FEW, MANY = 500, 2_500
BAR = 3.0


def held(workload: ModuleType, size: int) -> tuple[int, int, Any]:
    """Bytes after loading, and after every tool has been asked about; with what holds them."""
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    decide = policy_of(workload, workload.make_rules(size))
    gc.collect()
    loaded = tracemalloc.get_traced_memory()[0] - before
    _ask(decide, workload, size)
    gc.collect()
    return loaded, tracemalloc.get_traced_memory()[0] - before, decide


def _ask(decide: Callable[[Request], Any], workload: ModuleType, size: int) -> None:
    first = workload.make_calls(size)[0]
    for number in range(size // 5):
        decide(Request(tool=f"tool_{number}", args=first["args"], principal=first["principal"], id="c"))


def main() -> int:
    """Print a line each for loaded and used."""
    workload = load_workload()
    held(workload, 50)  # what is imported and made once
    tracemalloc.start()
    few, many = held(workload, FEW), held(workload, MANY)
    fine = True
    for name, index in (("loaded", 0), ("after every tool was called", 1)):
        weight = (many[index] - few[index]) / (MANY - FEW) / 1_000
        fine &= weight <= BAR
        beyond = "" if weight <= BAR else "   BEYOND THE BAR"
        print(f"{'a rule of W(n), ' + name:58} {weight:9.2f} kB       bar {BAR:g}{beyond}", flush=True)
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main())
