"""Finding the question of a call again, or opening it, without believing the store.

A question counts if this process opened it, and then as it was opened; if the host sealed it with the key it has now; else
if it shows exactly what the call would show now, so that nobody can let people see one thing and approve another.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from policy_engine.base.decision import Ask
from policy_engine.base.values import NANOS_PER_SECOND
from policy_engine.runtime.approvals import canonical
from policy_engine.runtime.mediation.people.ladder import expires_of, tier_by, tiers_of
from policy_engine.runtime.mediation.people.rendering import Asked, facts_of, record_of, shown_of
from policy_engine.runtime.mediation.people.statements import Seal, question_statement
from policy_engine.runtime.ports.approvals import ApprovalStore, Question, TooManyQuestions

_MOST_KEPT: Final = 10_000
"""Questions that this process remembers; an older one must show again what its call shows."""
_SKEW: Final = 60 * NANOS_PER_SECOND
"""Between the clock of a decision and that of its question."""


class Finder:
    """Questions that count. `most_per_run` and `most_per_principal` bound how many may be open."""

    def __init__(
        self, store: ApprovalStore, new_id: Callable[[], str], seal: Seal, *, most_per_run: int, most_per_principal: int
    ) -> None:
        self._store = store
        self._seal = seal
        self._new_id = new_id
        self._most_per_run = most_per_run
        self._most_per_principal = most_per_principal
        self._kept: OrderedDict[str, Question] = OrderedDict()
        self._used: OrderedDict[str, str] = OrderedDict()

    def find(self, asked: Asked, ask: Ask, mine: Sequence[Question], now: int) -> Question | None:
        """The question of an ask among those that its call waits for; None where none of them counts."""
        for found in reversed(mine):
            if found.binding == ask.binding and _answers(self.known(found, now), asked.call):
                counts = self._counting(found, asked, ask, now)
                if counts is not None:
                    return counts
        return None

    def open(self, asked: Asked, ask: Ask, now: int) -> tuple[Question, bool]:
        """Ask anew, or join those who ask the same; and whether it is new. Raises `TooManyQuestions`."""
        fresh = self._fresh(asked, ask, now)
        for _ in range(2):
            opened = self._store.open(
                fresh, asked.call, most_per_run=self._most_per_run, most_per_principal=self._most_per_principal
            )
            if opened.id == fresh.id:
                self._keep(fresh)
                return fresh, True
            counts = self._counting(opened, asked, ask, now)
            if counts is not None and _answers(counts, asked.call):
                return counts, False
            self._store.leave(opened.id, asked.call)  # not what it says it is: nobody shall answer it
            self._store.close(opened.id, "withdrawn")
        raise TooManyQuestions("the store does not hold what is asked")

    def known(self, found: Question, now: int) -> Question:
        """A question from the store, as this process opened it if it did. Its tier is one that time allows, and no earlier one
        than was seen before, whatever clocks say."""
        if found.id in self._used:
            found = replace(found, state="used", used_by=self._used[found.id])
        kept = self._kept.get(found.id)
        if kept is None:
            return found
        tier = max(kept.tier, min(found.tier, tier_by(kept, now)))
        if tier != kept.tier:
            self._kept[found.id] = replace(kept, tier=tier)
        return replace(kept, tier=tier, state=found.state, used_by=found.used_by)

    def used(self, question: str, call: str) -> bool:
        """Whether `call` is the one that uses the answers, as far as this process knows; from now on it is."""
        user = self._used.setdefault(question, call)
        if len(self._used) > _MOST_KEPT:
            self._used.popitem(last=False)
        return user == call

    def _counting(self, found: Question, asked: Asked, ask: Ask, now: int) -> Question | None:
        if found.id not in self._kept:
            if not self._sealed(found) and not _same(found, self._fresh(asked, ask, now)):
                return None
            self._keep(found)
        return self.known(found, now)

    def _fresh(self, asked: Asked, ask: Ask, now: int) -> Question:
        shown = shown_of(asked, ask)
        question = Question(
            id=self._new_id(), binding=ask.binding, facts=facts_of(shown), rule=ask.rule, digest=ask.digest, asked=now,
            expires=expires_of(ask), tiers=tiers_of(ask), run=asked.root,
            principal=hashlib.sha256(canonical(record_of(asked.principal))).hexdigest(), shown=shown,
        )  # fmt: skip
        return replace(question, seal=self._seal(question_statement(question)))

    def _sealed(self, found: Question) -> bool:
        """Whether this host asked it, perhaps before a restart, and nobody changed it since."""
        whole = 0 <= found.tier <= len(found.tiers) and found.facts == facts_of(found.shown)
        return whole and hmac.compare_digest(found.seal, self._seal(question_statement(found)))

    def _keep(self, question: Question) -> None:
        self._kept[question.id] = replace(question, tier=0, state="open", used_by=None)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)


def _answers(question: Question, call: str) -> bool:
    """Whether a question that a call waits for can still tell it something."""
    return question.state in ("open", "refused", "expired") or (question.state == "used" and question.used_by == call)


def _same(found: Question, fresh: Question) -> bool:
    """Whether a question shows what it would if it were asked now, to the same people and for as long."""
    return (
        found.facts == fresh.facts == facts_of(found.shown)
        and found.rule == fresh.rule
        and found.tiers == fresh.tiers
        and 0 <= found.tier <= len(found.tiers)
        and abs((found.expires - found.asked) - (fresh.expires - fresh.asked)) < _SKEW
    )
