"""Events of a run: what the user asked, a step, the answer, a hand-over. Decided, counted, recorded; what may go on is
returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Final

from policy_engine.base.decision import Decision, Timeout
from policy_engine.base.records import Cause, EventBody
from policy_engine.base.refusals import DeadlineExceeded, Denied, LimitReached, Pending
from policy_engine.base.request import Approval, Event
from policy_engine.base.values import Timestamp, datetime_of
from policy_engine.base.wording import message_of
from policy_engine.runtime.mediation.answering import told_when, waited
from policy_engine.runtime.mediation.believing import believed_full
from policy_engine.runtime.mediation.call import refusal
from policy_engine.runtime.mediation.digests import bytes_of, digest_of
from policy_engine.runtime.mediation.effects import Check, Flow, Hung, Pause
from policy_engine.runtime.mediation.people.desk import Standing
from policy_engine.runtime.mediation.people.rendering import Asked
from policy_engine.runtime.mediation.recording import write, write_event
from policy_engine.runtime.mediation.runs import MediatedRun
from policy_engine.runtime.mediation.stages.ask import pause, tell_host
from policy_engine.runtime.mediation.world import LEASE_NANOS
from policy_engine.runtime.ports.audit import Record
from policy_engine.runtime.ports.telemetry import Operation, Span
from policy_engine.runtime.windows import demand_of

_ENDED: Final = "this run has ended"
_LATE: Final = "the time for this run is over"
_NOT_KEPT: Final = "this cannot be recorded or counted now; try again later"
_MOST_STEPS: Final = 1000
_OPERATIONS: Final[dict[str, Operation]] = {"@step": "step", "@answer": "answer"}


def happen(run: MediatedRun, name: Any, fields: Mapping[str, Any], labels: Sequence[str] = ()) -> Flow[Any]:
    """Decide an event; returns its fields as they may go on, or the text that stands in for them. `labels` come with an input.

    Raises `Denied`, `LimitReached` or `Pending`; where the decision's effect is `retry`, the host lets the model try again.
    """
    span = _span(run, name)
    try:
        return (yield from _happen(run, name, fields, labels))
    finally:
        if span is not None:
            span.end()


def _span(run: MediatedRun, name: str) -> Span | None:
    """Steps and answers are told as they pass."""
    operation = _OPERATIONS.get(name)
    if operation is None or run.world.telemetry is None:
        return None
    with nullcontext() if run.span is None else run.span.current():
        return run.world.telemetry.begin(operation, name.removeprefix("@"), {"gen_ai.conversation.id": run.id})


def _happen(run: MediatedRun, name: Any, fields: Mapping[str, Any], labels: Sequence[str]) -> Flow[Any]:
    made = _Happening(run, name, fields, labels)
    bound = None if name == "@run" else made.bound()
    looks = 0
    asked: tuple[tuple[str, int], ...] = ()
    while True:
        if bound is None:
            standing = made.decide()
        else:
            try:
                standing = yield Check(made.decide, bound.after.total_seconds())
            except Hung:
                return _Happening(run, name, fields, labels).late(bound)
        if standing is None:
            return made.end()
        left = run.left()
        if run.world.wishes.pending == "raise" or (left is not None and left <= 0):
            return made.end()
        asked = tell_host(run.world, standing, asked)
        yield Pause(pause(looks))
        looks += 1


class _Happening:
    """One event on its way."""

    def __init__(self, run: MediatedRun, name: Any, fields: Mapping[str, Any], labels: Sequence[str]) -> None:
        self._run = run
        self._labels = [(label, "input.text", True) for label in labels]
        self._world = run.world
        self._policy = run.world.policy
        self._enforced = run.world.mode_now() == "enforce"
        self._name = name
        self._fields = dict(fields)
        self._answers: tuple[Approval, ...] = ()
        self._cause: Cause = "policy"
        self._wait: int | None = None
        self._call = f"{run.id}/{name}/{digest_of(bytes_of(self._fields))}"
        """The same event, asked again later, finds the questions that it asked."""
        self._claim = f"{self._call}@{self._world.clocks.new_id()}"
        self._at = 0
        self._seen = self._attempt = 0
        self._state = ""
        self._decision: Decision | None = None

    def bound(self) -> Timeout | None:
        """How long its check may take, if a rule says so."""
        self._at = self._world.clocks.now()
        return self._policy.bounds.event_timeout(self._event(), run=self._run.history) if self._enforced else None

    def late(self, bound: Timeout) -> Any:
        """Its check did not end in its time, and may still hold the run's lock: nothing of it goes on or is noted."""
        self._at, self._cause = self._world.clocks.now(), "deadline"
        decision = self._policy.bounds.timed_out(self._event(), None, bound.rule)
        self._decision = decision
        try:
            write_event(
                self._run, self._name, decision, self._body(decision, self._run.history.length), self._fields, (), self._at
            )
        except Exception as fault:
            decision = self._refuse("store", f"{_NOT_KEPT} ({type(fault).__name__})")
        return self._stopped(decision)

    def decide(self) -> Standing | None:
        """Decide with all answers there are. Returns where the questions stand, if people must answer first."""
        for _ in range(_MOST_STEPS):
            self._decision = self._decided()
            if self._decision.effect != "escalate" or not self._enforced:
                return None
            try:
                standing = self._world.people.standing(self._asked(), self._decision.asks, self._answers, self._at)
                self._write(standing)
            except Exception as fault:
                self._refuse("store", f"{_NOT_KEPT} ({type(fault).__name__})")
                return None
            if standing.answers == self._answers:
                return standing
            self._answers = standing.answers
        return None

    def _decided(self) -> Decision:
        run = self._run
        self._at = self._world.clocks.now()
        if not run.open:
            return self._refuse("ended", _ENDED)
        if (left := run.left()) is not None and left <= 0:
            return self._refuse("deadline", _LATE)
        event = self._event()
        self._attempt = attempt = run.outputs.get(self._name, 0)
        with run.lock:
            self._state, self._seen = run.state, run.history.length
            return self._policy.decide_event(event, run=run.history, approvals=self._answers, attempt=attempt)

    def _event(self) -> Event:
        run = self._run
        return Event(
            name=self._name, fields=self._fields, principal=run.principal, agent=run.agent, context=run.context,
            at=datetime_of(Timestamp(self._at)),
        )  # fmt: skip

    def _refuse(self, cause: Cause, said: str) -> Decision:
        self._cause = cause
        made = refusal(self._policy, self._name, "not_available", said.partition(" (")[0], said)
        self._decision = Decision(
            "deny", "event", self._name, args=None, rules=(), details=made.details, policy_digest=self._policy.digest
        )
        return self._decision

    def _asked(self) -> Asked:
        run, decision = self._run, self._decision
        assert decision is not None
        return Asked(
            run=run.id, root=run.root, call=self._call, tool=self._name, args=dict(self._fields),
            principal=run.principal, agent=run.agent, words=run.words, history=run.history.snapshot(),
            reason=decision.reason, detail=decision.detail, rules=decision.rules, about=self._name.removeprefix("@"),
        )  # fmt: skip

    def _write(self, standing: Standing) -> None:
        for event in standing.events:
            kind: Any = "ask" if "tier" in event else "answer"
            write(self._run, Record(kind, self._at, self._run.id, None, event, {}))

    # ------------------------------------------------------------------ the end
    def end(self) -> Any:
        """Count, note and record it; return what may go on."""
        decision = self._counted()
        run = self._run
        with run.lock:
            entry = run.history.length
            if self._labels and decision.allowed:
                run.history.put_input(self._returned(decision), labels=[*self._labels, *labels_of(decision)])
            else:
                run.history.event(self._event(), decision=decision if self._enforced else None)
            run.note(self._name.encode() + bytes_of(self._fields))
        passed = decision.allowed or not self._enforced
        run.outputs[self._name] = run.outputs.get(self._name, 0) + 1 if decision.effect == "retry" and not passed else 0
        try:
            if passed and self._answers and not self._world.people.use(self._answers, self._claim):
                decision, passed = self._refuse("policy", "an approval was used already; ask again"), False
            write_event(run, self._name, decision, self._body(decision, entry), self._fields, self._answers, self._at)
        except Exception as fault:
            decision, passed = self._refuse("store", f"{_NOT_KEPT} ({type(fault).__name__})"), False
        return self._returned(decision) if passed else self._stopped(decision)

    def _body(self, decision: Decision, entry: int) -> EventBody:
        body: EventBody = {
            "name": self._name, "effect": decision.effect, "rules": list(decision.rules), "cause": self._cause,
            "policy": decision.policy_digest, "event": self._run.digest(self._name, bytes_of(self._fields)),
            "state": self._state, "enforced": self._enforced, "seen": self._seen, "entry": entry,
        }  # fmt: skip
        if self._name == "@step":
            body["kind"] = str(self._fields.get("kind", ""))
            body["tokens"] = int(self._fields.get("tokens", 0))
            body["cost"] = float(self._fields.get("cost", 0.0))
        if self._attempt:
            body["tries"] = self._attempt
        if self._labels:
            body["labels"] = [label for label, _, _ in self._labels]
        if self._wait is not None:
            body["wait"] = self._wait
        return body

    def _counted(self) -> Decision:
        """Limits on events: they count what passes, at once."""
        decision = self._decision
        assert decision is not None
        owed = decision.reserves
        if not owed or not decision.allowed:
            return decision
        name = f"{self._run.id}/{self._name}/{self._world.clocks.new_id()}"
        demands = [demand_of(one, now=self._at, root=self._run.root, scope=(self._policy.name,)) for one in owed]
        beyond = frozenset(index for index, one in enumerate(owed) if one.observe or not self._enforced)
        counters = self._world.counters
        try:
            answer = counters.reserve(name, demands, now=self._at, lease=LEASE_NANOS, beyond=beyond)
            full = believed_full(answer, len(demands))
        except Exception as fault:
            self._world.unsettled.settle(counters, name, None, self._at)
            return self._refuse("store", f"{_NOT_KEPT} ({type(fault).__name__})")
        if full is None:
            self._world.unsettled.settle(counters, name, {}, self._at)
            return decision
        rule = owed[full.index].rule
        self._cause, self._wait = "limit", full.wait
        self._decision = self._policy.bounds.over_limit(self._event(), decision, rule, run=self._run.history)
        return self._decision

    def _returned(self, decision: Decision) -> Any:
        if not self._enforced or decision.effect == "pass" or decision.effect == "allow":
            return self._fields
        return decision.result

    def _stopped(self, decision: Decision) -> Any:
        message = message_of(decision)
        if decision.effect == "reply" and decision.degradation is not None and self._name == "@answer":
            return decision.degradation.text  # of an answer only: nobody asks a step or an input what to say
        if self._cause == "deadline":
            raise DeadlineExceeded(message, decision, started=False)
        if self._cause == "limit":
            wait = waited(self._wait)
            raise LimitReached(told_when(message, decision, wait), decision, wait)
        raise (Pending if decision.effect == "escalate" else Denied)(message, decision)



def labels_of(decision: Decision) -> list[tuple[str, str, bool]]:
    """The labels that rules put on an event, as a run takes them."""
    return [(put.label, put.path, put.add) for put in decision.labels]
