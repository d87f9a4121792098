"""What can happen in recorded traffic: a call, its outcome, an event. Read strictly from plain data.

The shape is that of `policy decide --calls` (docs/tour.md, *Recorded traffic*); cases use it too. An unknown key, a
missing one or a wrong kind is an `EntryError` that names it: a typo must never weaken what is decided about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias, cast

from policy_engine.base.request import Approval, Event, EventName, Outcome, Request
from policy_engine.diagnostics.suggest import did_you_mean

CALL_KEYS: Final = (
    "tool", "args", "principal", "agent", "context", "input", "run", "call", "at", "attended", "approvals",
    "annotations", "digest", "origin",
)  # fmt: skip
ORIGINS: Final = ("user", "attack")
"""On whose behalf a recorded call was made: a mark for tables over recordings, no decision reads it."""
OUTCOME_KEYS: Final = ("run", "call", "result", "error", "at", "duration", "cost")
EVENT_WORDS: Final[Mapping[str, EventName]] = {
    "input": "@input", "answer": "@answer", "step": "@step", "delegate": "@delegate", "resource": "@resource",
    "prompt": "@prompt",
}  # fmt: skip
EVENT_KEYS: Final = (*EVENT_WORDS, "run", "principal", "agent", "context", "at", "attended", "approvals")
APPROVAL_KEYS: Final = ("rule", "queue", "digest", "expires", "approver", "answer", "id")


class EntryError(Exception):
    """An entry that cannot be read; `suggestion` may say what was meant. `key` is where, if it is one key's fault."""

    def __init__(self, message: str, key: str | None = None, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.key = key
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class CallEntry:
    """A call an agent wants to make. `input` is what the user asked, if the entry says so."""

    request: Request
    run: str | None
    input: str | None
    attended: bool
    approvals: tuple[Approval, ...]


@dataclass(frozen=True, slots=True)
class OutcomeEntry:
    """What came of the call `call`."""

    run: str | None
    call: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class EventEntry:
    """Something other than a call."""

    event: Event
    run: str | None
    attended: bool
    approvals: tuple[Approval, ...]


Entry: TypeAlias = CallEntry | OutcomeEntry | EventEntry


def read_entry(data: Any) -> Entry:
    """The entry that plain data describes; raises `EntryError`."""
    if not isinstance(data, Mapping):
        raise EntryError("an entry is an object such as {\"tool\": …, \"args\": {…}}")
    if "tool" in data:
        return _call(data)
    if "call" in data:
        return _outcome(data)
    words = [word for word in EVENT_WORDS if word in data]
    if len(words) == 1:
        return _event(data, words[0])
    if words:
        raise EntryError(f"one entry is one event, but this one has {' and '.join(f'`{word}`' for word in words)}")
    known(data, CALL_KEYS)
    raise EntryError("neither a call (`tool`), nor an outcome (`call`), nor an event (`input`, `answer`, `step` …)")


def known(data: Mapping[str, Any], keys: tuple[str, ...]) -> None:
    """Refuse a key that is none of `keys`, with the nearest of them."""
    for key in data:
        if key not in keys:
            suggestion = did_you_mean(str(key), keys) or f"one of {', '.join(keys)}"
            raise EntryError(f"`{key}` is not a key here", str(key), suggestion)


def _call(data: Mapping[str, Any]) -> CallEntry:
    known(data, CALL_KEYS)
    args = data.get("args", {})
    if not isinstance(args, Mapping | str):
        raise EntryError("`args` is an object, or its JSON as text", "args")
    if data.get("origin", "user") not in ORIGINS:
        raise EntryError("`origin` is user or attack", "origin")
    request = Request(
        tool=text_of(data, "tool"), args=args, principal=_record(data, "principal"), agent=_agent(data),
        context=_record(data, "context") or {}, input=_words(data, "input"), id=_words(data, "call"),
        at=moment_of(data, "at"), annotations=_record(data, "annotations") or {}, digest=_words(data, "digest"),
    )  # fmt: skip
    return CallEntry(request, _words(data, "run"), request.input, _attended(data), _approvals(data))


def _outcome(data: Mapping[str, Any]) -> OutcomeEntry:
    known(data, OUTCOME_KEYS)
    if ("result" in data) == ("error" in data):
        raise EntryError("an outcome has either `result` or `error`")
    duration, cost = data.get("duration", 0), data.get("cost", 0.0)
    for key, value in (("duration", duration), ("cost", cost)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
            raise EntryError(f"`{key}` is a number of {'seconds' if key == 'duration' else 'units'}, 0 or more", key)
    outcome = Outcome(
        status="error" if "error" in data else "returned", result=data.get("result"), error=_words(data, "error"),
        duration=timedelta(seconds=duration), cost=float(cost), at=moment_of(data, "at"),
    )  # fmt: skip
    return OutcomeEntry(_words(data, "run"), text_of(data, "call"), outcome)


def _event(data: Mapping[str, Any], word: str) -> EventEntry:
    known(data, EVENT_KEYS)
    given = data[word]
    if isinstance(given, str):
        fields: dict[str, Any] = {"text": given}
        if word == "step":
            fields = {"kind": "plan", "text": given, "tokens": 0, "cost": 0.0}
    elif isinstance(given, Mapping):
        fields = dict(given)
    else:
        raise EntryError(f"`{word}` is text, or an object with its fields", word)
    if word == "input":
        fields = {"source": "user", "verified": True, **fields}
    event = Event(
        name=EVENT_WORDS[word], fields=fields, principal=_record(data, "principal"), agent=_agent(data),
        context=_record(data, "context") or {}, at=moment_of(data, "at"),
    )  # fmt: skip
    return EventEntry(event, _words(data, "run"), _attended(data), _approvals(data))


# ------------------------------------------------------------------ single keys
def text_of(data: Mapping[str, Any], key: str) -> str:
    """A key that must be there and be text."""
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise EntryError(f"`{key}` is text and must be there", key)
    return value


def _words(data: Mapping[str, Any], key: str) -> str | None:
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        raise EntryError(f"`{key}` is text", key)
    return value


def _record(data: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    value = data.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise EntryError(f"`{key}` is an object", key)
    return value


def _agent(data: Mapping[str, Any]) -> Mapping[str, Any] | str | None:
    value = data.get("agent")
    return value if isinstance(value, str) else _record(data, "agent")


def _attended(data: Mapping[str, Any]) -> bool:
    value = data.get("attended", True)
    if not isinstance(value, bool):
        raise EntryError("`attended` is true or false", "attended")
    return value


def moment_of(data: Mapping[str, Any], key: str) -> datetime | None:
    """A moment as ISO 8601 text with its zone."""
    value = _words(data, key)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise EntryError(f"`{key}` is a moment with its zone, such as 2026-11-24T09:30:00Z", key)
    return moment


def _approvals(data: Mapping[str, Any]) -> tuple[Approval, ...]:
    given = data.get("approvals", [])
    if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
        raise EntryError("`approvals` is a list of objects", "approvals")
    return tuple(_approval(one) for one in given)


def _approval(data: Mapping[str, Any]) -> Approval:
    known(data, APPROVAL_KEYS)
    expires = moment_of(data, "expires")
    answer = data.get("answer", "approved")
    if expires is None:
        raise EntryError("an approval repeats `expires` of what was asked", "approvals")
    if answer not in ("approved", "refused", "silent"):
        raise EntryError("`answer` is approved, refused or silent", "approvals")
    return Approval(
        rule=text_of(data, "rule"), queue=text_of(data, "queue"), digest=text_of(data, "digest"), expires=expires,
        approver=_record(data, "approver") or {}, answer=cast(Any, answer), id=_words(data, "id"),
    )  # fmt: skip
