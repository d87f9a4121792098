"""One run, built up again from its records: what a decision had seen, and what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from policy_engine.assembly.redo import Again
from policy_engine.audit.entries import Entry
from policy_engine.base.decision import Decision, Label, Recorded
from policy_engine.base.request import Approval, Event, Outcome, Request
from policy_engine.base.values import Timestamp, datetime_of
from policy_engine.runtime.details import FixedDetails
from policy_engine.runtime.mediation.past import past_of, remember
from policy_engine.runtime.trace.provenance.leaves import LabelAt
from policy_engine.runtime.trace.run import Run

DECIDED: Final = ("decision", "outcome", "event")
"""Kinds of records about a decision; each also made an entry in the trace of its run."""
_NEVER_AGAIN: Final = 1 << 30
_STATUS: Final = {"allow": "running", "escalate": "pending"}


class Inexact(Exception):
    """Why a decision cannot be redone exactly."""

    def __init__(self, why: str) -> None:
        super().__init__(f"cannot be redone exactly: {why}")


@dataclass(slots=True)
class _Asked:
    """A call as it was last asked: what its outcome belongs to."""

    request: Request
    decided: Decision
    at: int


class Replay:
    """The records of one run, in order. `policy` finds the policy of a digest, or says why there is none."""

    def __init__(self, entries: Sequence[Entry], policy: Callable[[str], Again | str]) -> None:
        self._policy = policy
        self._begun = next((entry for entry in entries if entry.kind == "run.begun"), None)
        told = [entry for entry in entries if entry.kind in DECIDED]
        self._changes = sorted(told, key=lambda entry: (entry.body.get("entry", entry.sequence), entry.sequence))
        self._position = {entry.sequence: number for number, entry in enumerate(self._changes)}
        self._run: Run | None = None
        self._length = 0
        self._done = 0
        self._asked: dict[str, _Asked] = {}
        self._events: dict[int, Decision] = {}
        self._lost: str | None = None
        self.gap: int | None = None
        """The number of an entry that the run had and that no record tells of."""

    @property
    def keeps(self) -> bool:
        """Whether its calls are kept across runs, so that they count for other runs too."""
        digest = "" if self._begun is None else self._begun.body.get("policy", "")
        again = self._policy(digest) if digest else ""
        return isinstance(again, Again) and bool(again.policy.compiled.histories)

    def whole(self, again: Again) -> Run:
        """The run with all that its records tell, as a run of this policy. Raises `Inexact`."""
        self._begin(again)
        for change in self._changes:
            self._apply(again, change)
        if self._lost is not None:
            raise Inexact(self._lost)
        assert self._run is not None
        return self._run

    def decide(self, entry: Entry) -> tuple[Decision | None, str]:
        """The decision of a record made again (None where there was none to make), and a note. Raises `Inexact`."""
        if entry.kind not in DECIDED:
            return None, ""
        again = self._again(entry)
        self._build(again, entry)
        made = self._made(again, entry)
        if self.keeps and self._done == self._position[entry.sequence]:
            self._apply(again, entry)  # other runs may read it before anything else happens in this one
            self._done += 1
        note = "" if again.engine is None else f"decided by engine {again.engine} then"
        return made, note

    def _again(self, entry: Entry) -> Again:
        again = self._policy(entry.body["policy"])
        if isinstance(again, str):
            raise Inexact(again)
        if self._begun is None:
            raise Inexact(f"the beginning of the run {entry.run} is not recorded")
        return again

    # ------------------------------------------------------------------ the run as it was
    def _build(self, again: Again, entry: Entry) -> None:
        """Bring the run to the moment that the decision saw."""
        position = self._position[entry.sequence]
        seen = entry.body.get("seen")
        if self._run is None or (seen is not None and self._length > seen) or self._done > position:
            self._begin(again)
        while self._done < position:
            change = self._changes[self._done]
            number = change.body.get("entry")
            if seen is not None and number is not None and number >= seen and change.kind != "event":
                break
            self._apply(again, change)
            self._done += 1
        if seen is not None:
            self._fill(again, entry, seen)
        if self._lost is not None:
            raise Inexact(self._lost)

    def _begin(self, again: Again) -> None:
        begun = self._begun
        assert begun is not None
        again.now = Timestamp(begun.body.get("started", begun.at))
        self._run = again.policy.run(id=begun.run, attended=begun.body.get("attended", True))
        self._done, self._length, self._lost = 0, 0, None
        for fields, labels in begun.value("inherited", ()):
            self._run.put_input(fields, labels=[LabelAt(*put) for put in labels])
            self._length += 1
        told = _value(begun, "past")
        if told:
            who = {name: self._who(begun, name) for name in ("principal", "agent", "context")}
            who["context"] = who["context"] or {}
            remember(again.policy, self._run, past_of(told, {**who, "at": datetime_of(Timestamp(begun.at))}))
            self._length = self._run.length

    def _fill(self, again: Again, entry: Entry, length: int) -> None:
        """Entries that no record tells of are the call's own, noted before it was decided for good."""
        while self._length < length:
            self.gap = self._length
            asked = self._request(entry) if entry.kind == "decision" else None
            if asked is None or self._run is None:
                return
            status: Any = "pending" if "approvals" in entry.said else "running"
            again.now = Timestamp(entry.at)
            self._run.record(asked, Outcome(status=status), decision=_decided(entry))
            self._length += 1

    def _apply(self, again: Again, change: Entry) -> None:
        """What the run was told when this had been decided."""
        run = self._run
        assert run is not None
        number = change.body.get("entry")
        if number is not None and change.kind != "event":
            self._fill(again, change, number)
        try:
            match change.kind:
                case "decision":
                    self._attempt(again, run, change)
                case "outcome":
                    self._outcome(again, run, change)
                case _:
                    self._event(again, run, change)
        except Inexact as fault:
            self._lost = self._lost or f"record {change.sequence} before it {str(fault).partition(': ')[2]}"

    def _attempt(self, again: Again, run: Run, change: Entry) -> None:
        body = change.body
        self._length += 1
        refused = body.get("cause", "policy") != "policy" or body["effect"] not in _STATUS
        status: Any = "denied" if refused else _STATUS[body["effect"]]
        if not body.get("enforced", True):
            status = "running"
        request, decided = self._request(change, executed=True), _decided(change)
        self._asked[change.call or ""] = _Asked(request, decided, change.at)
        again.now = Timestamp(change.at)
        run.record(request, Outcome(status=status), decision=decided)
        if status == "running":
            for approval in _approvals(change):
                run.approval_used(approval)

    def _outcome(self, again: Again, run: Run, change: Entry) -> None:
        self._length += 1
        asked = self._asked_of(change)
        again.now = Timestamp(asked.at)
        body = change.body
        output = None
        outcome = self._came(change)
        if outcome.status == "returned":
            shown = _value(change, "shown") if "shown" in change.said else None
            if shown is None and body["effect"] == "pass":
                shown = _value(change, "result")
            output = Decision(
                body["effect"], "result", body["tool"], args=asked.decided.engine_args, rules=(), details=_NO_WORDS,
                policy_digest="", result=shown, obligations=tuple(Label(*put) for put in body.get("labels", ())),
            )  # fmt: skip
        run.record(asked.request, outcome, decision=asked.decided, output=output)

    def _event(self, again: Again, run: Run, change: Entry) -> None:
        made = self._events.get(change.sequence) or self._decided_event(again, change)
        enforced = change.body.get("enforced", True)
        before = run.snapshot().length
        again.now = Timestamp(change.at)
        brought = change.body.get("labels")
        if brought and made.allowed:
            own = [(put.label, put.path, put.add) for put in made.labels]
            run.put_input(made.engine_result, labels=[*((label, "input.text", True) for label in brought), *own])
        else:
            run.event(self._happened(change), decision=made if enforced else None)
        self._length += run.snapshot().length - before

    # ------------------------------------------------------------------ the decision
    def _made(self, again: Again, entry: Entry) -> Decision | None:
        if entry.kind == "decision":
            again.now = Timestamp(entry.at)
            return again.policy.decide(
                self._request(entry), run=self._run, approvals=_approvals(entry), recorded=recorded_of(_value(entry, "recorded"))
            )
        if entry.kind == "event":
            made = self._events[entry.sequence] = self._decided_event(again, entry)
            return made
        return self._judged(again, entry)

    def _decided_event(self, again: Again, entry: Entry) -> Decision:
        again.now = Timestamp(entry.at)
        return again.policy.decide_event(
            self._happened(entry), run=self._run, approvals=_approvals(entry), attempt=entry.body.get("tries", 0),
            recorded=recorded_of(_value(entry, "recorded")),
        )  # fmt: skip

    def _judged(self, again: Again, entry: Entry) -> Decision | None:
        """The decision about a result. Which attempt it was is told by the record, or is the one that it agrees with."""
        outcome = self._came(entry, whole=True)
        if outcome.status != "returned" or entry.body["effect"] == "fail":
            return None
        asked = self._asked_of(entry)
        attempts = [entry.body["attempt"]] if "attempt" in entry.body else [0, _NEVER_AGAIN, entry.body.get("tries", 1) - 1]
        made: Decision | None = None
        for attempt in attempts:
            again.now = Timestamp(asked.at)
            made = again.policy.decide_result(
                asked.request, outcome, decision=asked.decided, run=self._run, approvals=_approvals(entry), attempt=attempt,
                recorded=recorded_of(_value(entry, "recorded")),
            )  # fmt: skip
            if (made.effect, list(made.rules)) == (entry.body["effect"], list(entry.body["rules"])):
                break
        return made

    # ------------------------------------------------------------------ what records tell
    def _request(self, entry: Entry, *, executed: bool = False) -> Request:
        """What was asked; with `executed`, what was done is enough, where that was kept and the other was not."""
        tool = _value(entry, "tool") or {}
        first = ("args", "asked") if executed else ("asked", "args")
        args = _value(entry, first[0] if first[0] in entry.said else first[1])
        own = (entry.call or "").partition("/")[2] or entry.call
        return Request(
            tool=entry.body["tool"], args={} if args is None else args, principal=self._who(entry, "principal"),
            agent=self._who(entry, "agent"), context=self._who(entry, "context") or {}, id=own,
            annotations=tool.get("annotations", {}), digest=tool.get("digest"),
            input=_value(entry, "input"),
        )  # fmt: skip

    def _happened(self, entry: Entry) -> Event:
        name: Any = entry.body["name"]
        return Event(
            name=name, fields=_value(entry, "fields") or {}, principal=self._who(entry, "principal"),
            agent=self._who(entry, "agent"), context=self._who(entry, "context") or {},
        )  # fmt: skip

    def _who(self, entry: Entry, name: str) -> Any:
        """Of the record itself, or as the run began."""
        assert self._begun is not None
        return _value(entry if name in entry.said else self._begun, name)

    def _came(self, entry: Entry, *, whole: bool = False) -> Outcome:
        body = entry.body
        status: Any = "returned" if body["status"] == "returned" else "error"
        spent = timedelta(microseconds=body.get("duration", 0) // 1000)
        result = _value(entry, "result") if whole and status == "returned" else None
        return Outcome(status=status, result=result, error=_value(entry, "error"), duration=spent, cost=body.get("cost") or 0.0)

    def _asked_of(self, entry: Entry) -> _Asked:
        name = entry.call or ""
        if name not in self._asked:
            digest = entry.body.get("decision")
            found = next((one for one in self._changes if one.kind == "decision" and one.digest == digest), None)
            if found is None:
                raise Inexact("its decision is not recorded")
            self._asked[name] = _Asked(self._request(found, executed=True), _decided(found), found.at)
        return self._asked[name]


_NO_WORDS: Final = FixedDetails("", "", ())


def _decided(entry: Entry) -> Decision:
    """The decision of a record, as a run is told it."""
    return Decision(
        entry.body["effect"], "call", entry.body["tool"], args=_value(entry, "args"), rules=(), details=_NO_WORDS,
        policy_digest="",
    )  # fmt: skip


def _value(entry: Entry, name: str) -> Any:
    """A payload's value, None where there is none; raises `Inexact` where it is not all there."""
    payload = entry.payloads.get(name)
    if payload is None:
        return None
    match payload.kept:
        case "whole":
            return payload.value
        case "masked":
            raise Inexact(f"its payload `{name}` was masked ({', '.join(payload.places)})")
        case "digest":
            raise Inexact(f"of its payload `{name}` only a digest was kept")
        case "erased":
            raise Inexact(f"its payload `{name}` was erased")


def recorded_of(value: Any) -> list[Recorded] | None:
    """What functions of the host answered, as `decide` takes it: then nobody else is asked."""
    return [one if isinstance(one, Recorded) else Recorded(one[0], tuple(one[1]), one[2], one[3]) for one in value or ()]


def _approvals(entry: Entry) -> list[Approval]:
    found = []
    for one in _value(entry, "approvals") or ():
        if isinstance(one, Approval):
            found.append(one)
        else:
            expires = one["expires"]
            moment: datetime = datetime_of(expires) if isinstance(expires, Timestamp) else expires
            found.append(Approval(**{**one, "expires": moment}))
    return found
