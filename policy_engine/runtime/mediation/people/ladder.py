"""Where the ladder of a question stands, as far as that is a matter of time. Pure.

Tiers follow each other by the clock of the first ask, without gaps, so that all processes agree however late they look.
That a tier's time is over is written down once (`ApprovalStore.move`); until then its people may still answer in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from policy_engine.base.decision import Ask
from policy_engine.base.request import Approval
from policy_engine.base.values import Timestamp, datetime_of, timestamp_of
from policy_engine.runtime.ports.approvals import Answer, ApprovalStore, AskedTier, Question

_MICROSECOND = timedelta(microseconds=1)


def tiers_of(ask: Ask) -> tuple[AskedTier, ...]:
    """The tiers that are asked one after the other, beginning with the one of the ask."""
    first = AskedTier(ask.queue, ask.count, nanos_of(ask.within))
    return (first, *(AskedTier(tier.queue, tier.count, nanos_of(tier.within)) for tier in ask.later))


def nanos_of(delta: timedelta) -> int:
    """Nanoseconds of a duration."""
    return delta // _MICROSECOND * 1000


def expires_of(ask: Ask) -> int:
    """When answers to an ask no longer count, in nanoseconds."""
    return timestamp_of(ask.expires).nanos


def overdue(question: Question, now: int) -> bool:
    """Whether the time of the tier in force is over. Not yet at the very moment: an answer then is in time."""
    return not question.over and now > question.until


def tier_by(question: Question, now: int) -> int:
    """The number of the tier that time can have brought a question to: how many silences are possible by now."""
    ended = question.asked
    for number, tier in enumerate(question.tiers):
        ended += tier.within
        if now <= ended:
            return number
    return len(question.tiers)


def climb(store: ApprovalStore, question: Question, now: int, answers: Sequence[Answer]) -> Question:
    """The question in the tier that time has brought it to; writes down every silence on the way.

    A tier that has as many approvals as it wants is not left: whether they count, only a decision can tell.
    """
    while overdue(question, now) and len(approvers_of(question, answers)) < question.count:
        if not store.move(question):
            found = store.get(question.id)
            if found is None or found.tier <= question.tier:
                break
            question = replace(question, tier=found.tier, state=found.state)
            continue
        question = replace(question, tier=question.tier + 1)
    return question


def approvers_of(question: Question, answers: Iterable[Answer]) -> set[str]:
    """Who approved in the tier in force."""
    return {one.approver for one in answers if one.answer == "approved" and one.queue == question.queue}


def silence(question: Question, tier: int) -> Approval:
    """That nobody answered in a tier, as the engine is told."""
    return _approval(question, question.tiers[tier].queue, f"{question.id}/silent/{tier}", {}, "silent")


def answered(question: Question, answer: Answer, record: Mapping[str, Any]) -> Approval:
    """A person's answer, as the engine is told; `record` is who they proved to be."""
    return _approval(question, answer.queue, f"{question.id}/{answer.id}", record, answer.answer)


def question_of(approval: Approval) -> str:
    """The id of the question that an approval made here answers."""
    return (approval.id or "").partition("/")[0]


def _approval(question: Question, queue: str, id: str, record: Mapping[str, Any], answer: Any) -> Approval:
    return Approval(
        rule=question.rule, queue=queue, digest=question.digest, expires=_moment(question.expires), approver=dict(record),
        answer=answer, id=id,
    )  # fmt: skip


def _moment(nanos: int) -> datetime:
    return datetime_of(Timestamp(nanos))
