"""Law 4: compiled ≡ reference interpreter ≡ indexed or not, for effect, rules, errors and obligations.

And ≡ the oracle, which shares nothing with either: on drawn policies, requests and runs. A failure shows the smallest
policy that still fails.
"""

from __future__ import annotations

import random
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


def disagreements(policy: Drawn, seed: int) -> list[tuple[Request, dict[str, Any]]]:
    """Each request on which two judges differ, with what they say."""
    engine = policy.load(clock=clock)
    interpreter, decider = twin(engine), policy.decider()
    draw = random.Random(seed)
    found = []
    for number in range(REQUESTS):
        one, before = request(draw, policy.shaped), past(draw)
        run = before.run(engine) if number % 3 == 0 else None
        history = before.history(run) if run is not None else None
        decision, reference = engine.decide(one, run=run), interpreter.decide(one, run=run)
        if whole(decision) != whole(reference):
            found.append((one, differing(whole(decision), whole(reference))))
        try:
            expected = asked(decider, one, history)
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
    while cases < wanted:
        policy = drawn(seed)
        try:
            found = disagreements(policy, seed)
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
    assert refused < cases / REQUESTS, "most drawn policies are refused: the properties lose their worth"
