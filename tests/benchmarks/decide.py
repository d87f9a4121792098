"""The public `policy.decide()` with a prebuilt request against hand-written Python: `python -m tests.benchmarks.decide`.

The hand-written function does by hand what a careful engineer would: checks every argument's type and that there are no
others, copies them, checks the principal's record, tests the rules, and returns an object with effect, rules and
arguments. A second copy of it is the control (A/A). Slices take turns; exits 1 when effects differ or the median ratio
exceeds 3. `--profile` tells where the time goes.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

from policy_engine import Principal, Request
from policy_engine.assembly.loading import loads

BAR: Final = 3.0
ROUNDS, SLICE = 301, 100
TOOLS: Final = """{"tools": [{"name": "act", "inputSchema": {"type": "object", "additionalProperties": false, "properties": {
  "account": {"type": "string"}, "amount": {"type": "integer"}, "path": {"type": "string"},
  "tags": {"type": "array", "items": {"type": "string"}}, "to": {"type": "string"}},
  "required": ["account", "amount", "path", "tags", "to"]}}]}"""
POLICY: Final = """policy bench
use tools "tools.json" as crm
principal { id: string, role: string }
default deny
allow small on crm.act when principal.role == "support" && args.amount <= 500
allow admins on crm.act when principal.role == "admin"
deny outside on crm.act when !args.to.endsWith("@corp.com") because "mail stays inside"
deny system on crm.act when args.path.startsWith("/etc/")
deny secret on crm.act when args.tags.exists(t, t in ["secret", "private"])
"""
HAND: Final = '''
class Answer:
    __slots__ = ("effect", "rules", "args")
    def __init__(self, effect, rules, args):
        self.effect = effect
        self.rules = rules
        self.args = args

KNOWN = frozenset(("account", "amount", "path", "tags", "to"))

def decide(request):
    if request.tool != "crm.act":
        return Answer("deny", (), None)
    given = request.args
    if given.__class__ is not dict or given.keys() != KNOWN:
        return Answer("deny", (), None)
    account, amount, path, tags, to = given["account"], given["amount"], given["path"], given["tags"], given["to"]
    if account.__class__ is not str or path.__class__ is not str or to.__class__ is not str:
        return Answer("deny", (), None)
    if amount.__class__ is not int or not -9223372036854775808 <= amount <= 9223372036854775807:
        return Answer("deny", (), None)
    if tags.__class__ is not list:
        return Answer("deny", (), None)
    tags = tags.copy()
    for tag in tags:
        if tag.__class__ is not str:
            return Answer("deny", (), None)
    args = {"account": account, "amount": amount, "path": path, "tags": tags, "to": to}
    who = request.principal.fields
    role = who["role"]
    if who.keys() != {"id", "role"} or who["id"].__class__ is not str or role.__class__ is not str:
        return Answer("deny", (), None)
    denies = []
    if not to.endswith("@corp.com"):
        denies.append("bench/outside")
    if path.startswith("/etc/"):
        denies.append("bench/system")
    if not {"secret", "private"}.isdisjoint(tags):
        denies.append("bench/secret")
    if denies:
        return Answer("deny", tuple(sorted(denies)), args)
    allows = []
    if role == "support" and amount <= 500:
        allows.append("bench/small")
    if role == "admin":
        allows.append("bench/admins")
    if allows:
        return Answer("allow", tuple(sorted(allows)), args)
    return Answer("deny", (), args)
'''

Decide = Callable[[Request], Any]


def handwritten() -> Decide:
    """The hand-written function, compiled afresh."""
    namespace: dict[str, Any] = {}
    exec(compile(HAND, "<hand>", "exec"), namespace)
    decide: Decide = namespace["decide"]
    return decide


def requests() -> list[Request]:
    """Requests like those of an agent at work: most are fine, each rule matches now and then."""
    random = Random(7)
    return [
        Request(
            tool="crm.act",
            args={
                "account": f"acct-{random.randrange(99)}", "amount": random.randrange(600),
                "path": random.choice(("/srv/a/x", "/home/u/y", "/home/u/z", "/etc/passwd")),
                "tags": random.choices(("new", "draft", "x", "y", "z", "secret"), k=random.randrange(3)),
                "to": random.choice(("a@corp.com", "b@corp.com", "c@corp.com", "d@evil.com")),
            },
            principal=Principal(id=f"u{random.randrange(50)}", role=random.choice(("support", "support", "admin", "guest"))),
        )
        for _ in range(2_000)
    ]  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Measure, print, compare with the bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args(arguments)
    policy, made, hand, again = loads(POLICY, files={"tools.json": TOOLS}), requests(), handwritten(), handwritten()
    wrong = sum(policy.decide(one).effect != hand(one).effect for one in made)
    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(lambda: [policy.decide(one) for one in made * 5])
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)
        return 0
    deciders: dict[str, Decide] = {"hand": hand, "again": again, "ours": policy.decide}
    times: dict[str, list[float]] = {name: [] for name in deciders}
    names = list(deciders)
    for turn in range(ROUNDS):
        part = made[turn * 61 % 1_900 :][:SLICE]
        for name in names[turn % 3 :] + names[: turn % 3]:
            decide, began = deciders[name], time.perf_counter_ns()
            for one in part:
                decide(one)
            times[name].append((time.perf_counter_ns() - began) / SLICE)
    ratios = {
        name: statistics.median(one / base for one, base in zip(times[name], times["hand"], strict=True)) for name in names[1:]
    }
    fine = not wrong and ratios["ours"] <= BAR
    print(
        f"hand {statistics.median(times['hand']):.0f} ns, A/A {ratios['again']:.2f}, policy.decide"
        f" {statistics.median(times['ours']):.0f} ns, ratio {ratios['ours']:.2f} (bar {BAR:g}), wrong {wrong}"
        f"{'' if fine else '   BEYOND ITS BAR'}"
    )
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
