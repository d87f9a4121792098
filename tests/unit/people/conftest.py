"""A shop whose large refunds ask people, a clock that moves when told to, and people who sign."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from policy_engine import Approval, Decision, Policy, Principal, Request, Run, loads
from policy_engine.base.values import Timestamp, datetime_of, timestamp_of
from policy_engine.runtime.mediation.people.desk import People, Standing
from policy_engine.runtime.mediation.people.rendering import Asked
from policy_engine.runtime.mediation.people.statements import statement_of
from policy_engine.runtime.ports.approvals import Answer, ApprovalStore, Question
from policy_engine.runtime.ports.notifier import Notice
from policy_engine.stores.memory.approvals import MemoryApprovals

START = timestamp_of(datetime(2026, 3, 1, 12, tzinfo=UTC)).nanos
MINUTE = 60_000_000_000
TOOLS = json.dumps([
    {"name": "refund", "inputSchema": {
        "type": "object", "properties": {"amount": {"type": "number"}, "note": {"type": "string"}, "author": {"type": "string"}},
        "required": ["amount"], "additionalProperties": False,
    }},
])  # fmt: skip
HEADER = 'policy shop\nuse tools "tools.json" as crm\nqueues finance, managers, ops\napprover { id: string, level: int }\n'
PEOPLE = {
    "fay": ({"finance"}, 1), "flo": ({"finance"}, 1), "max": ({"managers"}, 5), "mia": ({"managers"}, 5),
    "moe": ({"managers"}, 2), "u1": ({"finance", "managers"}, 5), "olga": ({"ops"}, 9),
}  # fmt: skip


def signature(approver: str, statement: bytes) -> bytes:
    return hashlib.sha256(f"key of {approver}".encode() + statement).digest()


def verify(approver: str, queue: str, statement: bytes, signed: bytes) -> Mapping[str, Any] | None:
    """As a registry of approvers does, with a digest in place of a real signature."""
    queues, level = PEOPLE.get(approver, (set(), 0))
    return {"id": approver, "level": level} if queue in queues and signed == signature(approver, statement) else None


def seal(statement: bytes) -> bytes:
    return hashlib.sha256(b"the host's own" + statement).digest()


@dataclass
class Desk:
    """One process: a policy, its people, and calls that are decided until nothing is new."""

    policy: Policy
    store: ApprovalStore
    clock: list[int]
    ids: Any
    notices: list[Notice] = field(default_factory=list)
    events: list[Mapping[str, Any]] = field(default_factory=list)
    settled: Standing | None = None
    caps: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.people = People(
            self.store, verify=verify, seal=seal, notify=self.notices.append, new_id=lambda: f"q{next(self.ids):04}", **self.caps
        )

    @property
    def now(self) -> int:
        return self.clock[0]

    def ask(
        self, amount: float = 500.0, *, call: str = "c1", run: Run | None = None, principal: str = "u1", root: str = "r1",
        words: str | None = None, told: tuple[Approval, ...] = (), **args: Any,
    ) -> Decision:  # fmt: skip
        """Decide a refund, with all that people said so far, as the mediation does. The approvals it used are in `used`."""
        request = Request(tool="crm.refund", args={"amount": amount, **args}, principal=Principal(id=principal))
        history = run.snapshot() if run is not None else None
        self.settled = None
        for _ in range(50):
            self.told = told
            decision = self.policy.decide(request, run=run, approvals=told)
            if decision.effect != "escalate":
                return decision
            asked = Asked(
                run=root, root=root, call=call, tool="crm.refund", args=decision.engine_args, principal=request.principal,
                words=words, history=history,
            )  # fmt: skip
            standing = self.people.standing(asked, decision.asks, told, self.now)
            self.events += standing.events
            if standing.answers == told:
                self.settled = standing
                return decision
            told = standing.answers
        raise AssertionError("it does not settle")

    @property
    def question(self) -> Question:
        """The one question that the last call waits for."""
        assert self.settled is not None
        (question,) = self.settled.questions
        return question

    def use(self, call: str = "c1") -> bool:
        """Whether the answers of the last decision let the call pass."""
        return self.people.use(self.told, call)

    def say(self, approver: str, answer: Any = "approved", question: Question | None = None, **changed: Any) -> None:
        """A person answers, with their signature."""
        question = question or self.store.get(self.store.list(state=None)[-1].id)
        assert question is not None
        queue = changed.pop("queue", question.queue)
        said = Answer(f"a{next(self.ids)}", question.id, queue, answer, approver, self.now, b"")
        said = replace(said, signature=signature(approver, statement_of(question, said)))
        self.store.answer(replace(said, **changed))

    def pass_minutes(self, minutes: float) -> None:
        self.clock[0] += int(minutes * MINUTE)


@pytest.fixture
def shop() -> Callable[..., Desk]:
    """`shop(rules)`; with `beside=desk`, another process on the same store; with `clock`, one whose clock is its own."""

    def make(rules: str, *, beside: Desk | None = None, clock: list[int] | None = None, **caps: int) -> Desk:
        at = clock or (beside.clock if beside is not None else [START])
        policy = loads(HEADER + rules, files={"tools.json": TOOLS}, clock=lambda: datetime_of(Timestamp(at[0])))
        store = beside.store if beside is not None else MemoryApprovals()
        return Desk(policy, store, at, beside.ids if beside is not None else itertools.count(1), caps=caps)

    return make
