"""Records as a mediation might tell them, drawn by Hypothesis: whole runs, with every kind of record in them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from policy_engine.audit.metrics.told import Line

TOOLS = ("read", "send", "delete", "list")
EFFECTS = ("allow", "allow", "allow", "deny", "escalate")
CAUSES = ("policy", "limit", "breaker")
STATUSES = ("returned", "returned", "error", "timeout", "cancelled", "unknown")


@st.composite
def runs(draw: st.DrawFn, name: str = "r") -> list[Line]:
    """The records of one run, in order."""
    begun = {"parent": draw(st.sampled_from([None, None, "root"])), "root": "root", "policy": "p", "mode": "enforce",
             "agent": "a", "model": draw(st.sampled_from(["m1", "m2"])), "prompt_version": "1", "attended": False,
             "deadline": None}  # fmt: skip
    lines = [Line("run.begun", 0, name, None, begun)]
    for number in range(1, draw(st.integers(0, 12)) + 1):
        lines += draw(_acts(name, number))
    if draw(st.booleans()):
        end = {"completed": draw(st.booleans()), "cause": draw(st.sampled_from([None, "error"])), "calls": 3,
               "duration": draw(st.integers(0, 10**12)), "parent": begun["parent"]}  # fmt: skip
        lines.append(Line("run.ended", 10**6, name, None, end))
    return lines


@st.composite
def _acts(draw: st.DrawFn, run: str, number: int) -> list[Line]:
    kind = draw(st.sampled_from(["call", "call", "call", "step", "answer", "plan", "ask", "breaker", "leak"]))
    tool, at, rule = draw(st.sampled_from(TOOLS)), number * 10, draw(st.sampled_from(["r1", "r2"]))
    if kind == "call":
        return draw(_calls(run, f"c{number}", tool, at, rule))
    bodies: dict[str, tuple[str, dict[str, Any]]] = {
        "step": ("event", {"name": "@step", "kind": draw(st.sampled_from(["model", "plan"])), "event": str(number),
                           "effect": "allow", "rules": [], "tokens": draw(st.integers(0, 1000)), "cost": 0.1}),
        "answer": ("event", {"name": "@answer", "event": "a", "effect": draw(st.sampled_from(["allow", "deny"])),
                             "rules": [rule], "cause": "policy", "enforced": True}),
        "plan": ("plan", {"tools": draw(st.lists(st.sampled_from(TOOLS), max_size=4))}),
        "ask": ("ask", {"request": "q", "rule": rule, "queue": "ops", "count": 1, "tier": draw(st.integers(0, 1)), "expires": 9}),
        "breaker": ("breaker", {"rule": rule, "state": draw(st.sampled_from(["open", "closed"]))}),
        "leak": ("leak", {"tool": tool, "abandoned": draw(st.integers(1, 5))}),
    }  # fmt: skip
    name, body = bodies[kind]
    return [Line(name, at, run, None, body)]


@st.composite
def _calls(draw: st.DrawFn, run: str, call: str, tool: str, at: int, rule: str) -> list[Line]:
    effect = draw(st.sampled_from(EFFECTS))
    decision = {"tool": tool, "effect": effect, "rules": [rule], "cause": draw(st.sampled_from(CAUSES)), "policy": "p",
                "event": draw(st.sampled_from(["x", "y"])), "state": "s", "enforced": draw(st.sampled_from([True, True, False])),
                "tries": 0, "hinted": draw(st.booleans()), "took": {"decide": draw(st.integers(0, 10**6))},
                "wait": draw(st.sampled_from([None, 5, 50]))}  # fmt: skip
    lines = [Line("decision", at, run, call, decision)]
    if effect == "allow":
        outcome = {"tool": tool, "status": draw(st.sampled_from(STATUSES)), "decision": "d", "tries": draw(st.integers(1, 3)),
                   "duration": draw(st.integers(0, 10**10)), "cost": draw(st.floats(0, 10)), "effect": "pass", "rules": [],
                   "policy": "p"}  # fmt: skip
        lines.append(Line("outcome", at + 1, run, call, outcome))
    if effect == "escalate":
        answer = {"request": "q", "rule": rule, "queue": "ops", "answer": "approved", "approver": "u", "waited": 7}
        lines.append(Line("answer", at + 1, run, call, answer))
    return lines


@st.composite
def logs(draw: st.DrawFn, most: int = 4) -> list[list[Line]]:
    """Several runs, each with a name of its own."""
    return [draw(runs(f"run{number}")) for number in range(draw(st.integers(1, most)))]
