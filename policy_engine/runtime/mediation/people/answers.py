"""Which answers in the store are a person's own: those whose signature, or whose host's seal, holds for what was shown."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Any

from policy_engine.runtime.approvals import USER_QUEUE
from policy_engine.runtime.mediation.people.statements import Seal, Verify, statement_of
from policy_engine.runtime.ports.approvals import Answer, Question

Proven = tuple[Answer, dict[str, Any]]
"""An answer, and the `approver` record of the person it is of."""


class Judge:
    """Tells answers from what somebody wrote into the store. Never raises for anything that stands there."""

    def __init__(self, verify: Verify, seal: Seal) -> None:
        self._verify = verify
        self._seal = seal

    def proven(self, question: Question, answers: Iterable[Answer]) -> list[Proven]:
        """The answers that are a person's own, with who they are."""
        found = []
        for answer in answers:
            record = self._record(question, answer)
            if record is not None:
                found.append((answer, record))
        return found

    def sealed(self, question: Question, answer: Answer) -> bytes:
        """The host's seal on an answer of its user."""
        return self._seal(statement_of(question, answer))

    def _record(self, question: Question, answer: Answer) -> dict[str, Any] | None:
        if answer.question != question.id or answer.at > question.expires or answer.answer not in ("approved", "refused"):
            return None
        statement = statement_of(question, answer)
        if answer.queue == USER_QUEUE:
            if not hmac.compare_digest(self._seal(statement), answer.signature):
                return None
            return {"id": answer.approver, **answer.record}
        if answer.record:
            return None  # who they are, the registry says, never they themselves
        record = self._verify(answer.approver, answer.queue, statement, answer.signature)
        return dict(record) if record is not None and record.get("id") == answer.approver else None
