"""What two sets of runs are measured by, and how much worse the second may be before that is a drift."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal as OneOf

from policy_engine.audit.metrics.coherence import MILLION
from policy_engine.audit.metrics.comparing import Pair, Side
from policy_engine.audit.metrics.latency import TOOL

Unit = OneOf["share", "score", "seconds", "number"]


@dataclass(frozen=True)
class Measure:
    """One number of a set of runs. `worse`: which way is a drift. `relative`: a drift is a share of the first, not points."""

    name: str
    unit: Unit
    worse: OneOf["lower", "higher"]
    of: Callable[[Side], float | None]
    relative: bool = False


def _coherence(side: Side) -> float | None:
    scores, _ = side.stats.chains.scores()
    return scores.sum / scores.count / MILLION if scores.count else None


def _took(percent: int) -> Callable[[Side], float | None]:
    def took(side: Side) -> float | None:
        spread = side.stats.latency.stages().get(TOOL)
        nanos = None if spread is None else spread.percentile(percent)
        return None if nanos is None else nanos / 1e9

    return took


def _each(metric: str) -> Callable[[Side], float | None]:
    def each(side: Side) -> float | None:
        runs = len(side.rows())
        return float(side.stats.spending.result()[metric]) / runs if runs else None

    return each


MEASURES: Final[tuple[Measure, ...]] = (
    Measure("completion", "share", "lower", lambda side: side.stats.completion.result()["rate"]),
    Measure("success", "share", "lower", lambda side: side.stats.calls.result()["success"]),
    Measure("coherence", "score", "lower", _coherence),
    Measure("refusals", "share", "higher", lambda side: side.stats.refusals.result()["rate"]),
    Measure("escalations", "share", "higher", lambda side: side.stats.escalations.result()["rate"]),
    Measure("p50", "seconds", "higher", _took(50), relative=True),
    Measure("p90", "seconds", "higher", _took(90), relative=True),
    Measure("p99", "seconds", "higher", _took(99), relative=True),
    Measure("tokens", "number", "higher", _each("tokens"), relative=True),
    Measure("cost", "number", "higher", _each("cost"), relative=True),
)
"""Everything that is compared. `p50` … are of the tools' durations, `tokens` and `cost` of one run."""
CHANGED: Final = "changed"
"""Not of one set: the share of the pairs that changed."""
_BOUND: Final = re.compile(r"([a-z0-9]+)=(\d+(?:\.\d+)?)(%?)")


@dataclass(frozen=True)
class Compared:
    """A measure of both sets. `worse` = by how much the second is worse, None where one cannot be measured; `allowed` = how
    much it may be, None where nobody said."""

    name: str
    unit: Unit
    relative: bool
    a: float | None
    b: float | None
    worse: float | None
    allowed: float | None

    @property
    def drifted(self) -> bool:
        """Whether it is worse than allowed. What the first set has and the second has not is a drift too."""
        return self.allowed is not None and (self.worse is None or self.worse > self.allowed + 1e-9)


def bounds_of(text: str) -> dict[str, float]:
    """The bounds of `completion=2%,p99=20%`: percent, or a number as it is. Raises `ValueError`, in words for people."""
    bounds: dict[str, float] = {}
    known = [*(measure.name for measure in MEASURES), CHANGED]
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _BOUND.fullmatch(part)
        if match is None:
            raise ValueError(f"`{part}` is no bound such as `completion=2%`")
        if match[1] not in known:
            raise ValueError(f"`{match[1]}` is not measured; these are: {', '.join(known)}")
        if match[1] in bounds:
            raise ValueError(f"`{match[1]}` is bound twice")
        bounds[match[1]] = float(match[2]) / (100 if match[3] else 1)
    if not bounds:
        raise ValueError("no bound is given")
    return bounds


def compared(a: Side, b: Side, found: Sequence[Pair], bounds: dict[str, float]) -> list[Compared]:
    """Every measure, and the share of pairs that changed."""
    rows = [_measured(measure, a, b, bounds.get(measure.name)) for measure in MEASURES]
    changed = sum(bool(pair.changes()) for pair in found) / len(found) if found else None
    start = None if changed is None else 0.0
    return [*rows, Compared(CHANGED, "share", False, start, changed, changed, bounds.get(CHANGED))]


def _measured(measure: Measure, a: Side, b: Side, allowed: float | None) -> Compared:
    was, now = measure.of(a), measure.of(b)
    worse = None
    if was is not None and now is not None:
        worse = now - was if measure.worse == "higher" else was - now
        if measure.relative:
            worse = worse / was if was else (0.0 if worse <= 0 else float("inf"))
    return Compared(measure.name, measure.unit, measure.relative, was, now, worse, allowed)
