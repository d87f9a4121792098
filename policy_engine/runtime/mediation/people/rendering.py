"""What a person sees of a call, made from the decided value only: JSON-like, whole, every part spelled out.

Nothing is cut. `facts` leaves out the model's own words, which differ from one try to the next and prove nothing; two
questions are the same only where their facts are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from policy_engine.base.decision import Ask
from policy_engine.base.request import Principal
from policy_engine.base.values import Duration, Timestamp, datetime_of, outward
from policy_engine.runtime.approvals import canonical
from policy_engine.runtime.mediation.people.sources import source_of
from policy_engine.runtime.mediation.people.spelling import spelled, warnings_of
from policy_engine.runtime.trace.view import RunView

FORM: Final = 1
"""Number of this form of `shown`; a change of it makes new questions of old ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call (or event, or result) that people are asked about.

    `call` is its name, as no other call has it; `run` its run and `root` the first of the runs that led to it. `args` are the
    decided arguments in the engine's terms; `words` what the model said last; `history` the run as it was when it was
    decided. `about` = what `args` is called in paths.
    """

    run: str
    root: str
    call: str
    tool: str
    args: Any
    principal: Principal | Mapping[str, Any] | None = None
    agent: Principal | Mapping[str, Any] | str | None = None
    words: str | None = None
    history: RunView | None = None
    reason: str = ""
    detail: str = ""
    rules: tuple[str, ...] = ()
    about: str = "args"


def shown_of(asked: Asked, ask: Ask) -> dict[str, Any]:
    """All that a person sees of a question."""
    return {
        "form": FORM,
        "tool": spelled(asked.tool),
        "arguments": [_leaf(path, value, asked.history) for path, value in _leaves(asked.args, asked.about)],
        "principal": [_field(path, value) for path, value in _leaves(record_of(asked.principal), "principal")],
        "agent": [_field(path, value) for path, value in _leaves(record_of(asked.agent), "agent")],
        "rule": spelled(ask.rule),
        "because": None if ask.because is None else spelled(ask.because),
        "detail": None if ask.detail is None else spelled(ask.detail),
        "words": None if asked.words is None else spelled(asked.words),
    }


def facts_of(shown: Mapping[str, Any]) -> str:
    """Digest (SHA-256, hex) of what a person sees but the model's own words."""
    return digest_of_shown({**shown, "words": None})


def digest_of_shown(shown: Mapping[str, Any]) -> str:
    """Digest (SHA-256, hex) of all that a person sees: what an approver signs."""
    return hashlib.sha256(canonical(dict(shown))).hexdigest()


def _leaf(path: str, value: Any, history: RunView | None) -> dict[str, Any]:
    source = source_of(value, history)
    text = value if isinstance(value, str) else ""
    return {
        **_field(path, value),
        "from": [spelled(word) for word in source.words],
        "labels": [spelled(label) for label in source.labels],
        "warnings": warnings_of(text),
    }


def _field(path: str, value: Any) -> dict[str, Any]:
    kind, text = _kind_and_text(value)
    return {"path": path, "kind": kind, "value": text}


def _kind_and_text(value: Any) -> tuple[str, str]:
    """What a value is and how it is written; the length of a text is told, so that nobody has to trust its end."""
    match value:
        case None:
            return "nothing", "null"
        case bool():
            return "truth value", "true" if value else "false"
        case int():
            return "whole number", str(int(value))
        case float():
            return "number", repr(value)
        case str():
            return f"text, {_counted(len(value), 'character')}", spelled(value)
        case bytes():
            return f"bytes, {_counted(len(value), 'byte')}", value.hex()
        case Timestamp():
            return "time", datetime_of(value).isoformat()
        case Duration():
            return "duration", f"{value.nanos / 1e9!r} s"
        case dict():
            return "map", "{}"
        case list():
            return "list", "[]"
        case _:
            return type(value).__name__, spelled(repr(outward(value)))


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every leaf with its path, keys in order; an empty map or list is a leaf, because it too is what the call says."""
    if isinstance(value, dict) and value:
        for key in sorted(value, key=lambda key: (str(key), type(key).__name__)):
            yield from _leaves(value[key], path + _step(key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def _step(key: Any) -> str:
    """How a path goes on; a key that is no plain name is quoted and spelled, so that it cannot pass for a path."""
    if isinstance(key, str):
        plain = key.isascii() and key.isidentifier()
        escaped = key.replace("\\", "\\\\").replace('"', '\\"')
        return f".{key}" if plain else f'["{spelled(escaped)}"]'
    return f"[{key!r}]"


def record_of(given: Any) -> dict[str, Any]:
    """A principal or agent as plain fields; a bare name is its `id`."""
    if given is None:
        return {}
    if isinstance(given, str):
        return {"id": given}
    return dict(given.fields if isinstance(given, Principal) else given)
