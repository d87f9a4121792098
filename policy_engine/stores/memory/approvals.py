"""Questions and answers kept in this process only: gone when it ends. For tests, and for runs whose user is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Lock
from typing import Final

from policy_engine.runtime.ports.approvals import Answer, NotAsked, Question, State, TooManyQuestions
from policy_engine.stores.admitting import refusal_of

_MOST_ANSWERS: Final = 1000
_MOST_CLOSED: Final = 10_000
"""Questions that are kept although nobody asks them any more."""


class MemoryApprovals:
    """Implements `runtime.ports.approvals.ApprovalStore`."""

    blocking = False

    def __init__(self) -> None:
        self._lock = Lock()
        self._questions: dict[str, Question] = {}
        self._waiting: dict[str, list[str]] = {}
        self._waiters: dict[str, set[str]] = {}
        self._answers: dict[str, list[Answer]] = {}
        self._marks: dict[str, set[str]] = {}

    def open(self, question: Question, call: str, *, most_per_run: int, most_per_principal: int) -> Question:
        """Ask, or join the same question."""
        with self._lock:
            self._expire(question.asked)
            for found in self._questions.values():
                same = found.binding == question.binding and found.facts == question.facts
                if same and found.state in ("open", "refused"):
                    self._wait(call, found.id)
                    return found
            asked = [one for one in self._questions.values() if one.state == "open"]
            if sum(one.run == question.run for one in asked) >= most_per_run:
                raise TooManyQuestions(f"the run has {most_per_run} open questions, as many as it may")
            if sum(one.principal == question.principal for one in asked) >= most_per_principal:
                raise TooManyQuestions(f"the principal has {most_per_principal} open questions, as many as it may")
            self._forget()
            self._questions[question.id] = question
            self._wait(call, question.id)
            return question

    def _expire(self, now: int) -> None:
        for found in list(self._questions.values()):
            if found.state in ("open", "refused") and (found.over or found.expires <= now):
                self._questions[found.id] = replace(found, state="expired")

    def _forget(self) -> None:
        """The oldest of the closed ones go, once there are too many."""
        closed = [id for id, one in self._questions.items() if one.state not in ("open", "refused")]
        for id in closed[: max(0, len(closed) - _MOST_CLOSED)]:
            del self._questions[id]
            self._answers.pop(id, None)
            self._marks.pop(id, None)
            for call in self._waiters.pop(id, ()):
                rest = [other for other in self._waiting.pop(call, []) if other != id]
                if rest:
                    self._waiting[call] = rest

    def _wait(self, call: str, question: str) -> None:
        mine = self._waiting.setdefault(call, [])
        if question not in mine:
            mine.append(question)
            self._waiters.setdefault(question, set()).add(call)

    def waiting(self, call: str) -> Sequence[Question]:
        """The questions of a call."""
        with self._lock:
            return [self._questions[id] for id in self._waiting.get(call, ())]

    def leave(self, question: str, call: str) -> bool:
        """The call waits no longer."""
        with self._lock:
            if question in self._waiting.get(call, ()):
                self._waiting[call].remove(question)
                self._waiters[question].discard(call)
            found = self._questions.get(question)
            if found is None or self._waiters.get(question):
                return False
            if found.state == "open":
                self._questions[question] = replace(found, state="withdrawn")
            return True

    def move(self, question: Question) -> bool:
        """Put a question into its next tier."""
        with self._lock:
            found = self._questions.get(question.id)
            if found is None or found.tier != question.tier or found.over or found.state not in ("open", "expired"):
                return False
            self._questions[question.id] = replace(found, tier=found.tier + 1)
            return True

    def close(self, question: str, state: State) -> bool:
        """Put an open question into another state."""
        with self._lock:
            found = self._questions.get(question)
            if found is None or found.state != "open":
                return False
            self._questions[question] = replace(found, state=state)
            return True

    def get(self, id: str) -> Question | None:
        """A question by its id, or the beginning of it."""
        with self._lock:
            found = [one for name, one in self._questions.items() if id and name.startswith(id)]
            exact = [one for one in found if one.id == id]
            return exact[0] if exact else found[0] if len(found) == 1 else None

    def list(self, *, queue: str | None = None, state: State | None = "open", most: int = 1000) -> Sequence[Question]:
        """Questions, the oldest first."""
        with self._lock:
            found = [
                one for one in self._questions.values()
                if (state is None or one.state == state) and (queue is None or (one.queue == queue and not one.over))
            ]  # fmt: skip
            return sorted(found, key=lambda one: (one.asked, one.id))[:most]

    def answer(self, answer: Answer) -> None:
        """Keep an answer."""
        with self._lock:
            problem = refusal_of(self._questions.get(answer.question), answer)
            if problem is not None:
                raise NotAsked(problem)
            self._answers.setdefault(answer.question, []).append(answer)

    def answers(self, question: str) -> Sequence[Answer]:
        """The answers to a question."""
        with self._lock:
            return self._answers.get(question, [])[:_MOST_ANSWERS]

    def use(self, questions: Sequence[str], call: str) -> bool:
        """Use up all or none."""
        with self._lock:
            found = [self._questions.get(id) for id in questions]
            for one in found:
                if one is None or not (one.state == "open" or (one.state == "used" and one.used_by == call)):
                    return False
            for one in found:
                if one is not None:
                    self._questions[one.id] = replace(one, state="used", used_by=call)
            return True

    def first(self, question: str, marks: Sequence[str]) -> frozenset[str]:
        """Set marks that nobody set."""
        with self._lock:
            held = self._marks.setdefault(question, set())
            new = frozenset(marks) - held
            held.update(new)
            return new
