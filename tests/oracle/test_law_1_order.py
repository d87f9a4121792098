"""Law 1: order, duplication and file layout of rules never change a decision."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from policy_engine import Decision, Policy, PolicyError, Request, Run
from tests.oracle.compare import CASES, clock, past, whole
from tests.oracle.drawn import request
from tests.oracle.policies import Drawn, drawn, with_text

RULES = ("allow", "deny", "escalate", "rewrite", "observe")
SEEDS = st.integers(0, 10**9)
FEW = settings(max_examples=max(60, CASES // 30), deadline=None)


def loaded(policy: Drawn) -> Policy | None:
    """The engine's policy; None where the checker refuses it."""
    try:
        return policy.load(clock=clock)
    except PolicyError:
        return None


def requests(policy: Drawn, engine: Policy, seed: int) -> Iterator[tuple[Request, Run | None]]:
    """Requests for a drawn policy, half of them in a run."""
    draw = random.Random(seed)
    for number in range(8):
        before = past(draw)
        yield request(draw, policy.shaped), before.run(engine) if number % 2 else None


def said(decision: Decision) -> dict[str, object]:
    """All that a decision says, but where in which file an error stands."""
    everything = whole(decision)
    return {**everything, "errors": sorted((error[0], error[1], error[2]) for error in everything["errors"])}


def assert_same(policy: Drawn, other: Drawn, seed: int) -> None:
    """Both decide every request alike."""
    one, two = loaded(policy), loaded(other)
    assert (one is None) == (two is None), "one of both does not load"
    if one is None or two is None:
        return
    for call, run in requests(policy, one, seed):
        assert said(one.decide(call, run=run)) == said(two.decide(call, run=run)), (policy.files, other.files, call)


@FEW
@given(seed=SEEDS)
def test_the_order_of_rules_and_declarations_does_not_matter(seed: int) -> None:
    """Each file's items in another order: the same decisions, to the word."""
    policy, draw = drawn(seed), random.Random(seed + 1)
    shuffled = {}
    for name, text in policy.files.items():
        head, *rest = text.splitlines(keepends=True)
        shuffled[name] = head + "".join(draw.sample(rest, len(rest)))
    assert_same(policy, replace(policy, files=shuffled), seed)


@FEW
@given(seed=SEEDS)
def test_the_layout_of_files_does_not_matter(seed: int) -> None:
    """Some rules moved into a file of the same layer: the same decisions, to the word."""
    policy, draw = drawn(seed), random.Random(seed + 2)
    head, *rest = policy.files["policy"].splitlines(keepends=True)
    moved = [line for line in rest if line.startswith((*RULES, "let", "group")) and draw.random() < 0.5]
    stay = [line for line in rest if line not in moved]
    main = head + 'use rules "moved.policy"\n' + "".join(stay)
    files = {**policy.files, "policy": main, "moved.policy": "policy main\n" + "".join(moved)}
    assert_same(policy, replace(policy, files=files), seed)


@FEW
@given(seed=SEEDS)
def test_saying_a_rule_twice_does_not_matter(seed: int) -> None:
    """A rule repeated under another name, anywhere: the same effect, arguments, and rules but for the new name."""
    policy, draw = drawn(seed, rewrites=False), random.Random(seed + 3)
    lines = policy.files["policy"].splitlines(keepends=True)
    chosen = draw.choice([line for line in lines if line.startswith(RULES)])
    words = chosen.split(" ")
    place = words.index("on") - 1
    twice = " ".join([*words[:place], f"{words[place]}-again", *words[place + 1 :]])
    other = with_text(policy, "policy", "".join(lines) + twice)
    one, two = loaded(policy), loaded(other)
    if one is None or two is None:
        return
    for call, run in requests(policy, one, seed):
        first, second = one.decide(call, run=run), two.decide(call, run=run)
        assert (first.effect, repr(first.args)) == (second.effect, repr(second.args)), (other.files, call)
        names = {rule.removesuffix("-again") for rule in second.rules}
        assert set(first.rules) == names, (other.files, call)


def test_a_rule_of_the_same_name_twice_does_not_load() -> None:
    """Two rules of one name could not be told apart in a decision."""
    rule = 'allow a on "t"\n'
    with pytest.raises(PolicyError):
        Drawn({"policy": f"policy p\n{rule}{rule}"}, (("policy",),), {}, False, False).load()
