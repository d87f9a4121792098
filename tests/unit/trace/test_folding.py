"""Folded history against its plain twin, the condition as it is written: the same answers and errors at every moment."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from policy_engine import Policy
from policy_engine.assembly.loading import loads
from policy_engine.base.errors import EvaluationError
from policy_engine.base.limits import MAX_SCANNED_CALLS
from policy_engine.base.request import Outcome, Request
from policy_engine.base.values import Duration, Timestamp, UInt
from policy_engine.runtime.trace.folding import answers, tracks
from policy_engine.runtime.trace.run import Run
from policy_engine.runtime.trace.view import RunView
from policy_engine.semantics.activation import Names
from policy_engine.semantics.artifact import Batch
from policy_engine.semantics.evaluation import batch_errors, interpreted

CASES = int(os.environ.get("POLICY_CASES", "0"))
TRACES = 4
START = datetime(2026, 1, 1, tzinfo=UTC)
STATIC = (
    'c.tool == "t.a"', 'c.tool in ["t.a", "t.b"]', "c.args.n > 1", "has(c.args.k)", 'c.outcome == "returned"',
    'c.args.k.startsWith("x")', 'c.result.ok', 'size(c.args) > 0', '!(c.tool == "t.b")', '(c.tool == "t.a" || c.args.n == 2)',
    'c.args.n in [1, 2]', "has(c.result.id) && c.result.id != null",
)  # fmt: skip
KEYS = (
    "c.args.k == args.k", "args.k == c.args.k", "c.args.k == args.k", "c.result.id == args.k", "c.result.id == args.k",
    "c.args.n == args.n", "c.args.n == args.n", "c.args.k == args.missing",
)  # fmt: skip
WINDOWS = (
    'now - c.at < duration("10s")', 'now - c.at < duration("10s")', 'now - c.at <= duration("3s")', 
    "now - c.at < duration(args.d)",
)  # fmt: skip
JOINS = (
    "c.result.exists(r, r.id == args.k)", "c.result.rows.exists(r, r.id == args.k && r.n == args.n)",
    "c.result.rows.exists(r, r.ok && r.id == args.k && c.args.n > 0)", "c.result.exists(r, r == args.k)",
)  # fmt: skip
LISTS = st.sampled_from(("run.calls", "run.calls", "run.attempts"))
SOMETIMES = st.booleans()


def conjunction(draw: Any, *, joins: bool = False, free: bool = False) -> str:
    parts = draw(st.lists(st.sampled_from(STATIC), max_size=2))
    parts += draw(st.lists(st.sampled_from(KEYS), max_size=2))
    parts += draw(st.lists(st.sampled_from(WINDOWS), max_size=1)) if draw(SOMETIMES) else []
    parts += [draw(st.sampled_from(JOINS))] if joins and draw(SOMETIMES) else []
    parts += ["args.n > 1"] if free and draw(SOMETIMES) else []
    return " && ".join(draw(st.permutations(parts or ['c.tool == "t.a"'])))


@st.composite
def conditions(draw: Any) -> str:
    calls, shape = draw(LISTS), draw(st.integers(0, 9))
    test = conjunction(draw, joins=shape < 3, free=shape < 3)
    value = draw(st.sampled_from(("c.args.n", "c.result.n", "c.args.n * 2")))
    reduce = draw(st.sampled_from(("sum", "max", "min")))
    if shape < 3:
        return f"{draw(st.sampled_from(('', '!')))}{calls}.exists(c, {test})"
    if shape == 3:
        key = draw(st.sampled_from(KEYS))
        excused = draw(st.sampled_from(('c.tool != "t.a" || ', "c.args.n > 1 || ", "")))
        return f"{calls}.all(c, {draw(st.sampled_from(STATIC))} && ({excused}{key}))"
    if shape == 4:
        return f"{calls}.filter(c, {test}).size() >= {draw(st.integers(1, 3))}"
    if shape == 5:
        return f"{calls}.last(c, {test}).args.n == 2"
    if shape == 6:
        other = conjunction(draw).replace("c.", "d.").replace("now - d", "now - d")
        return f"{calls}.after(c, {test}).exists(d, {other})"
    if shape == 7:
        return f"{calls}.filter(c, {test}).map(c, {value}).{reduce}() > 2"
    if shape == 8:
        start = draw(st.sampled_from(("", "0.0", "1")))
        return f"{calls}.map(c, {test}, {value}).{'sum' if start else reduce}({start}) > 2"
    return f"{calls}.map(c, {value}).{reduce}() > 2 || size({calls}) > 4"


ABSENT = object()
SCALARS = st.sampled_from(
    ("x1", "x1", "x1", "y", 1, 1, 2, 2, 1.0, 0.1, 0.7, UInt(1), True, None, 2**60, float(2**60), float("nan"), b"x1", [1], [1.0],
     {"a": 1}, ABSENT, Timestamp(5), Duration(5), 2**63 - 1)
)  # fmt: skip
ARGS = st.fixed_dictionaries(
    {"k": SCALARS, "n": st.sampled_from((0, 1, 2, 3, 2, 1, 0.5, "two", 2**63 - 1))}, optional={"d": st.sampled_from(("5s", "x"))}
).map(lambda args: {name: value for name, value in args.items() if value is not ABSENT})
PRESENT = SCALARS.filter(lambda value: value is not ABSENT)
ROW = st.fixed_dictionaries({}, optional={"id": PRESENT, "n": st.sampled_from((1, 2, "two")), "ok": st.sampled_from((True, 1))})
RESULTS = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "id": PRESENT, "n": st.sampled_from((1, 2, 0.1)), "ok": st.booleans(), "rows": st.lists(ROW, max_size=3),
        },
    ),
    st.lists(ROW, max_size=3), st.lists(PRESENT, max_size=2), PRESENT,
)  # fmt: skip
EVENTS = st.tuples(
    st.sampled_from(("t.a", "t.a", "t.b", "t.c")), ARGS,
    st.sampled_from(("returned", "returned", "returned", "error", "denied", "pending", "running")),
    st.sampled_from((None, None, "i1", "i2")), RESULTS, st.integers(-3, 12),
)  # fmt: skip
TRACE = st.tuples(st.lists(EVENTS, max_size=8), ARGS, st.integers(0, 30))


def policy_of(conditions: list[str]) -> Policy:
    rules = [f"deny r{number} on t.q when {condition}" for number, condition in enumerate(conditions)]
    return loads("\n".join(("policy p", "allow all on t.q, t.a, t.b, t.c", *rules)))


def play(run: Run, event: tuple[Any, ...], now: int) -> None:
    tool, args, outcome, id, result, _ = event
    run.put_call(tool, args, outcome, at=Timestamp(now * 10**9), result=result if outcome == "returned" else None, id=id)


def told(error: EvaluationError) -> tuple[str, str]:
    return error.kind, error.message


def compare(policy: Policy, run: Run, view: RunView, args: dict[str, Any], now: int) -> None:
    """Every rule as decided and as written, by generated code and by the interpreter."""
    core = policy._core
    at = START + timedelta(seconds=now)
    environment = core.intake.environment(Request(tool="t.q", at=at), view)
    stage = core.tools["t.q"].decide
    batch = stage.section.batch
    unfolded = Batch(tuple(rule.condition for rule in stage.section.rules), batch.on_error, "", batch.functions)
    mask = stage.mask(args, {}, environment)
    errors = dict(batch_errors(batch, mask, args, {}, environment))
    for index, rule in enumerate(stage.section.rules):
        came_to: Any
        try:
            came_to = interpreted(unfolded.conditions[index], Names(args, {}, environment), environment)
        except EvaluationError as error:
            came_to = error
        if isinstance(came_to, EvaluationError):
            assert index in errors, (rule.span.text, told(came_to))
            listed = {error.rule: (error.kind, error.message) for error in stage.errors(mask, args, {}, environment)}
            assert listed[rule.id] == told(came_to), rule.span.text
        else:
            assert index not in errors, (rule.span.text, told(errors[index]))
            assert bool(mask >> index & 1) is came_to, rule.span.text


@settings(
    max_examples=max(500, CASES // TRACES), deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(st.lists(conditions(), min_size=1, max_size=3), st.lists(TRACE, min_size=TRACES, max_size=TRACES), st.data())
def test_folded_history_is_history_as_written(texts: list[str], traces: list[Any], data: Any) -> None:
    """2,000 pairs of policies and traces: true, false and error agree, also about moments that have passed."""
    policy = policy_of(texts)
    for events, args, now in traces:
        run, moment = policy.run(), int(START.timestamp())
        views = [run.snapshot()]
        for event in events:
            moment += event[-1]
            play(run, event, moment)
            views.append(run.snapshot())
        for view in (views[-1], data.draw(st.sampled_from(views))):
            compare(policy, run, view, args, moment - int(START.timestamp()) + now)


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ('run.calls.exists(c, c.tool == "t.a" && c.args.k == args.k)', "exists"),
        ('run.calls.all(c, c.tool != "t.a" || c.args.k == args.k)', "uniform"),
        ('run.attempts.filter(c, c.outcome == "denied" && now - c.at < duration("1h")).size() > 3', "count"),
        ("run.calls.map(c, c.args.n).sum() > 3", "reduce"), ('run.calls.last(c, c.tool == "t.a").args.n == 1', "last"),
        ('run.calls.after(c, c.tool == "t.a").exists(c, c.tool == "t.b" && c.args.k == args.k)', "exists"),
        ("run.calls.exists(c, c.result.exists(r, r.id == args.k && r.n == args.n))", "exists"),
        ("args.all(k, run.calls.exists(c, c.args.k == args[k]))", "exists"),
    ],
)  # fmt: skip
def test_the_shapes_of_the_language_fold(condition: str, kind: str) -> None:
    """One question each, and nothing is scanned."""
    plan = policy_of([condition]).compiled.folds
    assert [fold.kind for fold in plan.folds] == [kind] and plan.scanned == ()


@pytest.mark.parametrize(
    "condition",
    [
        "run.calls.exists(c, c.args.n > args.n)", "run.calls.exists(c, said(c.args.k))", "run.calls[0].tool == args.k",
        "run.calls.exists_one(c, c.args.k == args.k)", "run.calls.all(c, now - c.at < duration('1h'))",
    ],
)  # fmt: skip
def test_what_does_not_fold_says_why(condition: str) -> None:
    """It is scanned, as before, and the plan tells so."""
    plan = policy_of([condition]).compiled.folds
    assert plan.folds == () and len(plan.scanned) == 1 and plan.scanned[0][1]


def test_a_long_run_is_no_matter_for_what_folds() -> None:
    """Beyond the bound on scanned calls the folded rule decides, the scanned one is an error."""
    policy = policy_of(["run.calls.exists(c, c.args.k == args.k)", "run.calls.exists(c, c.args.n > args.n)"])
    run = policy.run()
    for number in range(MAX_SCANNED_CALLS + 5):
        run.put_call("t.a", {"k": number, "n": 0}, "returned")
    seen = policy.decide(Request(tool="t.q", args={"k": 17, "n": 1}), run=run)
    assert seen.rules == ("p/r0", "p/r1") and [error.rule for error in seen.errors] == ["p/r1"]
    unseen = policy.decide(Request(tool="t.q", args={"k": -1, "n": 1}), run=run)
    assert unseen.rules == ("p/r1",)


@pytest.mark.parametrize("bound", ["MAX_KEYS", "MAX_ROWS"])
def test_more_than_is_remembered_is_an_error(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never silence: the rule falls to its safe side."""
    monkeypatch.setattr(tracks, bound, 3)
    policy = policy_of(["run.calls.exists(c, c.args.k == args.k)"])
    run = policy.run()
    for number in range(6):
        run.put_call("t.a", {"k": number}, "returned")
    decision = policy.decide(Request(tool="t.q", args={"k": 99}), run=run)
    assert decision.effect == "deny" and [error.kind for error in decision.errors] == ["too_costly"]


def test_a_call_that_goes_on_counts_as_what_it_became() -> None:
    """Running, then returned: at each moment once, also for a view made before."""
    policy = policy_of(['run.attempts.filter(c, c.outcome == "running").size() == 1', "run.calls.exists(c, c.args.k == args.k)"])
    run = policy.run()
    request = Request(tool="t.a", args={"k": 1}, id="c1")
    run.record(request, Outcome(status="running"))
    before = run.snapshot()
    asked = Request(tool="t.q", args={"k": 1})
    assert policy.decide(asked, run=run).rules == ("p/r0",)
    run.record(request, Outcome(result=1))
    assert policy.decide(asked, run=run).rules == ("p/r1",)
    compare(policy, run, before, {"k": 1}, 0)


def test_too_many_calls_that_have_not_ended_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are looked at one by one, so there is a bound."""
    monkeypatch.setattr(answers, "MAX_SCANNED_CALLS", 20)
    policy = policy_of(["run.attempts.exists(c, c.args.k == args.k)"])
    run = policy.run()
    for number in range(4):
        run.put_call("t.a", {"k": 1}, "running", id=f"i{number}")
    decision = policy.decide(Request(tool="t.q", args={"k": 2}), run=run)
    assert [error.kind for error in decision.errors] == ["too_costly"]


def test_a_run_of_another_policy_is_folded_for_this_one_too() -> None:
    """After a reload the run goes on; the new policy's questions look at all of it."""
    run = policy_of(["run.calls.exists(c, c.args.n == args.n)"]).run()
    run.put_call("t.a", {"k": "x"}, "returned")
    policy = policy_of(["run.calls.exists(c, c.args.k == args.k)"])
    assert policy.decide(Request(tool="t.q", args={"k": "x"}), run=run).effect == "deny"
    run.put_call("t.a", {"k": "y"}, "returned")
    assert policy.decide(Request(tool="t.q", args={"k": "y"}), run=run).effect == "deny"


def test_views_are_consistent_while_other_threads_record() -> None:
    """A view's count is that of its own moment, whatever has come since."""
    policy = policy_of(["run.calls.size() != run.calls.filter(c, c.args.k == args.k).size()"])
    run = policy.run()

    def record() -> None:
        for _ in range(300):
            run.put_call("t.a", {"k": 1}, "returned")

    threads = [Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert policy.decide(Request(tool="t.q", args={"k": 1}), run=run).effect == "allow"
    assert policy.decide(Request(tool="t.q", args={"k": 1}), run=run).effect == "allow"


def test_a_long_run_is_explained_as_it_was_decided() -> None:
    """The explanation reads the same state, and does not call an error what was none."""
    policy = policy_of(["run.calls.exists(c, c.args.k == args.k)"])
    run = policy.run()
    for number in range(MAX_SCANNED_CALLS + 5):
        run.put_call("t.a", {"k": number}, "returned")
    explained = policy.explain(Request(tool="t.q", args={"k": 17}), run=run)
    assert [one.came_to for one in explained.rules if one.rule == "p/r0"] == ["true"]
    assert explained.decision.effect == "deny"
