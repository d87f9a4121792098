"""Records for people: one line each, or one in full."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from policy_engine.audit.encoding import to_json, written
from policy_engine.audit.entries import Entry
from policy_engine.cli import terminal

_GOOD: Final = frozenset(("allow", "pass", "redact", "returned", "approved", "closed"))
_WAITS: Final = frozenset(("escalate", "retry", "reply", "silent"))
_SHORT: Final = 12
_MOST_CHARS: Final = 160
_SHOWN: Final = ("args", "asked", "shown", "result", "error", "input", "fields")


def line(entry: Entry) -> str:
    """Number, moment, kind, effect, what it is about, its payloads, its rules, run and call."""
    body = entry.body
    effect = str(body.get("status", body.get("effect", body.get("answer", body.get("state", "")))))
    about = str(body.get("tool", body.get("name", body.get("rule", ""))))
    parts = [
        f"{entry.sequence:>6}", moment(entry.at), f"{entry.kind:<10}", _styled(f"{effect:<9}", effect), about, values(entry),
        ", ".join(body.get("rules") or ()), _named("run", entry.run), _named("call", entry.call),
    ]  # fmt: skip
    return "  ".join(part for part in parts if part.strip()).rstrip()


def _styled(text: str, effect: str) -> str:
    style = "good" if effect in _GOOD else "warn" if effect in _WAITS else "bad"
    return terminal.styled(style, text) if effect else text


def _named(what: str, value: str | None) -> str:
    return terminal.styled("dim", terminal.safe(f"{what} {value}")) if value else ""


def values(entry: Entry) -> str:
    """The first payload that says what was wanted or came of it."""
    for name in _SHOWN:
        payload = entry.payloads.get(name)
        if payload is None:
            continue
        if payload.kept in ("digest", "erased"):
            return f"{name} {'kept as digest' if payload.kept == 'digest' else 'erased'}"
        text = terminal.safe(written(to_json(payload.value)).decode()).replace("\n", " ")
        return text if len(text) <= _MOST_CHARS else f"{text[:_MOST_CHARS]}…"
    return ""


def moment(nanos: int) -> str:
    """A moment to the millisecond, in UTC."""
    return f"{datetime.fromtimestamp(nanos // 10**9, UTC):%Y-%m-%d %H:%M:%S}.{nanos // 10**6 % 1000:03}Z"


def data(entry: Entry) -> dict[str, Any]:
    """A record in full, as plain data."""
    return {
        "sequence": entry.sequence, "digest": entry.digest, "kind": entry.kind, "at": entry.at, "moment": moment(entry.at),
        "run": entry.run, "call": entry.call, "body": entry.body,
        "payloads": {
            name: {"kept": payload.kept, **_value(payload)} for name, payload in entry.payloads.items()
        },
    }  # fmt: skip


def _value(payload: Any) -> dict[str, Any]:
    if payload.kept in ("digest", "erased"):
        return {}
    masked = {"masked": list(payload.places)} if payload.places else {}
    return {"value": to_json(payload.value), **masked}
