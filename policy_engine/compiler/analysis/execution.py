"""What limit, timeout, retry and breaker ask of a mediator, as the runtime reads it. Called while a policy is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from policy_engine.semantics.artifact import (
    CompiledBreaker,
    CompiledLimit,
    CompiledRetry,
    CompiledTimeout,
    CompiledWindow,
    Execution,
    Value,
)
from policy_engine.semantics.ast.expressions import Expr
from policy_engine.semantics.ast.policy import Backoff, Breaker, Limit, Retry, Rule, Timeout, Window

FIRST_PAUSE_NANOS: Final = 200_000_000
LAST_PAUSE_NANOS: Final = 5_000_000_000
"""The pauses of a `retry` without `backoff`: 200ms..5s."""
DEFAULT_ZONE: Final = "UTC"
"""Of a calendar window that names none."""


def execution_of(rule: Rule, value: Callable[[Expr], Value], settles: Callable[[Expr], bool]) -> Execution | None:
    """The part of a rule that is not a condition, None for kinds that only decide.

    `value` builds an expression; `settles` tells whether it reads what is known after the call.
    """
    match rule:
        case Limit():
            of, reserve = rule.of, rule.reserve
            return CompiledLimit(
                bound=value(rule.bound),
                of=None if of is None else value(of),
                distinct=rule.distinct,
                reserve=None if reserve is None else value(reserve),
                settles=of is not None and settles(of),
                window=_window(rule.window),
                by=tuple(value(key) for key in rule.by),
            )
        case Timeout():
            return CompiledTimeout(rule.after.nanos)
        case Retry():
            return CompiledRetry(rule.times.value, *_pauses(rule.backoff))
        case Breaker():
            return CompiledBreaker(rule.failures.value, rule.within.nanos, rule.probe_after.nanos)
        case _:
            return None


def _pauses(backoff: Backoff | None) -> tuple[int, int]:
    return (FIRST_PAUSE_NANOS, LAST_PAUSE_NANOS) if backoff is None else (backoff.first.nanos, backoff.last.nanos)


def _window(window: Window) -> CompiledWindow:
    zone = None if window.kind != "calendar" else DEFAULT_ZONE if window.zone is None else window.zone.text
    return CompiledWindow(window.kind, 0 if window.duration is None else window.duration.nanos, window.unit, zone)
