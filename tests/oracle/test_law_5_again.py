"""Law 5: the same policy, request and history give the same decision: any recorded decision can be re-executed later.

In the same process, in a policy loaded anew, and in other processes whose sets and dicts are ordered otherwise.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from policy_engine import PolicyError
from tests.oracle.compare import CASES, clock, past, whole
from tests.oracle.drawn import request
from tests.oracle.policies import drawn

ROOT = Path(__file__).resolve().parents[2]
POLICIES = max(40, CASES // 50)


def decisions(first: int, policies: int) -> Iterator[str]:
    """One line for each drawn decision: a digest of the policy, and everything the decision says."""
    for seed in range(first, first + policies):
        policy = drawn(seed)
        try:
            engine = policy.load(clock=clock)
        except PolicyError as refused:
            yield "; ".join(str(diagnostic) for diagnostic in refused.diagnostics)
            continue
        draw = random.Random(seed)
        for number in range(6):
            call, before = request(draw, policy.shaped), past(draw)
            decision = engine.decide(call, run=before.run(engine) if number % 2 else None)
            yield f"{engine.digest} {whole(decision)}"


def fingerprint(first: int, policies: int) -> str:
    """All those lines in one digest."""
    return hashlib.sha256("\n".join(decisions(first, policies)).encode("utf-8", "surrogatepass")).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("order", ["0", "1", "4711"])
def test_another_process_decides_the_same(order: str) -> None:
    """Effect, rules, reason, detail, hint, errors, digests of asks: nothing depends on how Python orders its sets."""
    code = f"from tests.oracle.test_law_5_again import fingerprint; print(fingerprint(7_000, {POLICIES}))"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONHASHSEED": order},
    )  # fmt: skip
    assert told.stdout.strip() == fingerprint(7_000, POLICIES)


def test_asking_again_changes_nothing() -> None:
    """One policy asked twice, in another order, and its words read in another order or late: the same answers."""
    for seed in range(8_000, 8_000 + POLICIES):
        policy = drawn(seed)
        try:
            engine, anew = policy.load(clock=clock), policy.load(clock=clock)
        except PolicyError:
            continue
        draw = random.Random(seed)
        calls = [request(draw, policy.shaped) for _ in range(8)]
        story = past(draw)
        run, same = story.run(engine), story.run(anew)
        late = [engine.decide(call, run=run) for call in calls]
        again = {index: whole(anew.decide(calls[index], run=same)) for index in reversed(range(len(calls)))}
        assert [whole(decision) for decision in late] == [again[index] for index in range(len(calls))]
