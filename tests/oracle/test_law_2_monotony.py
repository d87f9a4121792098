"""Law 2: for the same history, adding a `deny`, an `escalate`, or a layer without rewrites where another layer already
grants, or removing an `allow`, never makes any call more permitted.
"""

from __future__ import annotations

import random

from hypothesis import given, settings, strategies as st

from policy_engine import Policy, PolicyError
from tests.oracle.compare import CASES, clock, past
from tests.oracle.drawn import request
from tests.oracle.policies import COMMON, LETS, SHAPES, Drawn, Writer, drawn, with_text

RANK = {"deny": 0, "escalate": 1, "allow": 2}
SEEDS = st.integers(0, 10**9)
FEW = settings(max_examples=max(60, CASES // 30), deadline=None)


def loaded(policy: Drawn, **options: object) -> Policy | None:
    """The engine's policy; None where the checker refuses it."""
    try:
        return policy.load(clock=clock, **options)
    except PolicyError:
        return None


def assert_not_more(before: Policy | None, after: Policy | None, policy: Drawn, seed: int, what: str) -> None:
    """No drawn call is more permitted afterwards."""
    if before is None or after is None:
        return
    draw = random.Random(seed)
    for number in range(10):
        call, story = request(draw, policy.shaped), past(draw)
        was = before.decide(call, run=story.run(before) if number % 2 else None)
        now = after.decide(call, run=story.run(after) if number % 2 else None)
        assert RANK[now.effect] <= RANK[was.effect], f"{what}\n{policy.files}\n{call}: {was} became {now}"


@FEW
@given(seed=SEEDS)
def test_one_more_deny_or_escalate_never_permits_more(seed: int) -> None:
    """Whatever its condition, targets, ladder and errors."""
    policy = drawn(seed)
    draw = random.Random(seed + 1)
    rule = Writer(draw, policy.shaped, policy.run, "added", ("yes",)).rule((draw.choice(("deny", "escalate")),))
    name = draw.choice(sorted({"policy", *policy.files}))
    more = with_text(policy, name, policy.files[name] + rule)
    assert_not_more(loaded(policy), loaded(more), policy, seed, rule)


@FEW
@given(seed=SEEDS)
def test_one_allow_less_never_permits_more(seed: int) -> None:
    """Any allow of any layer may go."""
    policy, draw = drawn(seed), random.Random(seed + 2)
    name = draw.choice(sorted(policy.files))
    lines = policy.files[name].splitlines(keepends=True)
    allows = [line for line in lines if line.startswith("allow") and " base on " not in line]
    if not allows:
        return
    gone = draw.choice(allows)
    less = with_text(policy, name, "".join(line for line in lines if line != gone))
    assert_not_more(loaded(policy), loaded(less), policy, seed, f"without {gone}")


@FEW
@given(seed=SEEDS)
def test_one_more_layer_never_permits_more(seed: int) -> None:
    """Imposed by the host, with denies, escalations, allows and any default, over a policy that does not abstain."""
    policy, draw = drawn(seed), random.Random(seed + 3)
    if "default abstain" in policy.files["policy"]:
        return
    default = draw.choice(("", "default abstain\n", "default escalate to ops within 10m\n"))
    writer = Writer(draw, policy.shaped, policy.run, "host", ("yes",))
    rules = "".join(writer.rule(("allow", "deny", "escalate")) for _ in range(draw.randrange(1, 4)))
    common = COMMON.replace('use tools "tools.json"\n', "") + (SHAPES if policy.shaped else "") + LETS
    more = with_text(policy, "host.policy", f"policy host\n{common}{default}{rules}")
    assert_not_more(loaded(policy), loaded(more, under=["host.policy"]), more, seed, rules)
