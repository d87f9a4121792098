"""Switching between enforcing and observing at run time: an act that somebody with a key answers for, and that is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from policy_engine.assembly.approver_keys import ApproverKey
from policy_engine.assembly.approvers import Approvers
from policy_engine.base.records import ModeBody
from policy_engine.base.values import timestamp_of
from policy_engine.runtime.engine import Policy
from policy_engine.runtime.mediation.world import Mode, World
from policy_engine.runtime.ports.audit import Record

OPERATORS: Final = "operators"
"""The queue whose approvers may switch."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Somebody wants a mode until a moment (nanoseconds; None = for good), signed over `statement_of` by their key."""

    mode: Mode
    by: str
    until: int | None
    signature: bytes

    @classmethod
    def signed(cls, key: ApproverKey, policy: Policy, mode: Mode, until: datetime | None) -> Switch:
        """What the owner of an unlocked key signs, for this version of a policy; `until` (aware) ends it by itself."""
        moment = None if until is None else timestamp_of(until).nanos
        statement = statement_of(policy.name, policy.digest, mode, key.approver, moment)
        return cls(mode, key.approver, moment, key.sign(statement))


class NotAuthorised(Exception):
    """Nobody who may do so asked for this."""


def statement_of(policy: str, digest: str, mode: Mode, by: str, until: int | None) -> bytes:
    """The bytes that are signed: for this policy, in this version, and no other."""
    parts = ("policy-engine mode 1", policy, digest, mode, by, "" if until is None else str(until))
    return "\n".join(part.replace("\\", "\\\\").replace("\n", "\\n") for part in parts).encode()


def switch(world: World, approvers: Approvers | None, wanted: Switch) -> None:
    """Switch for calls that begin from now on, once it is recorded. Raises `NotAuthorised`, and what the log raises."""
    now = world.clocks.now()
    policy = world.policy
    statement = statement_of(policy.name, policy.digest, wanted.mode, wanted.by, wanted.until)
    if approvers is None or not approvers.signed(wanted.by, OPERATORS, statement, wanted.signature):
        raise NotAuthorised(f"only an approver in the queue `{OPERATORS}` may switch the mode, and must sign for it")
    if wanted.until is not None and wanted.until <= now:
        raise NotAuthorised("the time for which this was signed is over")
    record_mode(world, wanted.mode, wanted.by, wanted.until)
    world.mode, world.mode_until = wanted.mode, wanted.until


def record_mode(world: World, mode: Mode, by: str, until: int | None) -> None:
    """Write the switch down."""
    body: ModeBody = {"mode": mode, "by": by, "until": until}
    world.log.append(Record("mode", world.clocks.now(), "", None, body))
