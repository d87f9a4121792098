"""The exact bytes that an approver signs: which question, what they saw of it, and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from policy_engine.runtime.approvals import canonical
from policy_engine.runtime.mediation.people.rendering import digest_of_shown
from policy_engine.runtime.ports.approvals import Answer, Question

_QUESTION_HEAD: Final = b"policy-engine: a question, form 1\n"
_HEAD: Final = b"policy-engine: an answer to a question, form 1\n"
"""Tells these statements from whatever else somebody may sign with the same key."""

Verify: TypeAlias = Callable[[str, str, bytes, bytes], Mapping[str, Any] | None]
"""`verify(approver, queue, statement, signature)`: the `approver` record of who signed it, if they may answer in the queue."""
Seal: TypeAlias = Callable[[bytes], bytes]
"""A mark that only the host can make: on its questions, and on answers of the user of a conversation, who has no key."""


def question_statement(question: Question) -> bytes:
    """All of a question that never changes, for the seal of the host that asked it."""
    return _QUESTION_HEAD + canonical([
        question.id, question.binding, question.facts, question.rule, question.digest, question.asked, question.expires,
        [[tier.queue, tier.count, tier.within] for tier in question.tiers], question.run, question.principal,
        digest_of_shown(question.shown),
    ])  # fmt: skip


def statement_of(question: Question, answer: Answer) -> bytes:
    """What `answer.signature` is a signature of. `answer.signature` itself and the id of the row count for nothing."""
    return _HEAD + canonical({
        "question": question.id,
        "rule": question.rule,
        "digest": question.digest,
        "expires": question.expires,
        "shown": digest_of_shown(question.shown),
        "queue": answer.queue,
        "answer": answer.answer,
        "approver": answer.approver,
        "at": answer.at,
        "record": dict(answer.record),
        "reason": answer.reason,
    })  # fmt: skip
