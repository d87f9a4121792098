"""Law 3: every failure (load, timeout, store, detector, unknown word, empty policy, unknown tool) is a refusal, and is
recorded.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from policy_engine import Decision, Event, Outcome, Policy, PolicyError, Principal, Request, loads
from tests.oracle.compare import clock
from tests.oracle.drawn import request
from tests.oracle.policies import drawn

OPEN = """policy p
allow all on "t"
allow timely on "clock" when now.getHours() >= 0
allow knowing on "run" when run.calls.size() >= 0
"""
REFUSALS = ("deny", "withhold", "fail")
FAULTS: tuple[type[BaseException], ...] = (
    RuntimeError, ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError, ZeroDivisionError,
    AssertionError, StopIteration, OSError,
)  # fmt: skip


def refused(decision: Decision) -> bool:
    """Refused, and the decision says that something was wrong; all its words can be read."""
    assert isinstance(decision.reason, str) and isinstance(decision.detail, str)
    assert decision.hint is None or isinstance(decision.hint, str)
    return decision.effect in REFUSALS and not decision.allowed and len(decision.errors) > 0


@pytest.mark.parametrize(
    "text",
    [
        "", "policy p\n", "// nothing\n", "policy p\ndefault deny\n", "allow a on", 'policy p\nallow a on "t" when',
        'policy p\nallow a on "t" when nobody_knows(args.x)\n', 'policy p\nallow a on "t" when unknown == 1\n',
        'policy p\nallow a on "t" wheno args.x == 1\n', 'policy p\nuse rules "gone.policy"\nallow a on "t"\n',
        'policy p\nuse tools "gone.json"\nallow a on "t"\n', 'policy p under "gone.policy"\nallow a on "t"\n',
        'policy p\nuse rules "policy"\nallow a on "t"\n', 'policy p\nparam x: int\nallow a on "t" when args.a == x\n',
        'policy p\nallow a on "t"\nallow a on "t"\n', 'policy p\nescalate a on "t" to nobody within 1m\n',
        'policy p\nallow a on "t" when args.x.matches("(")\n', 'policy p\nallow a on "t"\ndeny b on tool_of_nobody\n',
        'policy p\nallow a on "t" when result.ok\n', "policy p\nallow a on @answer\n", "\x00", "policy p\nallow \u202e a on t\n",
    ],
)  # fmt: skip
def test_a_policy_that_does_not_load_stops_the_start(text: str) -> None:
    """`load` raises, with at least one diagnostic: there is no policy that could decide."""
    with pytest.raises(PolicyError) as stopped:
        loads(text)
    assert stopped.value.diagnostics


@pytest.mark.parametrize(
    "wrong",
    [
        Request(tool="nobody.knows"), Request(tool=""), Request(tool=None), Request(tool="t", args="{"),  # type: ignore[arg-type]
        Request(tool="t", args=None), Request(tool="t", args=[]), Request(tool="t", args='{"a": 1, "a": 2}'),  # type: ignore[arg-type]
        Request(tool="t", args={"a": float("nan")}), Request(tool="t", args={"a": Ellipsis}), Request(tool="t", args=b"\xff"),
        Request(tool="t", args={"a": "\ud800"}), Request(tool="t", args={"a": 2**64}), Request(tool="t", args={1: 2}),  # type: ignore[dict-item]
        Request(tool="t", principal=5), Request(tool="t", principal=Principal(x={1, 2})), Request(tool="t", context=7),  # type: ignore[arg-type]
        Request(tool="t", context={"a": Ellipsis}), Request(tool="t", agent=3.5), Request(tool="t", at=datetime(2026, 1, 1)),  # type: ignore[arg-type]
        Request(tool="t", at="now"), Request(tool="t", annotations=3), Request(tool="t", input=5), None, "t", 7,  # type: ignore[arg-type]
    ],
    ids=repr,
)  # fmt: skip
def test_a_request_nobody_can_read_is_denied(wrong: Any) -> None:
    """Unknown tools, arguments, principals, times that are none: a recorded deny, never an exception."""
    assert refused(loads(OPEN).decide(wrong))


def test_a_broken_clock_denies() -> None:
    """A rule reads the time, and there is none; where no rule reads it, the decision cannot be dated either."""

    def broken() -> datetime:
        raise OSError("no clock")

    policy = loads(OPEN, clock=broken)
    assert refused(policy.decide(Request(tool="clock")))
    assert not policy.decide(Request(tool="t")).allowed
    naive = loads(OPEN, clock=lambda: datetime(2026, 1, 1))
    assert refused(naive.decide(Request(tool="clock")))


def test_a_faulty_run_denies() -> None:
    """A history that cannot be read refuses calls, results and events; a missing one refuses where a rule needs it."""

    class Broken:
        def snapshot(self) -> Any:
            raise ConnectionError("the store is away")

    policy, run = loads(OPEN), Broken()
    assert refused(policy.decide(Request(tool="t"), run=run))  # type: ignore[arg-type]
    assert refused(policy.decide_result(Request(tool="t"), Outcome(), run=run))  # type: ignore[arg-type]
    assert refused(policy.decide_event(Event(name="@answer", fields={}), run=run))  # type: ignore[arg-type]
    assert refused(policy.decide(Request(tool="run")))


@pytest.mark.parametrize("approvals", [5, [None], ["yes"], [Ellipsis]])
def test_approvals_nobody_can_read_grant_nothing(approvals: Any) -> None:
    """What is no approval meets no escalation."""
    policy = loads('policy p\nqueues ops\nallow all on "t"\nescalate ask on "t" to ops within 1m\n')
    assert not policy.decide(Request(tool="t"), approvals=approvals).allowed


@pytest.mark.parametrize("result", [Ellipsis, float("nan"), {"a": {1}}, "\ud800", 2**70], ids=repr)
def test_a_result_nobody_can_read_is_withheld(result: Any) -> None:
    """The agent never sees what no rule could look at."""
    assert refused(loads(OPEN).decide_result(Request(tool="t"), Outcome(result=result)))


def test_an_event_nobody_knows_is_denied() -> None:
    """Events and fields that are none."""
    policy = loads(OPEN)
    made: Any = Event
    for event in (made(name="@nothing", fields={}), made(name="@answer", fields=5), made(name="@answer", fields={"a": {1}})):
        assert refused(policy.decide_event(event))
    nothing: Any = None
    assert refused(policy.decide_event(nothing))


# ------------------------------------------------------------------ faults inside
class Failing:
    """Stands for a part of the engine: works until it has been used so often, then raises."""

    def __init__(self, part: Any, after: int, fault: type[BaseException]) -> None:
        self.part, self.left, self.fault = part, after, fault

    def __call__(self, *args: Any, **options: Any) -> Any:
        if self.left == 0:
            raise self.fault("injected")
        self.left -= 1
        return self.part(*args, **options)


def _failing_arguments(policy: Policy, after: int, fault: type[BaseException]) -> None:
    intake = policy._core.intake
    checks = intake.checks
    failing = Failing(lambda tool, given: checks[tool](given), after, fault)
    intake.checks = {tool: partial(failing, tool) for tool in checks}


def _failing_method(name: str, policy: Policy, after: int, fault: type[BaseException]) -> None:
    intake = policy._core.intake
    setattr(intake, name, Failing(getattr(intake, name), after, fault))


PARTS: Mapping[str, Callable[[Policy, int, type[BaseException]], None]] = {
    "arguments": _failing_arguments,
    "records": partial(_failing_method, "record"),
    "surroundings": partial(_failing_method, "environment"),
}


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 10**6), part=st.sampled_from(sorted(PARTS)), after=st.integers(0, 3), fault=st.sampled_from(FAULTS)
)
def test_a_fault_in_the_intake_refuses(seed: int, part: str, after: int, fault: type[BaseException]) -> None:
    """Whatever part of the intake fails, and when: the call is refused, and the decision says why."""
    try:
        policy, sound = (drawn(seed).load(clock=clock) for _ in range(2))
    except PolicyError:
        return
    PARTS[part](policy, after, fault)
    draw = random.Random(seed)
    for _ in range(4):
        call = request(draw, True)
        decision, expected = policy.decide(call), sound.decide(call)
        assert refused(decision) or (decision.effect, decision.rules) == (expected.effect, expected.rules)
    if after == 0:
        assert refused(policy.decide(Request(tool="fs.read", args={"count": 1, "to": "a"})))


@settings(deadline=None, max_examples=80)
@given(seed=st.integers(0, 10**6), fault=st.sampled_from(FAULTS), value=st.booleans())
def test_a_fault_in_generated_code_refuses_or_is_mended_by_the_interpreter(
    seed: int, fault: type[BaseException], value: bool
) -> None:
    """Every generated function raises. Values are interpreted instead; a batch that raises as a whole refuses the call."""
    policy_text = drawn(seed)
    try:
        policy, sound = (policy_text.load(clock=clock) for _ in range(2))
    except PolicyError:
        return
    batches = {
        section.batch.function
        for plan in policy.compiled.tools.values() for section in (plan.rewrites, plan.decide, plan.result)
    }  # fmt: skip
    names = [name for name in policy._core.namespace if name.startswith(("batch", "value")) or name in batches]
    for name in names:
        if (name in batches) is not value:
            policy._core.namespace[name] = Failing(None, 0, fault)  # type: ignore[index]
    draw = random.Random(seed)
    for _ in range(6):
        call = request(draw, policy_text.shaped)
        decision, expected = policy.decide(call), sound.decide(call)
        if value:
            assert (decision.effect, decision.rules) == (expected.effect, expected.rules)
        else:
            assert refused(decision) or (decision.effect, decision.rules) == (expected.effect, expected.rules)
            assert not decision.allowed or not names
