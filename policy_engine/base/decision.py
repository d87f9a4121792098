"""What the engine answers: a decision with its reasons, errors and obligations. Immutable; every field can be kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal as OneOf, TypeAlias

from policy_engine.base.errors import ErrorKind

Phase: TypeAlias = OneOf["call", "result", "event"]
CallEffect: TypeAlias = OneOf["allow", "deny", "escalate"]
ResultEffect: TypeAlias = OneOf["pass", "redact", "withhold", "retry", "reply", "escalate", "fail"]
Effect: TypeAlias = OneOf["allow", "deny", "escalate", "pass", "redact", "withhold", "retry", "reply", "fail"]


@dataclass(frozen=True, slots=True)
class RuleError:
    """A condition that came to an error, and so fell to the safe side of its rule. `place` is `file:line:column`.

    `rule` is the rule's full id, or `request` where the request itself did not fit. Never holds values.
    """

    rule: str
    kind: ErrorKind | OneOf["unknown_tool", "misfit"]
    message: str
    place: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A person must answer before the call may pass; one for each rule that asks, with its tier in force.

    `count` people of `queue` must approve within `within`; an `Approval` must repeat `digest` and `expires`.
    """

    rule: str
    queue: str
    count: int
    within: timedelta
    digest: str
    expires: datetime
    detail: str | None


@dataclass(frozen=True, slots=True)
class Label:
    """A label to be put on (`add`) or taken off the part of the result at `path`, such as `result.items[2].subject`."""

    rule: str
    label: str
    path: str
    add: bool


@dataclass(frozen=True, slots=True)
class Reserve:
    """An amount of a limit to be held before the call."""

    rule: str
    amount: float
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Timeout:
    """The longest time one attempt may take."""

    rule: str
    after: timedelta


Obligation: TypeAlias = Ask | Label | Reserve | Timeout


@dataclass(frozen=True, slots=True)
class Degradation:
    """What happens instead, once a ladder ended in silence or a validation failed: a text for the agent, or another call."""

    rule: str
    kind: OneOf["reply", "set", "call", "retry"]
    text: str | None = None
    tool: str | None = None
    args: dict[str, Any] | None = None
    times: int | None = None
