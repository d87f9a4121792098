"""Puts entries to a policy one after the other and keeps the runs they belong to, as a host would.

A call that is allowed and has an id is recorded as running until its outcome arrives; without an id no outcome can
arrive, so it stays an attempt. The outcome of a call that was denied never reached the agent: it is withheld. Limits are
counted (`counting.py`).
An event without a principal has that of the run's earlier lines. Words of the user that stand before any principal is
known are refused where rules need one, but stay the user's words for the calls that follow.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from policy_engine.base.decision import Decision, Effect
from policy_engine.base.request import Outcome, Request
from policy_engine.cli.traffic.counting import Counting
from policy_engine.cli.traffic.entries import CallEntry, Entry, EntryError, EventEntry, OutcomeEntry
from policy_engine.runtime.details import FixedDetails
from policy_engine.runtime.engine import Policy
from policy_engine.runtime.explaining import Explanation
from policy_engine.runtime.trace.run import Run


class Player:
    """One policy and the runs of one recording. Not thread-safe."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._runs: dict[str, Run] = {}
        self._said: dict[str, str] = {}
        self._principals: dict[str, Any] = {}
        self._calls: dict[tuple[str | None, str], tuple[Request, Decision]] = {}
        self._counting = Counting(policy) if policy.mediated else None

    def play(self, entry: Entry) -> Decision:
        """Decide one entry and record it; raises `EntryError` for an outcome of a call nobody made."""
        if isinstance(entry, CallEntry):
            return self._call(entry)
        if isinstance(entry, OutcomeEntry):
            return self._outcome(entry)
        return self._event(entry)

    def explain(self, entry: CallEntry) -> Explanation:
        """The decision that `play` would make, in full; records nothing but the run's beginning."""
        run = self._run_of(entry)
        request = _within(entry.request, run)
        explanation = self.policy.explain(request, run=run, approvals=entry.approvals)
        if self._counting is None:
            return explanation
        return replace(explanation, decision=self._counting.would(request, explanation.decision, run, entry.approvals))

    def _call(self, entry: CallEntry) -> Decision:
        run = self._run_of(entry)
        request = _within(entry.request, run)
        if request.id is not None and (entry.run, request.id) in self._calls:
            raise EntryError(f"the call id {request.id!r} was used before in this run", "call")
        decision = self.policy.decide(request, run=run, approvals=entry.approvals)
        if self._counting is not None:
            decision = self._counting.call(request, decision, run, entry.approvals)
        if request.id is not None:
            self._calls[entry.run, request.id] = request, decision
        if run is not None:
            status: Any = {"allow": "running", "escalate": "pending"}.get(decision.effect, "denied")
            run.record(request, Outcome(status=status, at=request.at), decision=decision)
            if decision.effect == "allow":
                for approval in entry.approvals:
                    run.approval_used(approval)
        return decision

    def _outcome(self, entry: OutcomeEntry) -> Decision:
        made = self._calls.get((entry.run, entry.call))
        if made is None:
            raise EntryError("no earlier line of this run made this call", "call")
        request, decision = made
        run = self._runs.get(entry.run) if entry.run is not None else None
        if decision.effect == "deny":
            return self._without_result(request, decision, "withhold", "the call was denied, so its outcome is not taken")
        outcome = entry.outcome
        output = None
        if self._counting is not None:
            self._counting.outcome(request, decision, outcome, run)
        if outcome.status == "returned":
            output = self.policy.decide_result(request, outcome, decision=decision, run=run)
        if run is not None:
            run.record(request, outcome, decision=decision, output=output)
        return output or self._without_result(request, decision, "fail", "the tool failed")

    def _without_result(self, request: Request, decision: Decision, effect: Effect, words: str) -> Decision:
        """The answer where there is no result for rules to look at."""
        return Decision(
            effect, "result", request.tool, args=decision.engine_args, rules=(), details=FixedDetails(words, words),
            policy_digest=self.policy.digest,
        )  # fmt: skip

    def _event(self, entry: EventEntry) -> Decision:
        run = self._run_of(entry)
        event = entry.event
        if event.principal is None and entry.run is not None:
            event = replace(event, principal=self._principals.get(entry.run))
        decision = self.policy.decide_event(event, run=run, approvals=entry.approvals)
        if self._counting is not None:
            decision = self._counting.event(event, decision, run, entry.approvals)
        if run is not None:
            early = event.name == "@input" and event.principal is None and _lacks_principal(decision)
            run.event(event, decision=None if early else decision)
        return decision

    def _run_of(self, entry: CallEntry | EventEntry) -> Run | None:
        """The run of an entry, begun where it is new; new words of the user are added to it."""
        if entry.run is None:
            return None
        run = self._runs.get(entry.run)
        if run is None:
            run = self.policy.run(id=entry.run, attended=entry.attended)
            self._runs[entry.run] = run
        principal = entry.request.principal if isinstance(entry, CallEntry) else entry.event.principal
        if principal is not None:
            self._principals[entry.run] = principal
        words = entry.input if isinstance(entry, CallEntry) else None
        if words is not None and self._said.get(entry.run) != words:
            self._said[entry.run] = words
            run.put_input({"text": words})
        return run


def _lacks_principal(decision: Decision) -> bool:
    """Whether nothing but a missing principal stood in the way."""
    faults = decision.errors
    return bool(faults) and all(fault.kind == "misfit" and fault.place.startswith("principal") for fault in faults)


def _within(request: Request, run: Run | None) -> Request:
    """The request as a host would put it: what the user said stands in the run, if there is one."""
    return request if run is None else replace(request, input=None)
