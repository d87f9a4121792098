"""People with real keys, who answer as the command line does."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from policy_engine.assembly.approvers import Approver, Approvers
from policy_engine.runtime.mediation.people.statements import statement_of
from policy_engine.runtime.ports.approvals import Answer, ApprovalStore


class Person:
    """An approver with a key of their own."""

    def __init__(self, id: str, *queues: str, **record: Any) -> None:
        self.id = id
        self.queues = queues
        self.record = record
        self._key = Ed25519PrivateKey.generate()

    @property
    def entry(self) -> Approver:
        public = base64.b64encode(self._key.public_key().public_bytes_raw()).decode()
        return Approver(self.id, public, frozenset(self.queues), self.record)

    def sign(self, statement: bytes) -> bytes:
        return self._key.sign(statement)

    def say(self, store: ApprovalStore, now: int, answer: Any = "approved", queue: str | None = None) -> None:
        """Answer the newest open question that this person may answer."""
        question = store.list(state=None)[-1]
        said = Answer(uuid4().hex, question.id, queue or question.queue, answer, self.id, now, b"")
        store.answer(replace(said, signature=self.sign(statement_of(question, said))))


def registry(*people: Person) -> Approvers:
    return Approvers([person.entry for person in people])
