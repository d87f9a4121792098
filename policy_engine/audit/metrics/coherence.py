"""Reasoning-chain coherence: which share of what an agent did led on. Deterministic, from records alone.

    score = on / (on + Σ weight × fault)

`on` are calls, hand-overs and answers that passed for the first time and that a declared plan, if there is one, foresees.
Nothing that counts as a fault counts as `on`, so that a planted fault never raises the score (a repetition that a plan foresees
is no fault of the plan). `docs/metrics.md` says why each fault is one, and what this score cannot see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal as OneOf, TypeAlias, get_args

from policy_engine.audit.metrics.links import Link

Fault: TypeAlias = OneOf["repeated", "oscillating", "after_refusal", "off_plan", "left_out", "idle"]
FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)
WHOLE: Final = 2
"""Weights are halves: a fault that nothing excuses."""
HALF: Final = 1
"""A fault that may have had a reason: something new was done since, or what is repeated had failed; a step that led nowhere."""
MILLION: Final = 1_000_000
_PASSED: Final = frozenset(("allow", "pass", "redact"))
_REFUSED: Final = frozenset(("deny", "withhold", "fail", "retry"))


@dataclass(frozen=True, slots=True)
class Coherence:
    """`on` and the faults in halves; `counts` how often each was found."""

    on: int
    weights: dict[Fault, int]
    counts: dict[Fault, int]

    @property
    def millionths(self) -> int:
        """The score as a whole number, so that sums of it depend on no order. A run with nothing to judge has a million."""
        whole = self.on + sum(self.weights.values())
        return MILLION if whole == 0 else self.on * MILLION // whole

    @property
    def score(self) -> float:
        """0 … 1."""
        return self.millionths / MILLION

    def losses(self) -> dict[Fault, float]:
        """What each fault took off: with the score they add up to one."""
        whole = self.on + sum(self.weights.values())
        return {name: weight / whole for name, weight in self.weights.items() if weight}


@dataclass(slots=True)
class _Before:
    """The last time that the same was done: how much that was new had been done until then, and what came of it."""

    news: int
    at: int
    failed: bool = False
    wait: int | None = None


@dataclass(slots=True)
class _Segment:
    """What was done under a plan: tools of calls that passed for the first time, and of all that were tried."""

    plan: tuple[str, ...]
    passed: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)


class _Judge:
    """Walks a chain once."""

    def __init__(self) -> None:
        self.on = 0
        self.weights: dict[Fault, int] = dict.fromkeys(FAULTS, 0)
        self.counts: dict[Fault, int] = dict.fromkeys(FAULTS, 0)
        self.segments: list[_Segment] = []
        self._news = 0
        self._passed: dict[str, _Before] = {}
        self._stopped: dict[str, _Before] = {}
        self._hinted: dict[str, set[str]] = {}
        self._thoughts: set[str] = set()
        self._lately: list[str] = []  # the last four things done, repetitions in a row left out

    def fault(self, name: Fault, weight: int, times: int = 1) -> None:
        """Count a fault."""
        if times:
            self.weights[name] += weight * times
            self.counts[name] += times

    def step(self, link: Link) -> None:
        """Thinking of the same kind again, before anything was done about the first."""
        if link.name in self._thoughts:
            self.fault("idle", HALF)
        self._thoughts.add(link.name)

    def act(self, link: Link) -> None:
        """A call, a hand-over or an answer."""
        self._thoughts.clear()
        if self.segments and link.kind == "call":
            self.segments[-1].tried.append(link.name)
        if link.effect in _PASSED or not link.enforced:
            self._went_on(link, self._swings(link.identity))
        else:
            self._was_stopped(link)

    def heard(self) -> None:
        """The user said something: what was done before may be worth doing again."""
        self._news += 1
        self._thoughts.clear()

    def _swings(self, identity: str) -> bool:
        """Whether A B A B is what was done lately."""
        if not self._lately or self._lately[-1] != identity:
            self._lately = [*self._lately[-3:], identity]
        return len(self._lately) == 4 and self._lately[:2] == self._lately[2:]

    def _went_on(self, link: Link, swinging: bool) -> None:
        before = self._passed.get(link.identity)
        if before is None:
            self.on += WHOLE
            self._news += 1
            if self.segments and link.kind == "call":
                self.segments[-1].passed.append(link.name)
        else:
            excused = before.failed or self._news > before.news
            self.fault("oscillating" if swinging else "repeated", HALF if excused else WHOLE)
        self._passed[link.identity] = _Before(self._news, link.at, failed=link.failed)

    def _was_stopped(self, link: Link) -> None:
        before = self._stopped.get(link.identity)
        rules = set(link.rules)
        if link.effect in _REFUSED and self._hinted.get(link.name, set()) & rules:
            self.fault("after_refusal", WHOLE)
        elif before is not None:
            waited = before.wait is not None and link.at >= before.at + before.wait
            if not waited:
                self.fault("after_refusal", HALF if self._news > before.news else WHOLE)
        self._stopped[link.identity] = _Before(self._news, link.at, wait=link.wait)
        if link.hinted:
            self._hinted.setdefault(link.name, set()).update(rules)


def coherence_of(chain: Sequence[Link], *, ended: bool) -> Coherence:
    """The coherence of a run whose links are in order. What a plan leaves out counts only once the run has `ended`."""
    judge = _Judge()
    for link in chain:
        match link.kind:
            case "call" | "answer" | "delegate":
                judge.act(link)
            case "step":
                judge.step(link)
            case "input":
                judge.heard()
            case "plan":
                judge.segments.append(_Segment(link.plan))
    for segment in judge.segments:
        strays = len(segment.passed) - on_plan(segment.plan, segment.passed)
        judge.on -= WHOLE * strays
        judge.fault("off_plan", WHOLE, strays)
    if ended and judge.segments:
        last = judge.segments[-1]
        judge.fault("left_out", WHOLE, len(last.plan) - longest_common(last.plan, last.tried))
    return Coherence(judge.on, judge.weights, judge.counts)


def on_plan(plan: Sequence[str], calls: Sequence[str]) -> int:
    """The most calls that can be put under a step of the plan of their tool, going through the plan in order; a step may
    take several calls."""
    best = [0] * len(plan)  # of the calls so far, those placed when the plan has been walked up to this step
    for call in calls:
        most = 0
        for step, tool in enumerate(plan):
            most = max(most, best[step])
            best[step] = most + (tool == call)
    return max(best, default=0)


def longest_common(plan: Sequence[str], calls: Sequence[str]) -> int:
    """The most steps of the plan that calls fulfil in order, each call one step: the longest common subsequence."""
    best = [0] * (len(plan) + 1)
    for call in calls:
        diagonal = 0
        for step, tool in enumerate(plan, 1):
            above = best[step]
            best[step] = diagonal + 1 if tool == call else max(above, best[step - 1])
            diagonal = above
    return best[-1]
