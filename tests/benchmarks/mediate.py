"""A whole mediated call around an empty tool: `python -m tests.benchmarks.mediate` (`--profile` tells where the time goes).

One call of ours: its arguments are validated, two rules decide with principal and arguments, the decision record is made,
hash-chained and kept, the tool runs, its result is checked, and the outcome record is chained and kept, arguments and
result masked. `memory` keeps both in this process, `process` and `fsync` in SQLite, a transaction each.

Beside it the full stack of agent-os-kernel (`tests/benchmarks/agent_control.py` says what it does): its gateway and its kernel
with the same two conditions and its FlightRecorder, which chains hashes too: one that holds its writes back until there are
a hundred, and one that writes each to SQLite at once, which survives as much as our `process`. `hand` is a function that calls
the tool: the floor. Slices take turns; of their processor times the lower quartile counts, of waiting for a disk the wall.
The bar for each row of ours is half of the peer's at the same durability.

Then: what each stage takes, what the same call costs where other tools have limits, breakers and retries (nothing: a bar
of 1.1), or this one has, and a thousand async runs at once. Exits 1 beyond a bar.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from policy_engine import Mediator, Principal
from policy_engine.assembly.loading import loads
from policy_engine.runtime.mediation import pipeline
from tests.benchmarks.agent_control import peers

BAR: Final = 0.5
UNUSED_BAR: Final = 1.1
GUIDES: Final = {"memory": 25, "sqlite, process": 120}
"""Microseconds on a quiet machine: told, not judged."""
BESIDE: Final = (("memory", "all, held back"), ("sqlite, process", "all, each written"))
"""Rows of ours, and of the peer's full stack at the same durability."""
LESS: Final = (
    ("memory", "kernel, held back"), ("sqlite, process", "kernel, each written"), ("memory", "control plane, two lists"),
)  # fmt: skip
"""Beside parts of it, which do less than a mediated call: told, not judged."""
ROUNDS: Final = 31
SLICE: Final = 200
RUNS, CALLS_EACH = 1_000, 5
TOOLS: Final = """{"tools": [
  {"name": "refund", "inputSchema": {"type": "object", "additionalProperties": false, "required": ["id", "amount"],
    "properties": {"id": {"type": "string"}, "amount": {"type": "number"}}}},
  {"name": "other", "annotations": {"readOnlyHint": true}, "inputSchema": {"type": "object", "additionalProperties": true}}]}"""
POLICY: Final = """policy shop
use tools "tools.json" as crm
principal { id: string, role: string }
allow small on crm.refund when args.amount <= 100.0 && principal.role == "support"
deny never on crm.refund when args.id == "x"
"""
ON: Final = """
limit rate on {0} to 1000000 per 1m by principal.id
retry again on {0} up to 3 times backoff 10ms..50ms when error.retryable
breaker down on {0} open after 3 failures in 30s probe after 1m
"""
LIMIT: Final = "\nlimit rate on crm.refund to 1000000 per 1m by principal.id\n"
TIMEOUT: Final = "\ntimeout slow on crm.refund after 30s\n"
ARGS: Final = {"id": "a", "amount": 5.0}
WHO: Final = Principal(id="u1", role="support")

Clock = Callable[[], int]
Loop = Callable[[int, Clock], int]
"""Makes so many calls; nanoseconds by that clock."""


def empty(id: str, amount: float) -> None:
    """The tool."""


def mediated(store: str = "memory://", more: str = "", **options: Any) -> Loop:
    """A loop of mediated calls; every slice is a run, as an agent's work is."""
    mediator = Mediator(loads(POLICY + more, files={"tools.json": TOOLS}), store, **options)

    def loop(count: int, clock: Clock) -> int:
        with mediator.run(principal=WHO, agent="a") as run:
            call, begun = run.call, clock()
            for _ in range(count):
                call("crm.refund", ARGS, execute=empty)
            return clock() - begun

    return loop


def hand(count: int, clock: Clock) -> int:
    """The floor: nothing but the tool."""
    begun = clock()
    for _ in range(count):
        empty(**ARGS)  # type: ignore[arg-type]
    return clock() - begun


def timed(loops: dict[str, Loop], rounds: int, clock: Clock) -> dict[str, float]:
    """Microseconds a call of each, by the lower quartile of slices that take turns."""
    times: dict[str, list[float]] = {name: [] for name in loops}
    names = list(loops)
    for loop in loops.values():
        loop(SLICE, clock)
    gc.collect()
    gc.freeze()
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            loops[name](SLICE // 10, clock)
            times[name].append(loops[name](SLICE, clock) / SLICE / 1_000)
    gc.unfreeze()
    return {name: statistics.quantiles(found, n=4)[0] for name, found in times.items()}


# ------------------------------------------------------------------ beside the peer
def beside_the_peer(folder: Path, rounds: int) -> bool:
    """The rows of the same durability, in one run. Whether all are within the bar."""
    ours: dict[str, Loop] = {
        "memory": mediated(), "memory again": mediated(),
        "sqlite, process": mediated(f"sqlite:///{folder}/process.db"),
    }  # fmt: skip
    others = peers(folder, "refund", empty, ARGS)
    micros = timed({"hand": hand, **ours, **others}, rounds, time.process_time_ns)
    print(f"{'hand-written, nothing but the tool':<56}{micros['hand']:8.2f} µs")
    again = micros["memory again"]
    print(f"{'memory again (A/A)':<56}{again:8.1f} µs   ratio {again / micros['memory']:.2f}")
    fine = True
    for name, peer in (*BESIDE, *LESS):
        if peer not in micros:
            print(f"{name:<56}{micros[name]:8.1f} µs   agent-os-kernel is not installed")
            continue
        ratio = micros[name] / micros[peer]
        bar = f"(bar {BAR:g}){_mark(ratio <= BAR)}" if (name, peer) in BESIDE else "(does less: told, not judged)"
        fine &= ratio <= BAR or (name, peer) in LESS
        print(f"{f'{name}, beside {peer}':<56}{micros[name]:8.1f} µs of {micros[peer]:6.1f} µs   ratio {ratio:.2f} {bar}")
    print(f"guides, on a quiet machine: {', '.join(f'{name} {most} µs' for name, most in GUIDES.items())}")
    return fine


def waiting(folder: Path, rounds: int) -> None:
    """What a call waits, disk included: wall time, the durabilities side by side."""
    loops = {
        "sqlite, process": mediated(f"sqlite:///{folder}/waits.db"),
        "sqlite, fsync": mediated(f"sqlite:///{folder}/fsync.db", durability="fsync"),
    }
    for name, micros in timed(loops, rounds, time.perf_counter_ns).items():
        print(f"{name + ', wall':<38}{micros:9.1f} µs")


# ------------------------------------------------------------------ what is not used, and what is
def options(rounds: int) -> bool:
    """The same call with one thing more each. Whether what other tools use costs this one nothing."""
    unused = "limits, retries, breakers of another tool"
    loops = {
        "nothing more": mediated(), "nothing more, again (A/A)": mediated(), unused: mediated(more=ON.format("crm.other")),
        "a rate limit": mediated(more=LIMIT), "a limit, retries, a breaker": mediated(more=ON.format("crm.refund")),
        "a timeout (a thread)": mediated(more=TIMEOUT), "payloads as digests": mediated(payloads="digests"),
    }  # fmt: skip
    micros = timed(loops, rounds, time.process_time_ns)
    fine = True
    for name, one in micros.items():
        ratio = one / micros["nothing more"]
        bar = f" (bar {UNUSED_BAR:g}){_mark(ratio <= UNUSED_BAR)}" if name == unused else ""
        fine &= name != unused or ratio <= UNUSED_BAR
        print(f"{name:<44}{one:9.1f} µs   ratio {ratio:.2f}{bar}")
    return fine


def _mark(fine: bool) -> str:
    return "" if fine else "   BEYOND ITS BAR"


# ------------------------------------------------------------------ stages
@contextmanager
def watched(spent: dict[str, list[int]]) -> Iterator[None]:
    """Stages that tell what they take, the time that the tool has left out."""
    free, stages = pipeline.FREE, pipeline.STAGES

    def wrapped(stage: Any) -> Any:
        times = spent.setdefault(stage.__name__, [])

        def watching(call: Any) -> Any:
            begun = time.perf_counter_ns()
            flow = stage(call)
            times.append(time.perf_counter_ns() - begun)
            return None if flow is None else _flowing(flow, times)

        return watching

    pipeline.FREE, pipeline.STAGES = tuple(map(wrapped, free)), tuple(map(wrapped, stages))  # type: ignore[misc]
    try:
        yield
    finally:
        pipeline.FREE, pipeline.STAGES = free, stages  # type: ignore[misc]


def _flowing(flow: Any, times: list[int]) -> Iterator[Any]:
    answer: Any = None
    while True:
        begun = time.perf_counter_ns()
        try:
            effect = flow.send(answer)
        except StopIteration:
            times[-1] += time.perf_counter_ns() - begun
            return
        times[-1] += time.perf_counter_ns() - begun
        answer = yield effect


def shares(store: str, count: int) -> None:
    """What each stage takes of a call, by medians; the rest is making the call and driving it."""
    loop = mediated(store)
    total = timed({store: loop}, ROUNDS // 3, time.process_time_ns)[store]
    spent: dict[str, list[int]] = {}
    with watched(spent):
        loop(count, time.perf_counter_ns)
    medians = {name: statistics.median(times) / 1_000 for name, times in spent.items() if times}
    medians["the rest"] = max(0.0, total - sum(medians.values()))
    print(f"stages, {store.partition(':')[0]}")
    for name, micros in medians.items():
        print(f"  {name:<20}{micros:9.1f} µs{micros / sum(medians.values()):7.0%}")


# ------------------------------------------------------------------ a thousand at once
async def _thousand(store: str) -> tuple[list[float], float]:
    mediator = Mediator(loads(POLICY, files={"tools.json": TOOLS}), store)
    waits: list[float] = []

    async def tool(id: str, amount: float) -> None:
        await asyncio.sleep(0.01)

    async def agent(number: int) -> None:
        async with mediator.run(principal=WHO, agent="a", id=f"run-{number}") as run:
            for _ in range(CALLS_EACH):
                begun = time.perf_counter()
                await run.call("crm.refund", ARGS, execute=tool)
                waits.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*map(agent, range(RUNS)))
    whole = time.perf_counter() - begun
    mediator.close()
    return waits, whole


def at_once(store: str) -> None:
    """A thousand async runs, five calls each of a tool that waits ten milliseconds."""
    waits, whole = asyncio.run(_thousand(store))
    cuts = statistics.quantiles(waits, n=100)
    print(
        f"{RUNS:,} async runs, {store.partition(':')[0]}: p50 {cuts[49] * 1e3:.0f} ms, p99 {cuts[98] * 1e3:.0f} ms a call,"
        f" {len(waits) / whole:,.0f} calls a second"
    )


def main(arguments: Sequence[str]) -> int:
    """Measure, print, compare with the bars."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--short", action="store_true", help="only the rows beside the peer, and the options")
    chosen = parser.parse_args(arguments)
    if chosen.profile:
        loop = mediated()
        loop(500, time.perf_counter_ns)
        profile = cProfile.Profile()
        profile.runcall(loop, 5_000, time.perf_counter_ns)
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        fine = beside_the_peer(Path(folder), chosen.rounds)
        fine &= options(chosen.rounds)
        if not chosen.short:
            waiting(Path(folder), max(3, chosen.rounds // 4))
            shares("memory://", 2_000)
            shares(f"sqlite:///{folder}/shares.db", 2_000)
            at_once("memory://")
            at_once(f"sqlite:///{folder}/runs.db")
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
