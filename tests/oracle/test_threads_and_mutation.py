"""One policy for all threads, and values that change under its hands: neither ever changes a decision."""

from __future__ import annotations

import copy
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from policy_engine import Agent, Outcome, Policy, PolicyError, Principal, Request, loads
from tests.oracle.compare import clock, past, whole
from tests.oracle.drawn import request
from tests.oracle.policies import Drawn, drawn, drawn_results

THREADS = 8
GUARDED = """policy p
allow small on "pay" when args.amount <= 100 && args.to.name == "bob" && args.tags.all(t, t != "evil")
deny stranger on "pay" unless principal.role == "lead" && context.env == "dev" && agent.id == "bot"
"""


def loadable(first: int, count: int, draw: Callable[[int], Drawn] = drawn) -> Iterator[tuple[int, Drawn, Policy]]:
    """That many drawn policies that load, from a seed on."""
    found, seed = 0, first
    while found < count:
        seed += 1
        policy = draw(seed)
        try:
            yield seed, policy, policy.load(clock=clock)
            found += 1
        except PolicyError:
            continue


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads change places every few bytecodes, so that a race has its chance."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty_threads")
def test_eight_threads_never_disagree_with_one() -> None:
    """Fresh policies (their tables empty), mixed calls, fresh and shared runs: each answer is the single-threaded one."""
    for seed, policy, alone in loadable(40_000, 8):
        draw = random.Random(seed)
        stories = [past(draw) for _ in range(3)]
        calls = [(request(draw, policy.shaped), index % 4) for index in range(24)]
        runs = [story.run(alone) for story in stories]
        expected = [whole(alone.decide(call, run=runs[which] if which < 3 else None)) for call, which in calls]
        shared = policy.load(clock=clock)
        shared_runs = [story.run(shared) for story in stories]
        ready = threading.Barrier(THREADS)

        def hammer(number: int, shared: Policy = shared, shared_runs: Any = shared_runs, calls: Any = calls,
                   stories: Any = stories, ready: threading.Barrier = ready) -> list[Any]:  # fmt: skip
            own = random.Random(number)
            order = own.sample(range(len(calls)), len(calls))
            ready.wait()
            answers: list[Any] = [None] * len(calls)
            for index in order:
                call, which = calls[index]
                run = None
                if which < 3:
                    run = stories[which].run(shared) if own.random() < 0.3 else shared_runs[which]
                answers[index] = whole(shared.decide(call, run=run))
            return answers

        with ThreadPoolExecutor(THREADS) as pool:
            for answers in pool.map(hammer, range(THREADS)):
                assert answers == expected, seed


@pytest.mark.usefixtures("hasty_threads")
def test_results_and_runs_stand_many_threads() -> None:
    """Threads record into one run while others decide on it: nothing is lost, nothing raises, results are judged alike."""
    for seed, _, policy in loadable(41_000, 3, drawn_results):
        draw = random.Random(seed)
        who = Principal(id="a", role="lead", level=1)
        call = Request(tool="fs.read", args={"count": 1, "to": "a"}, principal=who, context={"env": "dev"})
        outcomes = [Outcome(result={"ok": draw.random() < 0.5, "text": draw.choice("ab"), "items": [1]}) for _ in range(6)]
        expected = [whole(policy.decide_result(call, outcome)) for outcome in outcomes]
        run = policy.run(input="read a")

        def work(_: int, policy: Policy = policy, call: Request = call, outcomes: Any = outcomes, run: Any = run) -> list[Any]:
            answers = []
            for outcome in outcomes:
                answers.append(whole(policy.decide_result(call, outcome)))
                run.record(call, outcome)
                assert policy.decide(call, run=run).effect == "allow"
            return answers

        with ThreadPoolExecutor(THREADS) as pool:
            assert all(answers == expected for answers in pool.map(work, range(THREADS)))
        view = run.snapshot().value
        assert len(view["calls"]) == len(view["attempts"]) == THREADS * len(outcomes)


# ------------------------------------------------------------------ mutation
def payment() -> dict[str, Any]:
    """Arguments that the guarded policy allows."""
    return {"amount": 50, "to": {"name": "bob"}, "tags": ["ok", "fine"]}


def spoil(value: Any) -> None:
    """Change everything that can be changed, to what the policy refuses."""
    if isinstance(value, dict):
        for item in list(value.values()):
            spoil(item)
        value.update(amount=10**6, name="eve", role="guest", env="prod", id="eve", evil=["evil"])
    elif isinstance(value, list):
        for item in value:
            spoil(item)
        value.append("evil")


def asking() -> tuple[Request, list[Any]]:
    """A request that is allowed, and every mutable object that went into it."""
    args, principal, context, agent = payment(), Principal(role="lead", id="u1"), {"env": "dev"}, Agent(id="bot")
    return Request(tool="pay", args=args, principal=principal, context=context, agent=agent), [
        args, principal.fields, context, agent.fields
    ]  # fmt: skip


def test_what_changes_after_the_decision_changes_nothing() -> None:
    """Arguments, principal, context and agent spoilt before anybody reads the words: the decision says what it said."""
    policy = loads(GUARDED, clock=clock)
    expected = whole(policy.decide(asking()[0]))
    assert expected["effect"] == "allow"
    call, parts = asking()
    run = policy.run(input="pay bob")
    decision = policy.decide(call, run=run)
    run.record(call, Outcome(result=(result := {"done": ["yes"]})), decision=decision)
    before = repr(run.snapshot().value)
    for part in [*parts, result]:
        spoil(part)
    assert whole(decision) == expected
    assert repr(run.snapshot().value) == before
    assert policy.decide(call).effect == "deny"


def test_what_a_decision_hands_out_is_private() -> None:
    """`args` and `result` are fresh copies each time: spoiling one spoils neither the next nor the decision nor the run."""
    policy = loads(GUARDED + 'rewrite trim on "pay" set args.tags to args.tags + ["kept"]\n', clock=clock)
    decision = policy.decide(asking()[0])
    first = decision.args
    assert first == {**payment(), "tags": ["ok", "fine", "kept"]}
    spoil(first)
    assert decision.args == {**payment(), "tags": ["ok", "fine", "kept"]} and decision.args is not decision.args
    output = policy.decide_result(asking()[0], Outcome(result={"a": [1]}))
    spoil(output.result)
    assert output.result == {"a": [1]}
    with pytest.raises(AttributeError):
        decision.effect = "allow"


class Shifting(dict[str, Any]):
    """A mapping whose second reading differs: whatever is read once is decided, or refused."""

    def __init__(self, good: Mapping[str, Any], bad: Mapping[str, Any], turns: int) -> None:
        super().__init__(good)
        self.bad, self.turns = dict(bad), turns

    def _turn(self) -> bool:
        self.turns -= 1
        return self.turns < 0

    def __getitem__(self, key: str) -> Any:
        return self.bad.get(key) if self._turn() else super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        return self.bad.get(key, default) if self._turn() else super().get(key, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self.bad) if self._turn() else super().__iter__()

    def items(self) -> Any:
        return self.bad.items() if self._turn() else super().items()

    def keys(self) -> Any:
        return self.bad.keys() if self._turn() else super().keys()

    def values(self) -> Any:
        return self.bad.values() if self._turn() else super().values()

    def copy(self) -> dict[str, Any]:
        return dict(self.bad) if self._turn() else dict(super().items())


def permitted(args: Any) -> bool:
    """Whether the guarded policy's allow holds, in plain Python."""
    try:
        return bool(args["amount"] <= 100 and args["to"]["name"] == "bob" and "evil" not in args["tags"])
    except (KeyError, TypeError):
        return False


@settings(max_examples=200, deadline=None)
@given(turns=st.integers(0, 12), inner=st.booleans())
def test_a_mapping_that_changes_between_two_readings_never_slips_through(turns: int, inner: bool) -> None:
    """What is allowed is what is handed out for execution: judged by plain Python, the handed out arguments are permitted."""
    bad = {"amount": 10**6, "to": {"name": "eve"}, "tags": ["evil"]}
    args: Any = Shifting(payment(), bad, turns)
    if inner:
        args = {**payment(), "to": Shifting({"name": "bob"}, {"name": "eve"}, turns)}
    decision = loads(GUARDED, clock=clock).decide(
        Request(tool="pay", args=args, principal=Principal(role="lead"), context={"env": "dev"}, agent=Agent(id="bot"))
    )
    if decision.effect == "allow":
        assert permitted(decision.args) and permitted(copy.deepcopy(decision.args))
    else:
        assert decision.effect == "deny"


@pytest.mark.slow
@pytest.mark.usefixtures("hasty_threads")
def test_arguments_spoilt_by_another_thread_never_slip_through() -> None:
    """While the call is decided, a thread swaps good for bad values: what is allowed is what is handed out."""
    policy, stop, shared = loads(GUARDED, clock=clock), threading.Event(), payment()

    def swap() -> None:
        while not stop.is_set():
            shared["amount"], shared["to"], shared["tags"] = 10**6, {"name": "eve"}, ["evil"]
            time.sleep(0)
            shared["to"]["name"] = "bob"
            shared["amount"], shared["tags"] = 5, ["ok"]
            shared.pop("extra", None)
            shared["extra"] = [1] * 3
            time.sleep(0)

    spoiler = threading.Thread(target=swap)
    spoiler.start()
    try:
        effects: list[str] = []
        while len(effects) < 1_500 or (len(set(effects)) < 2 and len(effects) < 100_000):
            who = Principal(role="lead")
            call = Request(tool="pay", args=shared, principal=who, context={"env": "dev"}, agent=Agent(id="bot"))
            decision = policy.decide(call)
            effects.append(decision.effect)
            if decision.effect == "allow":
                assert permitted(decision.args)
            assert decision.effect in ("allow", "deny")
    finally:
        stop.set()
        spoiler.join()
    assert set(effects) == {"allow", "deny"}
