"""The desk where questions to people are opened, found again, moved from tier to tier, answered and used up. Pure.

The mediation decides a call, tells the decision's asks and the answers it was made with, and is told all answers that
there are; where these are new, it decides again, until nothing is new: then the call waits, or is decided. Whether a tier
is met only a decision can tell, so a tier ends in silence only once the decision that asks knew all its answers.

Stores are not believed: see `finding.py` for questions and `answers.py` for answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal as OneOf

from policy_engine.base.decision import Ask
from policy_engine.base.request import Approval
from policy_engine.runtime.approvals import USER_QUEUE
from policy_engine.runtime.mediation.people.answers import Judge, Proven
from policy_engine.runtime.mediation.people.finding import Finder
from policy_engine.runtime.mediation.people.ladder import answered, approvers_of, climb, overdue, question_of, silence
from policy_engine.runtime.mediation.people.rendering import Asked
from policy_engine.runtime.mediation.people.statements import Seal, Verify
from policy_engine.runtime.mediation.people.telling import PeopleEvent, Teller, ended
from policy_engine.runtime.ports.approvals import Answer, ApprovalStore, NotAsked, Question, TooManyQuestions
from policy_engine.runtime.ports.notifier import Notice

MOST_PER_RUN: Final = 20
MOST_PER_PRINCIPAL: Final = 100


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the questions of a call stand.

    `answers` are all that there are, silences included: where one of them was not told, decide again with them, else the
    call waits for `questions`. `events` are to be recorded: things that no process has told before.
    """

    answers: tuple[Approval, ...]
    questions: tuple[Question, ...]
    events: tuple[PeopleEvent, ...]


class People:
    """Shared by all runs of a mediator; thread-safe. Every time is in nanoseconds since the epoch."""

    def __init__(
        self, store: ApprovalStore, *, verify: Verify, seal: Seal, notify: Callable[[Notice], None], new_id: Callable[[], str],
        most_per_run: int = MOST_PER_RUN, most_per_principal: int = MOST_PER_PRINCIPAL,
    ) -> None:  # fmt: skip
        """`verify` knows the approvers, `seal` marks what the host itself says of its user (its key must not be where agents
        reach), `notify` tells people that they are asked and never waits, `new_id` gives unguessable ids without `/`.
        """
        self._store = store
        self._judge = Judge(verify, seal)
        self._notify = notify
        self._new_id = new_id
        self._finder = Finder(
            store, new_id, seal, most_per_run=most_per_run, most_per_principal=most_per_principal
        )
        self._teller = Teller(store)

    def standing(self, asked: Asked, asks: Sequence[Ask], told: Sequence[Approval], now: int) -> Standing:
        """Where the asks of a decision stand that was made with the answers `told`. Opens what nobody asked yet.

        Raises `TooManyQuestions`, and whatever the store raises; then nothing new is asked.
        """
        mine = self._store.waiting(asked.call)
        rules = {ask.rule for ask in asks}
        answers = [answer for answer in told if answer.rule not in rules]
        events = self._void(asked.call, asks, mine)
        waiting: list[Question] = []
        opened: list[str] = []
        known = {answer.id for answer in told}
        for ask in asks:
            try:
                question, proven = self._stands(asked, ask, mine, known, now, opened)
            except TooManyQuestions:
                for id in opened:
                    self._store.leave(id, asked.call)
                raise
            answers += _approvals(question, proven)
            events += self._teller.tell(question, proven)
            if not question.over:
                waiting.append(question)
        return Standing(tuple(answers), tuple(waiting), tuple(events))

    def _stands(
        self, asked: Asked, ask: Ask, mine: Sequence[Question], known: set[str | None], now: int, opened: list[str]
    ) -> tuple[Question, list[Proven]]:
        question = self._finder.find(asked, ask, mine, now)
        if question is not None:
            proven = self._proven(question)
            if not all(answer.id in known for answer in _approvals(question, proven)):
                return question, proven
            if overdue(question, now):
                came = now > question.expires and _enough(question, proven)
                if not came:  # silence; else people did answer, but nobody used it in time
                    moved = self._move(question, now)
                    return moved, self._proven(moved)
            elif question.queue == ask.queue and not question.over:
                return question, proven
            self._store.close(question.id, "expired")  # the answers came too late, or the ladder is another now
            self._store.leave(question.id, asked.call)
        question, is_new = self._finder.open(asked, ask, now)
        if is_new:
            opened.append(question.id)
            self._tell(question)
        return question, self._proven(question)

    def use(self, answers: Sequence[Approval], call: str) -> bool:
        """The answers let `call` pass, and count for no other call. All or none; True also for the same call asked again."""
        questions = sorted({question_of(answer) for answer in answers if answer.answer == "approved"} - {""})
        if not questions:
            return True
        if not self._store.use(questions, call):
            return False
        mine = [self._finder.used(question, call) for question in questions]
        return all(mine)

    def withdraw(self, call: str) -> tuple[PeopleEvent, ...]:
        """The call was given up: questions that nobody else waits for are asked no longer."""
        waiting = [question for question in self._store.waiting(call) if question.state == "open"]
        return tuple(ended(one, "withdrawn") for one in waiting if self._store.leave(one.id, call))

    def open_for(self, call: str) -> tuple[Question, ...]:
        """The open questions that a call waits for."""
        return tuple(question for question in self._store.waiting(call) if question.state == "open")

    def answer_as_user(
        self, question: str, answer: OneOf["approved", "refused"], approver: Mapping[str, Any], now: int, *, reason: str = ""
    ) -> None:
        """What the human of this conversation says, in the queue `user` and no other. `approver` is their record, with an
        `id`: the host knows who they are. Raises `NotAsked`.
        """
        found = self._store.get(question)
        if found is None or found.id != question:
            raise NotAsked("there is no such question")
        record = {name: value for name, value in approver.items() if name != "id"}
        said = Answer(self._new_id(), question, USER_QUEUE, answer, str(approver["id"]), now, b"", record, reason)
        signature = self._judge.sealed(self._finder.known(found, now), said)
        self._store.answer(Answer(said.id, question, USER_QUEUE, answer, said.approver, now, signature, record, reason))

    def tick(self, now: int) -> tuple[PeopleEvent, ...]:
        """Move what nobody looks at: questions whose tier is over go to the next, whose people are told. For a timer."""
        events: list[PeopleEvent] = []
        for found in self._store.list():
            question = self._finder.known(found, now)
            if overdue(question, now):
                proven = self._proven(question)
                moved = climb(self._store, question, now, [answer for answer, _ in proven])
                if moved.tier != question.tier:
                    events += self._teller.tell(moved, self._proven(moved))
                    self._tell(moved)
        return tuple(events)

    # ------------------------------------------------------------------ details
    def _proven(self, question: Question) -> list[Proven]:
        proven = self._judge.proven(question, self._store.answers(question.id))
        if question.state == "open" and any(answer.answer == "refused" for answer, _ in proven):
            self._store.close(question.id, "refused")
        return proven

    def _move(self, question: Question, now: int) -> Question:
        """One tier on; where somebody else was faster, to where they brought it."""
        if self._store.move(question):
            self._tell_moved(question)
        found = self._store.get(question.id)
        return question if found is None else self._finder.known(found, now)

    def _tell_moved(self, before: Question) -> None:
        if before.tier + 1 < len(before.tiers):
            found = self._store.get(before.id)
            if found is not None:
                self._tell(found)

    def _tell(self, question: Question) -> None:
        if not question.over:
            self._notify(Notice(
                question.id, question.queue, question.count, question.tier, question.asked, question.until
            ))  # fmt: skip

    def _void(self, call: str, asks: Sequence[Ask], mine: Sequence[Question]) -> list[PeopleEvent]:
        """Questions of rules that ask something else now, because the policy was loaded anew: asked no longer."""
        bindings = {ask.rule: ask.binding for ask in asks}
        stale = [one for one in mine if one.state == "open" and bindings.get(one.rule, one.binding) != one.binding]
        return [ended(one, "withdrawn") for one in stale if self._store.leave(one.id, call)]


def _approvals(question: Question, proven: Sequence[Proven]) -> list[Approval]:
    silences = [silence(question, tier) for tier in range(question.tier)]
    return [*silences, *(answered(question, answer, record) for answer, record in proven)]


def _enough(question: Question, proven: Sequence[Proven]) -> bool:
    return len(approvers_of(question, (answer for answer, _ in proven))) >= question.count
