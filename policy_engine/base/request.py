"""What is decided about: calls, results, events, and who stands behind them. Given by the host, frozen here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal as OneOf

from policy_engine.base.drafts import draft_of
from policy_engine.base.values import Timestamp

EventName = OneOf["@input", "@step", "@answer", "@run", "@delegate", "@resource", "@prompt"]


class Principal:
    """On whose behalf the agent acts: `Principal(id="u1", role="support")`. Comes from the host, never from arguments."""

    __slots__ = ("fields",)

    def __init__(self, **fields: Any) -> None:
        self.fields: Mapping[str, Any] = dict(fields)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.fields.items())})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.fields == other.fields

    __hash__ = None  # type: ignore[assignment]


class RunPrincipal(Principal):
    """The principal of a run: who it was when the run began, whatever the host does to it afterwards.

    `known` is what a policy made of it, with the policy's mark, so that it is checked once a run.
    """

    __slots__ = ("known",)

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.fields = dict(fields)
        self.known: tuple[object, dict[str, Any]] | None = None


class Agent(Principal):
    """The agent that asks: `Agent(id="support-bot", model="…", prompt_version="7")`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One tool call that an agent wants to make.

    `args` is what the model sent: a mapping, or its JSON text (then duplicate keys are seen and refused). `id` is the
    host's id of the call. `at` (aware, or an engine's own `Timestamp`) is the moment of the call; None = the policy's clock.
    `annotations` are the tool's (`readOnlyHint` …), `digest` pins its description.
    """

    tool: str
    args: Mapping[str, Any] | str | bytes = field(default_factory=dict)
    principal: Principal | Mapping[str, Any] | None = None
    agent: Agent | Mapping[str, Any] | str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    input: str | None = None
    id: str | None = None
    at: datetime | Timestamp | None = None
    annotations: Mapping[str, Any] = field(default_factory=dict)
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something other than a tool call: what the user asked, a step, the answer, a hand-over …

    `fields` are those LANGUAGE.md lists for it: `@answer` has `text`, `data`; `@input` has `text`, `source`, `verified`.
    """

    name: EventName
    fields: Mapping[str, Any]
    principal: Principal | Mapping[str, Any] | None = None
    agent: Agent | Mapping[str, Any] | str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a call. Exactly one of three: it returned `result`, it raised `error`, or it never ran (`denied`, `pending`).

    `result` is the tool's value as JSON-like data, or its JSON text parsed by the host. `cost` is in the host's unit.
    """

    status: OneOf["returned", "error", "denied", "pending", "running"] = "returned"
    result: Any = None
    error: str | None = None
    duration: timedelta = timedelta(0)
    cost: float = 0.0
    at: datetime | Timestamp | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A person's answer to an `Ask`. `digest` binds it to tool, arguments, principal, the rules that asked and `expires`.

    `answer`: `approved`; `refused` (final, the call is denied); `silent` = nobody answered in this tier's time (made by
    the host, `approver` empty), which moves the ladder on. `approver` is the record of who answered, with an `id`.
    """

    rule: str
    queue: str
    digest: str
    expires: datetime
    approver: Mapping[str, Any] = field(default_factory=dict)
    answer: OneOf["approved", "refused", "silent"] = "approved"
    id: str | None = None


_RequestDraft: Final = draft_of(Request)


def request_of(
    tool: str, args: Any, principal: Any, agent: Any, context: Mapping[str, Any], id: str, at: Timestamp,
    annotations: Mapping[str, Any], digest: str | None,
) -> Request:  # fmt: skip
    """The request of these fields, by position: what `Request(…)` makes, at a tenth of its cost. For the engine's own use."""
    made = _RequestDraft()
    made.tool = tool
    made.args = args
    made.principal = principal
    made.agent = agent
    made.context = context
    made.input = None
    made.id = id
    made.at = at
    made.annotations = annotations
    made.digest = digest
    made.__class__ = Request
    return made  # type: ignore[no-any-return]
