"""Law 4: compiled ≡ reference interpreter ≡ indexed or not, for effect, rules, errors and obligations.

And ≡ the oracle, which shares nothing with either: on drawn policies, requests and runs. A failure shows the smallest
policy that still fails.
"""

from __future__ import annotations

import random
from collections import Counter
from functools import partial
from typing import Any

import pytest

from policy_engine import PolicyError, Request
from tests.oracle.compare import CASES, asked, clock, outline, past, smallest, twin, whole
from tests.oracle.drawn import request
from tests.oracle.functions import NotCovered
from tests.oracle.policies import Drawn, drawn

REQUESTS = 12
"""Requests for each drawn policy: every third one in a run."""
PARTS = 4
"""The work is cut in so many tests, so that workers can share it."""
WORTH = {
    "allow": 0.1, "deny": 0.1, "escalate": 0.03, "asked the oracle": 0.9, "misfit": 0.03, "unknown_tool": 0.003,
    "no_such_field": 0.01, "no_such_overload": 0.005, "overflow": 0.001, "divide_by_zero": 0.0005,
}  # fmt: skip
"""The least share of drawn cases that must come to an effect or a kind of error: comparing denies alone proves little."""


def disagreements(policy: Drawn, seed: int, seen: Counter[str] | None = None) -> list[tuple[Request, dict[str, Any]]]:
    """Each request on which two judges differ, with what they say. `seen` counts effects, kinds of errors, and the oracle."""
    seen = Counter() if seen is None else seen
    engine = policy.load(clock=clock)
    interpreter, decider = twin(engine), policy.decider()
    draw = random.Random(seed)
    found = []
    for number in range(REQUESTS):
        one, before = request(draw, policy.shaped), past(draw)
        run = before.run(engine) if number % 3 == 0 else None
        history = before.history(run) if run is not None else None
        decision, reference = engine.decide(one, run=run), interpreter.decide(one, run=run)
        seen.update((decision.effect, *(error.kind for error in decision.errors), "decided"))
        if whole(decision) != whole(reference):
            found.append((one, differing(whole(decision), whole(reference))))
        try:
            expected = asked(decider, one, history)
            seen["asked the oracle"] += 1
        except NotCovered:
            continue
        if outline(decision) != expected:
            found.append((one, differing(outline(decision), expected)))
    return found


def differing(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Only what differs."""
    return {key: (left[key], right[key]) for key in left if left[key] != right[key]}


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_compiled_interpreted_and_naive_decisions_are_the_same(part: int) -> None:
    """Effect, rules, errors, observed, obligations, degradation and arguments; words, too, where no oracle is needed."""
    wanted, cases, refused, seed = CASES // PARTS, 0, 0, part
    seen: Counter[str] = Counter()
    while cases < wanted:
        policy = drawn(seed)
        try:
            found = disagreements(policy, seed, seen)
        except PolicyError:
            refused += 1
        else:
            cases += REQUESTS
            if found:
                small = smallest(policy, partial(disagreements, seed=seed))
                one, what = disagreements(small, seed)[0]
                texts = "\n".join(f"--- {name}\n{text}" for name, text in small.files.items())
                pytest.fail(f"seed {seed}: {what}\n{one}\n{texts}\nparams {small.params}")
        seed += PARTS
    assert {kind for kind in WORTH if seen[kind] < WORTH[kind] * seen["decided"]} == set(), seen
    assert refused < cases / REQUESTS, "most drawn policies are refused: the properties lose their worth"
