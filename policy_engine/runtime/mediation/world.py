"""What a mediator is made of: the policy in force, the ports it stands on, and how the host wants it. Made at `assembly`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal as OneOf, TypeAlias

from policy_engine.base.values import NANOS_PER_SECOND
from policy_engine.runtime.engine import Policy
from policy_engine.runtime.mediation.people.desk import People
from policy_engine.runtime.mediation.unsettled import Unsettled
from policy_engine.runtime.ports.approvals import Question
from policy_engine.runtime.ports.audit import AuditLog
from policy_engine.runtime.ports.counters import CounterStore
from policy_engine.runtime.ports.telemetry import Telemetry

Mode: TypeAlias = OneOf["enforce", "observe"]
Backoff: TypeAlias = Callable[[int, float, float], float]
"""Seconds to wait before try number `n + 1`, between the first and the last pause of the rule."""

Pending: TypeAlias = OneOf["raise", "wait"] | Callable[[Sequence[Question]], None]
"""What a call does that waits for people: raise `Pending`, wait, or tell the host which questions are open, and then wait."""

LEASE_NANOS: Final = 30 * NANOS_PER_SECOND
"""How long a place is kept for a call whose process gives no sign of life."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """`now` is wall time (nanoseconds since the epoch), `monotonic` never goes back (nanoseconds), `new_id` is unique."""

    now: Callable[[], int]
    monotonic: Callable[[], int]
    new_id: Callable[[], str]
    salt: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Wishes:
    """How the host wants it.

    `pending`: see `Pending`. `retryable` says of an exception that another try may succeed. `to_data` makes plain data of what a
    tool returned; `cost` tells what a call cost. `tools` are functions for `else call` and for calls without `execute`.
    """

    pending: Pending
    retryable: Callable[[BaseException], bool]
    to_data: Callable[[Any], Any] | None
    cost: Callable[[str, Any], float] | None
    tools: Mapping[str, Callable[..., Any]]
    backoff: Backoff


@dataclass(slots=True, weakref_slot=True)
class World:
    """Shared by all runs of a mediator. `policy` and `mode` may be exchanged; a call keeps those it began with."""

    policy: Policy
    counters: CounterStore
    people: People
    log: AuditLog
    telemetry: Telemetry | None
    clocks: Clocks
    wishes: Wishes
    mode: Mode = "enforce"
    mode_until: int | None = None
    breakers: dict[str, str] = field(default_factory=dict)
    """The state of breakers as they were last written down."""
    unsettled: Unsettled = field(default_factory=Unsettled)
    """Calls whose limits must still be told how they ended."""
    unrecorded: int = 0
    """Refusals, breakers and leaks that the log did not keep. They stood all the same."""
    kept: set[str] = field(default_factory=set)
    """Digests of the policies whose sources the log has."""

    def mode_now(self) -> Mode:
        """The mode in force: observing for a time ends by itself."""
        if self.mode_until is not None and self.clocks.now() >= self.mode_until:
            self.mode, self.mode_until = "enforce", None
        return self.mode
