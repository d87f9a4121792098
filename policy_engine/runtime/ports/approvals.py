"""Questions to people and their answers, kept across restarts and processes. Implemented in `policy_engine/stores`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal as OneOf, Protocol


@dataclass(frozen=True, slots=True)
class Question:
    """What people are asked, once for each question however often the agent asks it.

    `binding`, `digest`, `expires` (nanoseconds) are those of the first `Ask`; `queue`, `count` and `until` those of the tier in
    force, `tier` its number from 0. `shown` is what a person sees, rendered from the decided value (JSON-like); `run` and
    `principal` are who may have only so many open questions. `silences` are the queues of the tiers that nobody answered.
    """

    id: str
    binding: str
    rule: str
    digest: str
    asked: int
    expires: int
    queue: str
    count: int
    tier: int
    until: int
    silences: tuple[str, ...]
    run: str
    principal: str
    shown: dict[str, Any]
    state: OneOf["open", "used", "withdrawn", "expired"] = "open"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one person answered. `signature` proves who they are (`audit`-independent; see the mediation's `people`)."""

    id: str
    question: str
    queue: str
    answer: OneOf["approved", "refused"]
    approver: dict[str, Any]
    at: int
    signature: bytes


class TooManyQuestions(Exception):
    """A run or a principal has as many open questions as it may have."""


class ApprovalStore(Protocol):
    """Thread- and process-safe. Answers are kept as they were given; whether they count is the mediation's to judge."""

    blocking: bool

    def open(self, question: Question, *, most_per_run: int, most_per_principal: int) -> Question:
        """Ask, or return the open question of the same `binding`. Raises `TooManyQuestions`."""
        ...

    def move(self, question: Question) -> bool:
        """Put a question into its next tier, or into another state; False where somebody else did so before."""
        ...

    def find(self, binding: str) -> Question | None:
        """The open question of a binding."""
        ...

    def get(self, id: str) -> Question | None:
        """A question by its id, or by a beginning of it that no other has."""
        ...

    def list(self, *, queue: str | None = None, state: str | None = "open", most: int = 1000) -> Sequence[Question]:
        """Questions, the oldest first."""
        ...

    def answer(self, answer: Answer) -> None:
        """Keep an answer; the same person's earlier answer to the same question in the same queue stays the one that counts."""
        ...

    def answers(self, question: str) -> Sequence[Answer]:
        """All answers to a question, the oldest first."""
        ...

    def use(self, question: str, call: str) -> bool:
        """The answers let `call` pass, and count never again: True once, also for the same call asked again; False for others."""
        ...
