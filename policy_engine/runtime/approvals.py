"""Approvals: what binds them, whose count, and where a ladder stands. Pure; the host collects the answers.

An approval never is access: it only meets the one escalation it names, and the call is decided again, denies included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal as OneOf

import orjson

from policy_engine.base.decision import Ask, Tier
from policy_engine.base.errors import EvaluationError, MisfitError
from policy_engine.base.request import Approval
from policy_engine.base.values import Timestamp, datetime_of, timestamp_of
from policy_engine.runtime.core import Core
from policy_engine.runtime.details import Scene
from policy_engine.runtime.messages import joined
from policy_engine.semantics.artifact import (
    CompiledLadder,
    CompiledLimit,
    CompiledOtherwise,
    CompiledRule,
    CompiledTier,
)
from policy_engine.semantics.ast.expressions import shape
from policy_engine.semantics.evaluation import run_value

USER_QUEUE = "user"
"""The reserved queue: the human of this conversation."""

TO_USE: Final = timedelta(minutes=1)
"""How long an answer of the last moment still counts: somebody has to see it, and decide again."""


def canonical(value: Any) -> bytes:
    """One byte form for equal engine values, independent of the order of keys and of the process."""
    return orjson.dumps(_plain(value), option=orjson.OPT_SORT_KEYS)


def _plain(value: Any) -> Any:
    """Every kind kept apart: `1`, `1.0`, `true` and `"1"` are four different things, NaN and big ints included."""
    if isinstance(value, dict):
        return {f"{type(key).__name__}:{key!r}": _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str):
        return value
    return {"kind": type(value).__name__, "value": repr(value)}


def fingerprint(rule: CompiledRule) -> str:
    """Changes whenever the asking rule changes what it asks, so that an approval does not outlive the rule it was for."""
    tiers = [
        [tier.count, tier.queue, tier.within_nanos, repr(shape(tier.where.expression)) if tier.where else None]
        for tier in (rule.ladder.tiers if rule.ladder else ())
    ]
    asked: list[Any] = [rule.id, repr(shape(rule.condition)), tiers]
    limit = rule.execution
    if isinstance(limit, CompiledLimit):
        window = limit.window
        values = [limit.bound, limit.of, limit.reserve, *limit.by]
        asked.append([repr(shape(value.expression)) if value else None for value in values])
        asked.append([limit.distinct, window.kind, window.nanos, window.unit, window.zone])
    return hashlib.sha256(canonical(asked)).hexdigest()


def digest_of(tool: str, args: Any, principal: Any, rule: CompiledRule, expires: datetime) -> str:
    """What an approval is bound to (SHA-256, hex): the call, who it is for, the rule that asked and how long it counts."""
    moment = expires.astimezone(UTC).isoformat()
    return hashlib.sha256(canonical([tool, args, principal, fingerprint(rule), moment])).hexdigest()


def binding_of(tool: str, args: Any, principal: Any, rule: CompiledRule) -> str:
    """The same without the time (SHA-256, hex): equal for the same question, whenever it is asked."""
    return hashlib.sha256(canonical([tool, args, principal, fingerprint(rule)])).hexdigest()


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one escalation stands: met, refused, waiting for `ask`, or ended in silence with `otherwise`."""

    kind: OneOf["met", "refused", "waiting", "silent"]
    ask: Ask | None = None
    otherwise: CompiledOtherwise | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """What is needed to judge answers about one call. `admits` = an approver fits the record, and the tier's `where` holds."""

    tool: str
    args: Any
    principal: dict[str, Any]
    now: Timestamp
    attended: bool
    approvals: Sequence[Approval]
    admits: Callable[[CompiledTier, dict[str, Any]], bool]
    note_of: Callable[[CompiledRule, str], str | None]

    def standing(self, rule: CompiledRule) -> Standing:
        """Climb the rule's ladder: each tier is met, refused, waiting, or silent, which leads to the next."""
        ladder = rule.ladder or CompiledLadder((), None)
        answers = [approval for approval in self.approvals if self._counts(approval, rule)]
        queues = {tier.queue for tier in ladder.tiers}
        if any(answer.answer == "refused" and answer.queue in queues for answer in answers):
            return Standing("refused")  # final, in whichever tier it was said, and however late
        silences: dict[str, int] = {}
        for approval in answers:
            if approval.answer == "silent":
                silences[approval.queue] = silences.get(approval.queue, 0) + 1
        for tier in ladder.tiers:
            if tier.queue == USER_QUEUE and not self.attended:
                continue  # nobody is there to ask: the ladder's `else` follows at once
            if silences.get(tier.queue, 0) > 0:
                silences[tier.queue] -= 1
                continue
            if len(self._approvers(tier, answers)) >= tier.count:
                return Standing("met")
            return Standing("waiting", ask=self._ask(rule, tier, ladder))
        return Standing("silent", otherwise=ladder.otherwise)

    def _counts(self, approval: Approval, rule: CompiledRule) -> bool:
        """Whether the answer is about this very call and rule, and still in time. Silence is not undone by time."""
        if approval.rule != rule.id or not isinstance(approval.expires, datetime) or approval.expires.tzinfo is None:
            return False
        if approval.answer != "silent" and self.now > timestamp_of(approval.expires):
            return False
        return approval.digest == digest_of(self.tool, self.args, self.principal, rule, approval.expires)

    def _approvers(self, tier: CompiledTier, answers: Sequence[Approval]) -> set[str]:
        """The different people whose approval counts for the tier."""
        people = set()
        for approval in answers:
            who = approval.approver.get("id")
            if approval.queue != tier.queue or approval.answer != "approved" or not isinstance(who, str) or not who:
                continue
            if tier.queue != USER_QUEUE and who == str(self.principal.get("id")):
                continue  # nobody approves their own request, as a number or as text
            if self.admits(tier, dict(approval.approver)):
                people.add(who)
        return people

    def _ask(self, rule: CompiledRule, tier: CompiledTier, ladder: CompiledLadder) -> Ask:
        total = sum(step.within_nanos for step in ladder.tiers)
        expires = datetime_of(self.now) + timedelta(microseconds=total // 1000) + TO_USE
        after = next(index for index, step in enumerate(ladder.tiers) if step is tier) + 1
        return Ask(
            rule=rule.id, queue=tier.queue, count=tier.count, within=_within(tier),
            digest=digest_of(self.tool, self.args, self.principal, rule, expires), expires=expires,
            detail=self.note_of(rule, "detail"), because=self.note_of(rule, "because"),
            binding=binding_of(self.tool, self.args, self.principal, rule),
            later=tuple(
                Tier(step.queue, step.count, _within(step))
                for step in ladder.tiers[after:]
                if step.queue != USER_QUEUE or self.attended
            ),
        )  # fmt: skip


def _within(tier: CompiledTier) -> timedelta:
    return timedelta(microseconds=tier.within_nanos // 1000)


def asks_user(rule: CompiledRule) -> bool:
    """Whether the rule's ladder asks the human of the conversation."""
    return rule.ladder is not None and any(tier.queue == USER_QUEUE for tier in rule.ladder.tiers)


def desk_for(
    core: Core, subject: str, scene: Scene, bound: Any, approvals: Sequence[Approval]
) -> Desk:
    """Where answers about `subject` are judged; `bound` is what an approval is tied to besides the principal."""
    environment = scene.environment

    def admits(tier: CompiledTier, approver: dict[str, Any]) -> bool:
        try:
            seen = environment.with_approver(core.intake.record("approver", approver))
            if tier.where is None:
                return True
            return run_value(core.namespace, tier.where, scene.args, scene.principal, seen) is True
        except (EvaluationError, MisfitError):
            return False

    def note_of(rule: CompiledRule, note: str) -> str | None:
        notes = joined([rule], note, core.namespace, scene.args, scene.principal, environment)
        return "; ".join(notes) or None

    return Desk(
        tool=subject, args=bound, principal=scene.principal, now=environment.now, attended=environment.attended,
        approvals=approvals, admits=admits, note_of=note_of,
    )  # fmt: skip
