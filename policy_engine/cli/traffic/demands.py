"""What limits, timeouts, retries and breakers demand, in words for people: of a rule, and of one call."""

from __future__ import annotations

from typing import assert_never

from policy_engine.base.decision import Reserve, Timeout, Window
from policy_engine.base.values import NANOS_PER_SECOND
from policy_engine.semantics.artifact import (
    CompiledBreaker,
    CompiledLimit,
    CompiledRetry,
    CompiledTimeout,
    CompiledWindow,
    Execution,
)


def demand_of(execution: Execution | None) -> str | None:
    """What the rule asks of a mediator; None for rules that only decide."""
    match execution:
        case None:
            return None
        case CompiledLimit():
            of = "calls" if execution.of is None else _written(execution.of.expression.span.text)
            counted = f"different {of}" if execution.distinct else of
            keys = ", ".join(_written(key.expression.span.text) for key in execution.by)
            later = ", known after the call" if execution.settles else ""
            return f"counts {counted} {window_text(execution.window)}{f' by {keys}' if keys else ''}{later}"
        case CompiledTimeout():
            return f"ends what takes longer than {_seconds(execution.after_nanos)}"
        case CompiledRetry():
            first, last = _seconds(execution.first_nanos), _seconds(execution.last_nanos)
            return f"up to {execution.times} more tries, {first} to {last} apart, of what is read-only or idempotent"
        case CompiledBreaker():
            within, probe = _seconds(execution.within_nanos), _seconds(execution.probe_nanos)
            return f"refuses after {execution.failures} failures in {within}, for {probe}"
        case _:
            assert_never(execution)


def owed_text(owed: Reserve | Timeout) -> str:
    """One obligation of a call."""
    if isinstance(owed, Timeout):
        return f"ends after {owed.after.total_seconds():g}s ({owed.rule})"
    keys = f" by {', '.join(owed.keys)}" if owed.keys else ""
    item = f" for {owed.item}, if it is new," if owed.item is not None else ""
    seen = ", observed" if owed.observe else ""
    return f"reserves {owed.amount:g}{item} of {owed.bound:g} {window_text(owed.window)}{keys} ({owed.rule}{seen})"


def window_text(window: Window | CompiledWindow) -> str:
    """The window as a rule writes it."""
    match window.kind:
        case "sliding":
            return f"per {_seconds(window.nanos)}"
        case "calendar":
            return f"per {window.unit} in {window.zone}"
        case "run":
            return "per run"
        case "at_once":
            return "at once"
        case _:
            assert_never(window.kind)


def _seconds(nanos: int) -> str:
    return f"{nanos / NANOS_PER_SECOND:g}s"


def _written(text: str) -> str:
    return " ".join(text.split())
