"""What history costs as it grows: `python -m tests.benchmarks.history`. Exits 1 beyond 1.3x for any folding shape.

For each shape a decision and the event that follows it are timed after 10 and after 100,000 events, in turn in one run,
with nothing allowed to pile up in between. Sums and extremes over a window of time go through the calls in it, so both
sides have windows of ten. The
last lines are the scan, for comparison: up to its bound.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta

from policy_engine import Policy, Request
from policy_engine.assembly.loading import loads
from policy_engine.base.values import Timestamp, timestamp_of

BAR = 1.3
SHORT, LONG = 10, 100_000
ROUNDS, SLICE = 61, 40
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SHAPES = {
    "exists, flag": 'run.calls.exists(c, c.tool == "web.fetch" && c.args.page == 0)',
    "exists, key": 'run.calls.exists(c, c.tool == "crm.get" && c.args.id == args.id)',
    "exists, two keys": "run.calls.exists(c, c.args.id == args.id && c.args.page == args.page)",
    "exists, window": 'run.calls.exists(c, c.tool == "web.fetch" && now - c.at < duration("10s"))',
    "exists, rows of results (join)": "run.calls.exists(c, c.result.exists(r, r.id == args.id && r.n == args.page))",
    "all, of the call alone": 'run.calls.all(c, c.tool != "web.post")',
    "all, key": 'run.calls.all(c, c.tool != "web.one" || c.args.id == args.id)',
    "count": 'run.calls.filter(c, c.tool == "web.fetch").size() > 1000000',
    "count, key and window": 'run.calls.filter(c, c.args.page == args.page && now - c.at < duration("10m")).size() > 1000',
    "sum": 'run.calls.map(c, c.tool == "web.fetch", c.args.amount).sum(0.0) > 1.0e12',
    "max": "run.calls.map(c, c.args.amount).max() > 1.0e12",
    "min": "run.calls.map(c, c.args.amount).min() < -1.0e12",
    "last": 'run.calls.last(c, c.tool == "web.fetch").args.page > 1000',
    "last, key": "run.attempts.last(c, c.args.page == args.page).args.page > 1000",
    "since": 'run.calls.after(c, c.tool == "crm.get").exists(d, d.tool == "web.fetch" && d.args.id == args.id)',
    "sum, window of ten calls": 'run.calls.filter(c, now - c.at < duration("10s")).map(c, c.args.amount).sum() > 1.0e12',
}
TOOLS = ("web.fetch", "crm.get", "web.fetch", "mail.read")


class Side:
    """One policy and one run of it that grows."""

    def __init__(self, policy: Policy, events: int) -> None:
        self.policy, self.run, self.count = policy, policy.run(), 0
        for _ in range(events):
            self.event()

    def event(self) -> None:
        """A call that returned."""
        number = self.count
        self.count += 1
        args = {"id": f"u{number % 5_000}", "page": number % 7, "amount": 0.25 * (number % 11)}
        result = [{"id": f"r{number % 3_000}", "n": 1}]
        at = Timestamp(timestamp_of(BEGIN).nanos + number * 10**9)
        self.run.put_call(TOOLS[number % 4], args, "returned", at=at, result=result)

    def turn(self) -> float:
        """Microseconds of a decision and the event after it."""
        began = time.perf_counter_ns()
        for number in range(SLICE):
            at = BEGIN + timedelta(seconds=self.count)
            self.policy.decide(Request(tool="q.q", args={"id": f"none{number}", "page": 3}, at=at), run=self.run)
            self.event()
        return (time.perf_counter_ns() - began) / SLICE / 1e3


def fresh(policy: Policy, side: Side) -> Side:
    """A short run starts anew each time, so that it stays short."""
    del side
    return Side(policy, SHORT)


def policy_with(condition: str) -> Policy:
    """A policy with one rule."""
    tools = ", ".join(("q.q", "web.post", "web.one", *sorted(set(TOOLS))))
    return loads(f"policy p\nallow all on {tools}\ndeny r on q.q when {condition}")


def measured(name: str, condition: str) -> bool:
    """One line; whether the ratio is within the bar."""
    policy = policy_with(condition)
    plan = policy.compiled.folds
    if plan.scanned or not plan.folds:
        print(f"{name:34} DOES NOT FOLD: {plan.scanned}")
        return False
    short, long = Side(policy, SHORT), Side(policy, LONG)
    ratios, times = [], []
    for number in range(ROUNDS):
        pair = {}
        for which in ("short", "long") if number % 2 else ("long", "short"):
            if which == "short":
                short = fresh(policy, short)
            pair[which] = (short if which == "short" else long).turn()
        ratios.append(pair["long"] / pair["short"])
        times.append((pair["short"], pair["long"]))
    ratio = statistics.median(ratios)
    early, late = (statistics.median(column) for column in zip(*times, strict=True))
    fine = ratio <= BAR
    print(f"{name:34} {early:7.1f} us {late:7.1f} us   ratio {ratio:5.2f}{'' if fine else '   BEYOND THE BAR'}", flush=True)
    return fine


def scanned() -> None:
    """The scan, for comparison: a condition that does not fold."""
    policy = policy_with("run.calls.exists(c, c.args.page > args.page)")
    for events in (SHORT, 1_000, 9_000):
        side = Side(policy, events)
        print(f"{f'scan of {events:,} calls':34} {statistics.median(side.turn() for _ in range(3)):7.1f} us", flush=True)


def main() -> int:
    """Measure all shapes."""
    print(f"{'a decision and its event, after':34} {SHORT:7,}    {LONG:7,}")
    gc.collect()
    gc.freeze()
    outcomes = [measured(name, condition) for name, condition in SHAPES.items()]
    scanned()
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
