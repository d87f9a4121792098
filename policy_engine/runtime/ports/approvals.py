"""Questions to people and their answers, kept across restarts and processes. Implemented in `policy_engine/stores`.

Nothing in a store is believed because it is there: others may have written to it. Whose answers count is judged in
`runtime/mediation/people`, by signatures and by what the decided value says itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal as OneOf, Protocol, TypeAlias

State: TypeAlias = OneOf["open", "refused", "used", "withdrawn", "expired"]
"""A question that was refused is asked nobody any more, and answers the same call for as long as it would have been open."""


@dataclass(frozen=True, slots=True)
class AskedTier:
    """One step of a ladder that people climb by silence: `count` of `queue`, within so many nanoseconds."""

    queue: str
    count: int
    within: int


@dataclass(frozen=True, slots=True)
class Question:
    """What people are asked, once for each question however often the agent asks it.

    `binding`, `digest` and `expires` (nanoseconds) are those of the first `Ask`; `facts` is the digest of what a person sees,
    the model's own words aside; `shown` is all they see, JSON-like. `run` and `principal` are who may have only so many open
    questions. `tiers` are those that can be asked, `tier` the number of those that ended in silence; only it, `state` and
    `used_by` (the call that used the answers) ever change. `seal` is the host's on all the rest.
    """

    id: str
    binding: str
    facts: str
    rule: str
    digest: str
    asked: int
    expires: int
    tiers: tuple[AskedTier, ...]
    run: str
    principal: str
    shown: Mapping[str, Any]
    seal: bytes = b""
    tier: int = 0
    state: State = "open"
    used_by: str | None = None

    @property
    def over(self) -> bool:
        """Whether the ladder ended: nobody answered in any tier."""
        return self.tier >= len(self.tiers)

    @property
    def queue(self) -> str:
        """Where people are asked now; the last queue of a ladder that is over."""
        return self._in_force.queue

    @property
    def count(self) -> int:
        """How many of them must approve."""
        return self._in_force.count

    @property
    def until(self) -> int:
        """When the time of the tier in force is over: tiers follow each other without a gap, however late somebody looks."""
        return self.asked + sum(tier.within for tier in self.tiers[: self.tier + 1])

    @property
    def silences(self) -> tuple[str, ...]:
        """The queues of the tiers that nobody answered."""
        return tuple(tier.queue for tier in self.tiers[: self.tier])

    @property
    def _in_force(self) -> AskedTier:
        return self.tiers[min(self.tier, len(self.tiers) - 1)]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one person (`approver`, an id) answered, and when. `signature` proves who they are and what they saw.

    `record` is who the user of the conversation is, as the host says; of everybody else the registry tells. `reason` is
    the person's own, for operators.
    """

    id: str
    question: str
    queue: str
    answer: OneOf["approved", "refused"]
    approver: str
    at: int
    signature: bytes
    record: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


class TooManyQuestions(Exception):
    """A run or a principal has as many open questions as it may have."""


class NotAsked(Exception):
    """Nobody asks this queue for an approval of this question now: it is closed, or the tier's time is over."""


class ApprovalStore(Protocol):
    """Thread- and process-safe. Answers are kept as they were given; whether they count is the mediation's to judge."""

    blocking: bool

    def open(self, question: Question, call: str, *, most_per_run: int, most_per_principal: int) -> Question:
        """Ask, or return the open or refused question of the same `binding` and `facts`; `call` waits for it from now on.

        One that is over, or whose `expires` is not after `question.asked`, is found no more (`expired`). Raises
        `TooManyQuestions`.
        """
        ...

    def waiting(self, call: str) -> Sequence[Question]:
        """The questions that a call waits for, whatever became of them; those it asked last come last."""
        ...

    def leave(self, question: str, call: str) -> bool:
        """The call waits no longer. True where nobody else does: an open question is then `withdrawn`."""
        ...

    def move(self, question: Question) -> bool:
        """Put an open or expired question that stands at `question.tier` into its next tier, or past its last; False where
        somebody else did so before."""
        ...

    def close(self, question: str, state: State) -> bool:
        """Put an open question into another state; False where it is not open."""
        ...

    def get(self, id: str) -> Question | None:
        """A question by its id, or by a beginning of it that no other has."""
        ...

    def list(self, *, queue: str | None = None, state: State | None = "open", most: int = 1000) -> Sequence[Question]:
        """Questions, the oldest first. `queue`: only those that ask there now."""
        ...

    def answer(self, answer: Answer) -> None:
        """Keep an answer. Raises `NotAsked` where the question is not open (a refused one takes refusals), for an approval in a
        tier that is not the one in force at `answer.at`, and for a refusal in a queue that was not asked yet."""
        ...

    def answers(self, question: str) -> Sequence[Answer]:
        """All answers to a question, the oldest first; at most 1,000."""
        ...

    def use(self, questions: Sequence[str], call: str) -> bool:
        """The answers to all of these let `call` pass, and count never again. All or none: True once, also for the same call
        asked again; False for others, and where one of them is not open."""
        ...

    def first(self, question: str, marks: Sequence[str]) -> frozenset[str]:
        """Which of the marks nobody set before, in any process; from now on they are set. For what is told only once."""
        ...
