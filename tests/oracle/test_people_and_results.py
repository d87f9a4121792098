"""Conversations with approvers, and decisions about results: the engine, its interpreter and the oracle, step by step."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from policy_engine import Approval, Ask, Event, Outcome, Policy, PolicyError, Request
from tests.oracle.answers import History, Reply
from tests.oracle.compare import CASES, clock, outline, outline_of, past, twin, whole
from tests.oracle.decide import Decider
from tests.oracle.drawn import loose_value, request
from tests.oracle.functions import NotCovered
from tests.oracle.policies import EVENTS, Drawn, drawn, drawn_events, drawn_results

PEOPLE = ("u1", "a", "ann", "bob")


def answered(draw: random.Random, asks: Sequence[Ask]) -> tuple[Approval, Reply]:
    """One person's answer to one of the asks, for the engine and for the oracle."""
    ask = draw.choice(sorted(asks, key=lambda one: one.rule))
    answer: Any = draw.choice(("approved", "approved", "approved", "silent", "silent", "refused"))
    who = "" if answer == "silent" else draw.choice(PEOPLE)
    approval = Approval(
        rule=ask.rule, queue=ask.queue, digest=ask.digest, expires=ask.expires, approver={"id": who}, answer=answer
    )
    return approval, Reply(ask.rule, ask.queue, who, answer)


def conversation(
    engine: Policy, interpreter: Policy, decider: Decider, one: Request, run: Any, history: History | None, draw: random.Random
) -> int:
    """Ask, answer, decide again, until the call is decided; the number of steps, all of them agreed on."""
    approvals: list[Approval] = []
    replies: list[Reply] = []
    earlier: list[Ask] = []  # people also answer late, when another tier is asked already
    for step in range(1, 8):
        decision = engine.decide(one, run=run, approvals=approvals)
        assert whole(decision) == whole(interpreter.decide(one, run=run, approvals=approvals))
        assert outline(decision) == outline_of(decider.call(one, history, replies)), (one, replies)
        if decision.effect != "escalate":
            return step
        earlier.extend(decision.asks)
        approval, reply = answered(draw, decision.asks if draw.random() < 0.8 else earlier)
        approvals.append(approval)
        replies.append(reply)
    return 8


def loaded(policy: Drawn) -> Policy | None:
    """The engine's policy, or None where the checker refuses what was drawn."""
    try:
        return policy.load(clock=clock)
    except PolicyError:
        return None


@pytest.mark.slow
def test_conversations_with_approvers_go_the_same_way() -> None:
    """Approvals, refusals, silence, ladders, `2 of`, own requests, `else reply` and `else set`: every step is the same."""
    steps, longest, seed = 0, 0, 1_000_000
    while steps < CASES // 2:
        seed += 1
        policy = drawn(seed)
        engine = loaded(policy)
        if engine is None:
            continue
        interpreter, decider, draw = twin(engine), policy.decider(), random.Random(seed)
        for _ in range(6):
            one, before = request(draw, policy.shaped), past(draw)
            run = before.run(engine) if draw.random() < 0.6 else None
            history = before.history(run) if run is not None else None
            try:
                took = conversation(engine, interpreter, decider, one, run, history, draw)
            except NotCovered:
                continue
            except AssertionError as wrong:
                raise AssertionError(f"seed {seed}\n{policy.files}") from wrong
            steps, longest = steps + took, max(longest, took)
    assert longest > 2


@pytest.mark.slow
def test_results_are_judged_the_same() -> None:
    """Validations, redactions, labels and declassifications over results of any form: one answer of three judges."""
    cases, seed = 0, 2_000_000
    effects: set[str] = set()
    while cases < CASES // 2:
        seed += 1
        policy = drawn_results(seed)
        engine = loaded(policy)
        if engine is None:
            continue
        interpreter, decider, draw = twin(engine), policy.decider(), random.Random(seed)
        for _ in range(6):
            one, outcome = request(draw, True), drawn_outcome(draw)
            if engine.decide(one).errors:
                continue
            decision = engine.decide_result(one, outcome)
            reference = interpreter.decide_result(one, outcome)
            assert whole(decision) == whole(reference), (seed, policy.files, one, outcome)
            expected = {**outline_of(decider.output(one, outcome)), "instead": None}
            assert {**outline(decision), "instead": None} == expected, (seed, policy.files["policy"], one, outcome)
            cases += 1
            effects.add(decision.effect)
    assert {"pass", "redact", "withhold", "fail", "reply"} <= effects


@pytest.mark.slow
def test_events_are_judged_the_same() -> None:
    """What the user asked, answers, resources, hand-overs: denied, asked about, rewritten, validated, labelled alike."""
    cases, seed = 0, 3_000_000
    effects: set[str] = set()
    while cases < CASES // 2:
        seed += 1
        policy = drawn_events(seed)
        engine = loaded(policy)
        if engine is None:
            continue
        interpreter, decider, draw = twin(engine), policy.decider(), random.Random(seed)
        for _ in range(6):
            event, before = drawn_event(draw), past(draw)
            run = before.run(engine) if draw.random() < 0.5 else None
            history = before.history(run) if run is not None else None
            decision = engine.decide_event(event, run=run)
            assert whole(decision) == whole(interpreter.decide_event(event, run=run)), (seed, policy.files, event)
            drop = {"instead": None, "args": None}
            expected = {**outline_of(decider.event(event, history)), **drop}
            assert {**outline(decision), **drop} == expected, (seed, policy.files["policy"], event)
            cases += 1
            effects.add(decision.effect)
    assert {"pass", "deny", "escalate", "redact", "withhold", "fail", "reply"} <= effects


def drawn_event(draw: random.Random) -> Event:
    """An event, its fields mostly what they should be."""
    made: Any = Event
    name = draw.choice(sorted(EVENTS))
    fields: dict[str, Any] = {path.split(".")[1]: draw.choice(("a", "b", "abc", "x", 5, None)) for path in EVENTS[name]}
    if draw.random() < 0.2:
        fields.pop(draw.choice(sorted(fields)))
    if draw.random() < 0.05:
        fields["text"] = draw.choice((float("nan"), "\ud800", 2**64))
    call = request(draw, True)
    event: Event = made(
        name=name, fields=fields, principal=call.principal, context=call.context, agent=call.agent, at=call.at
    )
    return event


def drawn_outcome(draw: random.Random) -> Outcome:
    """A result: mostly a record that rules know, sometimes anything."""
    result: Any = {"ok": draw.choice((True, False, 1)), "text": draw.choice(("a", "ab b", 5, None))}
    if draw.random() < 0.7:
        result["items"] = draw.choice(([1, 2], [], [1, "a"], [0], 3, {"a": 1}))
    if draw.random() < 0.4:
        result["meta"] = {"owner": draw.choice(("me", 1, ["x"], True, None))}
    if draw.random() < 0.25:
        result = loose_value(draw, 2)
    if draw.random() < 0.03:
        result = draw.choice((float("nan"), [2**64], "\ud800"))
    return Outcome(result=result, cost=draw.choice((0.5, 3.0)), duration=timedelta(seconds=draw.choice((1, 90))))
