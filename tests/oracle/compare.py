"""Three judges of one request: generated code, the interpreter over the same compiled rules, and the oracle."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from policy_engine import Decision, EvaluationError, Outcome, Policy, Principal, Request, Run
from policy_engine.base.decision import Reserve, Timeout
from policy_engine.base.values import Timestamp, timestamp_of
from policy_engine.semantics.artifact import Batch, CompiledPolicy, EventPlan, ToolPlan
from policy_engine.semantics.evaluation import diverted
from tests.oracle.answers import Answer, History
from tests.oracle.decide import Decider
from tests.oracle.drawn import NOW, TOOLS, loose_value, value_of
from tests.oracle.policies import Drawn
from tests.oracle.values import Err
from tests.oracle.world import fit

CASES = int(os.environ.get("POLICY_CASES", "2000"))
"""Generated cases of the comparison; the other properties take a share of it."""
WORDS = ("said", "origins", "labels", "pointed", "coverage", "carried")


def clock() -> datetime:
    """A clock that stands still."""
    return NOW


# ------------------------------------------------------------------ the interpreter's twin
class Interpreted(Mapping[str, Any]):
    """A namespace without generated code: batches are interpreted condition by condition, values have no function."""

    def __init__(self, compiled: CompiledPolicy) -> None:
        plans: list[ToolPlan | EventPlan] = [*compiled.tools.values(), *compiled.events.values()]
        sections = [
            section for plan in plans
            for section in (plan.rewrites, plan.decide, plan.result, plan.limits, plan.timeouts)
        ]  # fmt: skip
        self.batches = {section.batch.function: section.batch for section in sections}

    def __getitem__(self, name: str) -> Any:
        batch = self.batches.get(name)
        return _refuse if batch is None else _interpreting(batch)

    def __iter__(self) -> Iterator[str]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def _refuse(*_: Any) -> Any:
    raise RuntimeError("no generated code here: the interpreter answers")


def _interpreting(batch: Batch) -> Callable[..., int]:
    def evaluate(args: Any, principal: Any, environment: Any) -> int:
        mask = 0
        for index in range(len(batch.conditions)):
            mask |= diverted(batch, index, args, principal, environment)
        return mask

    return evaluate


def twin(policy: Policy) -> Policy:
    """The same policy, judged by the reference interpreter alone."""
    other = Policy(policy.compiled, lambda: timestamp_of(NOW))
    other._core.namespace = Interpreted(policy.compiled)
    return other


# ------------------------------------------------------------------ what is compared
def whole(decision: Decision) -> dict[str, Any]:
    """Everything a decision says, comparable (NaN equals itself, `1` is not `1.0`)."""
    return {
        "effect": decision.effect, "rules": decision.rules, "observed": decision.observed,
        "errors": sorted((error.rule, error.kind, error.message, error.place) for error in decision.errors),
        "obligations": decision.obligations, "degradation": repr(decision.degradation), "args": repr(decision.args),
        "result": repr(decision.result), "reason": decision.reason, "detail": decision.detail, "hint": decision.hint,
    }  # fmt: skip


def outline(decision: Decision) -> dict[str, Any]:
    """What the oracle has an opinion about."""
    instead = decision.degradation
    return {
        "effect": decision.effect, "rules": decision.rules, "observed": decision.observed,
        "errors": tuple(sorted({error.rule for error in decision.errors})), "args": ordered(decision.engine_args),
        "asks": frozenset((ask.rule, ask.queue, ask.count) for ask in decision.asks),
        "labels": frozenset((one.rule, one.label, one.path, one.add) for one in decision.labels),
        "instead": None if instead is None else (instead.kind, instead.rule), "result": ordered(decision.engine_result),
        "owed": tuple(sorted((_row(one) for one in decision.obligations if isinstance(one, Reserve | Timeout)), key=repr)),
    }  # fmt: skip


def _row(owed: Reserve | Timeout) -> tuple[Any, ...]:
    if isinstance(owed, Timeout):
        return ("timeout", owed.rule, owed.after // timedelta(microseconds=1) * 1000)
    window = (owed.window.kind, owed.window.nanos, owed.window.unit, owed.window.zone)
    return ("reserve", owed.rule, owed.amount, owed.keys, owed.bound, window, owed.item, owed.settles, owed.observe)


def outline_of(answer: Answer) -> dict[str, Any]:
    """The same of an oracle's answer."""
    return {
        "effect": answer.effect, "rules": answer.rules, "observed": answer.observed, "errors": answer.errors,
        "args": ordered(answer.args), "asks": answer.asks, "labels": answer.labels,
        "instead": None if answer.instead is None else answer.instead[:2], "result": ordered(answer.result),
        "owed": answer.owed,
    }  # fmt: skip


def ordered(value: Any) -> str:
    """A value as text: types kept apart, keys in order."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{ordered(key)}: {ordered(value[key])}" for key in sorted(value, key=str)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(ordered, value)) + "]"
    return f"{type(value).__name__} {value!r}"


# ------------------------------------------------------------------ runs
@dataclass(frozen=True)
class Past:
    """What happened in a run: the user's words, and calls that returned."""

    words: str
    calls: tuple[tuple[str, dict[str, Any], Any, datetime], ...]

    def run(self, policy: Policy) -> Run:
        """The engine's run."""
        run = policy.run(input=self.words, id="run-1")
        for tool, args, result, at in self.calls:
            who = Principal(id="u1", role="lead", level=1)
            request = Request(tool=tool, args=args, principal=who, context={"env": "dev"}, at=at)
            run.record(request, Outcome(result=result, at=at))
        return run

    def history(self, run: Run) -> History:
        """The oracle's own value of `run`; the words that need provenance are asked of the run."""
        calls = [
            {"tool": tool, "args": fit(("record", TOOLS[tool]), args), "result": result, "outcome": "returned",
             "at": timestamp_of(at), "labels": []}
            for tool, args, result, at in self.calls
        ]  # fmt: skip
        value = {
            "calls": calls, "attempts": calls, "steps": [], "labels": [], "started": Timestamp(timestamp_of(NOW).nanos),
            "id": "run-1", "input": {"text": self.words, "source": "user", "verified": True},
        }  # fmt: skip
        view = run.snapshot()
        return History(value, {word: _asked(getattr(view, word)) for word in WORDS})


def _asked(word: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def ask(value: Any) -> Any:
        try:
            return word(value)
        except EvaluationError as error:
            return Err(error.message)

    return ask


def past(draw: random.Random) -> Past:
    """A drawn run of up to four calls."""
    calls = []
    for number in range(draw.randrange(5)):
        tool = draw.choice(sorted(TOOLS))
        result = draw.choice([{"ok": True}, {"ok": 1, "text": "ab b"}, [1, "a"], None, loose_value(draw, 2)])
        at = NOW - timedelta(minutes=draw.choice((1, 4, 30)) + 60 * (4 - number))
        calls.append((tool, value_of(draw, ("record", TOOLS[tool])), result, at))
    return Past("please send 50 to a and b, ab", tuple(calls))


# ------------------------------------------------------------------ a failing policy made small
DROPPABLE = ("allow", "deny", "escalate", "rewrite", "observe", "default", "validate", "label", "let", "limit", "timeout")


def smallest(policy: Drawn, fails: Callable[[Drawn], Any]) -> Drawn:
    """The policy with every rule and `let` dropped that the failure does not need."""
    shrunk = True
    while shrunk:
        shrunk = False
        for name, text in policy.files.items():
            lines = text.splitlines(keepends=True)
            for index in range(len(lines) - 1, 0, -1):
                if not lines[index].startswith(DROPPABLE):
                    continue
                fewer = Drawn(
                    {**policy.files, name: "".join(lines[:index] + lines[index + 1 :])}, policy.layers, policy.params,
                    policy.shaped, policy.run,
                )  # fmt: skip
                if _still(fewer, fails):
                    policy, shrunk = fewer, True
                    break
            if shrunk:
                break
    return policy


def _still(policy: Drawn, fails: Callable[[Drawn], Any]) -> bool:
    try:
        return bool(fails(policy))
    except Exception:
        return False


def asked(decider: Decider, request: Request, history: History | None) -> dict[str, Any]:
    """The oracle's outline of one request."""
    return outline_of(decider.call(request, history))


