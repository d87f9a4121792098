"""What the audit is told of questions and answers: each thing once, by whichever process sees it first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal as OneOf, TypeAlias

from policy_engine.base.records import AnswerBody, AskBody
from policy_engine.runtime.mediation.people.answers import Proven
from policy_engine.runtime.ports.approvals import ApprovalStore, Question

PeopleEvent: TypeAlias = AskBody | AnswerBody
_MOST_REMEMBERED: Final = 100_000


class Teller:
    """Remembers what this process knows to be told already, so that waiting costs no writing."""

    def __init__(self, store: ApprovalStore) -> None:
        self._store = store
        self._told: set[tuple[str, str]] = set()

    def tell(self, question: Question, proven: Sequence[Proven]) -> list[PeopleEvent]:
        """What nobody has told of a question yet, in order."""
        news = {mark: event for mark, event in _marks(question, proven) if (question.id, mark) not in self._told}
        if not news:
            return []
        first = self._store.first(question.id, list(news))
        if len(self._told) > _MOST_REMEMBERED:
            self._told.clear()
        self._told.update((question.id, mark) for mark in news)
        return [event for mark, event in news.items() if mark in first]


def ended(question: Question, how: OneOf["withdrawn", "expired"]) -> AnswerBody:
    """A question is asked no longer."""
    return AnswerBody(
        request=question.id, rule=question.rule, queue=question.queue, answer=how, approver=None, waited=0
    )  # fmt: skip


def _marks(question: Question, proven: Sequence[Proven]) -> list[tuple[str, PeopleEvent]]:
    marks: list[tuple[str, PeopleEvent]] = []
    waited = 0
    for number, tier in enumerate(question.tiers[: question.tier + 1]):
        asking = AskBody(
            request=question.id, rule=question.rule, queue=tier.queue, count=tier.count, tier=number, expires=question.expires
        )
        marks.append((f"tier:{number}", asking))
        waited += tier.within
        if number < question.tier:
            silent = AnswerBody(
                request=question.id, rule=question.rule, queue=tier.queue, answer="silent", approver=None, waited=waited
            )
            marks.append((f"silent:{number}", silent))
    for answer, _ in proven:
        said = AnswerBody(
            request=question.id, rule=question.rule, queue=answer.queue, answer=answer.answer, approver=answer.approver,
            waited=answer.at - question.asked,
        )  # fmt: skip
        marks.append((f"answer:{answer.id}", said))
    return marks
