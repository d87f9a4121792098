"""Decisions as plain data, one JSON object each: what `policy decide` writes and `policy explain` begins with."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, assert_never

from policy_engine.base.decision import (
    Ask,
    Decision,
    Degradation,
    Label,
    Obligation,
    Reserve,
    RuleError,
    Timeout,
    Window,
)
from policy_engine.base.values import NANOS_PER_SECOND
from policy_engine.cli.traffic.entries import CallEntry, Entry, OutcomeEntry


def answer(entry: Entry, decision: Decision) -> dict[str, Any]:
    """The whole decision; the keys of the entry that name it (`run`, `call`) come first."""
    named: dict[str, Any] = {"run": entry.run} if entry.run is not None else {}
    if isinstance(entry, CallEntry) and entry.request.id is not None:
        named["call"] = entry.request.id
    elif isinstance(entry, OutcomeEntry):
        named["call"] = entry.call
    data = {
        **named,
        "effect": decision.effect,
        "phase": decision.phase,
        "tool": decision.tool,
        "rules": list(decision.rules),
        "reason": decision.reason,
        "detail": decision.detail,
        "hint": decision.hint,
        "errors": [error_data(error) for error in decision.errors],
        "obligations": [obligation_data(one) for one in decision.obligations],
        "observed": list(decision.observed),
        "degradation": None if decision.degradation is None else _degradation(decision.degradation),
        "policy": decision.policy_digest,
    }
    if decision.phase == "call":
        data["args"] = plain(decision.args)
    else:
        data["result"] = plain(decision.result)
    return data


def broken(place: str, message: str) -> dict[str, Any]:
    """The recorded refusal of what could not be read."""
    fault = RuleError("request", "misfit", message, place)
    return {
        "effect": "deny", "phase": "call", "rules": [], "reason": "this could not be read, so it is refused",
        "detail": f"{place}: {message}", "hint": None, "errors": [error_data(fault)], "obligations": [],
    }  # fmt: skip


def error_data(error: RuleError) -> dict[str, str]:
    """One evaluation error."""
    return {"rule": error.rule, "kind": error.kind, "message": error.message, "place": error.place}


def obligation_data(obligation: Obligation) -> dict[str, Any]:
    """One obligation, with its `kind`."""
    match obligation:
        case Ask():
            return {
                "kind": "ask", "rule": obligation.rule, "queue": obligation.queue, "count": obligation.count,
                "within_seconds": obligation.within.total_seconds(), "digest": obligation.digest,
                "expires": plain(obligation.expires), "detail": obligation.detail,
            }  # fmt: skip
        case Label():
            action = "add" if obligation.add else "remove"
            return {
                "kind": "label", "rule": obligation.rule, "label": obligation.label, "path": obligation.path,
                "action": action,
            }  # fmt: skip
        case Reserve():
            return {
                "kind": "reserve", "rule": obligation.rule, "amount": obligation.amount, "keys": list(obligation.keys),
                "bound": obligation.bound, "window": _window(obligation.window), "item": obligation.item,
                "settles": obligation.settles, "observe": obligation.observe,
            }  # fmt: skip
        case Timeout():
            return {"kind": "timeout", "rule": obligation.rule, "after_seconds": obligation.after.total_seconds()}


def _window(window: Window) -> dict[str, Any]:
    """What a window is, without the parts that its kind has not."""
    match window.kind:
        case "sliding":
            return {"kind": "sliding", "seconds": window.nanos / NANOS_PER_SECOND}
        case "calendar":
            return {"kind": "calendar", "unit": window.unit, "zone": window.zone}
        case "run" | "at_once":
            return {"kind": window.kind}
        case _:
            assert_never(window.kind)


def _degradation(degradation: Degradation) -> dict[str, Any]:
    return {
        "kind": degradation.kind, "rule": degradation.rule, "text": degradation.text, "tool": degradation.tool,
        "args": plain(degradation.args), "times": degradation.times,
    }  # fmt: skip


def plain(value: Any) -> Any:
    """A value as JSON can hold it: moments and durations as text, bytes as base64, what is no number as its name."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
