"""`Policy.bounds`: the pure questions that whoever executes calls asks about limits, time, failures and breakers.

Nothing here counts, waits or reads a store. Whatever goes wrong inside ends on the safe side: a refusal, no further try, a
failure that counts, the amount that was reserved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeAlias

from policy_engine.base.decision import Decision, Effect, Phase, Recorded, RuleError, Timeout
from policy_engine.base.request import Approval, Event, Outcome, Request
from policy_engine.runtime.bounds.ending import BROKEN, TOO_LATE, Stop, ended, fallback, over
from policy_engine.runtime.bounds.failing import CallError, FailureVerdict, breakers_of, judged, repeatable, unjudged
from policy_engine.runtime.bounds.reserving import timeout
from policy_engine.runtime.bounds.scenes import Case, case_of
from policy_engine.runtime.bounds.settling import Spent, spent
from policy_engine.runtime.core import Core, ReadyPlan
from policy_engine.runtime.trace.run import Run
from policy_engine.semantics.artifact import CompiledBreaker, CompiledRule, Section, ToolPlan
from policy_engine.semantics.index.masks import bits_of
from policy_engine.semantics.recording import Recordings

Begin: TypeAlias = "Callable[[Sequence[Recorded] | None, Sequence[Recorded]], tuple[Core, Recordings | None]]"
View: TypeAlias = "Callable[[Run | None, Sequence[Approval]], tuple[Any | None, Sequence[Approval]]]"
Fault: TypeAlias = "Callable[[Effect, Phase, str, Exception], Decision]"


class Bounds:
    """Made by `Policy`. `request` is the call as it was decided, `decision` the one that let it pass (or asked).

    `recorded` makes an earlier answer again, as in `Policy.decide`.
    """

    def __init__(self, core: Core, begin: Begin, view: View, fault: Fault) -> None:
        self._core = core
        self._begin = begin
        self._view = view
        self._fault = fault
        self._free: dict[str, bool] = {}
        self._breakers: dict[str, tuple[tuple[str, CompiledBreaker], ...]] = {}
        """Of known tools."""
        self._repeatable: dict[str, bool] = {}
        """Of known tools, where the host says nothing of the call."""

    # ------------------------------------------------------------------ before
    def breakers(self, tool: str) -> tuple[tuple[str, CompiledBreaker], ...]:
        """The breakers to be asked before a call of the tool, by rule. An open one refuses each of its calls, whatever
        its guards: those say which failures count."""
        found = self._breakers.get(tool)
        if found is None:
            ready = self._core.tools.get(tool)
            found = () if ready is None or not ready.errors.section.rules else breakers_of(ready)
            if ready is not None:
                self._breakers[tool] = found
        return found

    def free(self, tool: str) -> bool:
        """Whether no rule of the tool limits its calls, or speaks of their failures."""
        found = self._free.get(tool)
        if found is None:
            ready = self._core.tools.get(tool)
            found = ready is None or not (ready.limits.section.rules or ready.errors.section.rules)
            if ready is not None:
                self._free[tool] = found
        return found

    def has_error_rules(self, tool: str) -> bool:
        """Whether a failed call of the tool is for `on_error`."""
        ready = self._core.tools.get(tool)
        return ready is not None and bool(ready.errors.section.rules)

    def repeatable(self, request: Request) -> bool:
        """Whether the call may be made again: its tool is declared read-only or idempotent."""
        if not request.annotations and request.tool in self._repeatable:
            return self._repeatable[request.tool]
        ready = self._core.tools.get(request.tool)
        found = ready is not None and isinstance(ready.plan, ToolPlan) and repeatable(ready.plan, request)
        if ready is not None and not request.annotations:
            self._repeatable[request.tool] = found
        return found

    def event_timeout(self, event: Event, *, run: Run | None = None) -> Timeout | None:
        """How long the check of an event may take; of `@run`, how long the run may. None = no rule says."""
        try:
            view, _ = self._view(run, ())
            core, _ = self._begin(None, ())
            case = case_of(core, event, None, view)
            return timeout(case.ready, case.scene)[0]
        except Exception:  # nobody knows which of them applies: all do
            ready = self._core.events.get(event.name)
            if ready is None:
                return None
            rules = ready.timeouts.section.rules
            times = [time for time, rule in zip(ready.times, rules, strict=True) if not rule.observe]
            return min(times, key=lambda one: one.after, default=None)

    # ------------------------------------------------------------------ instead
    def over_limit(
        self, subject: Request | Event, decision: Decision, rule: str, *, run: Run | None = None,
        approvals: Sequence[Approval] = (), recorded: Sequence[Recorded] | None = None,
    ) -> Decision:  # fmt: skip
        """What becomes of a call or event that does not fit a limit: its `else`.

        `deny` (or `reply` of an event), with `degradation` for `reply` and `call`; `allow` with `degradation` for `set`, to
        be reserved anew; `escalate` while people are asked; the given decision where they approved, or where the limit only
        observes: it may go beyond this limit. A call that is such a fallback already is denied.
        """

        def work_out(case: Case) -> Decision:
            found = _rule(case.ready.limits.section, rule)
            return _observed(case, found) if found.observe else over(case, found)

        return self._instead(subject, decision, run, approvals, recorded, work_out)

    def timed_out(
        self, subject: Request | Event, decision: Decision | None = None, rule: str | None = None, *,
        run: Run | None = None, recorded: Sequence[Recorded] | None = None,
    ) -> Decision:  # fmt: skip
        """What follows when the time of a timeout is over: deny, or its `reply` or `call`. It may have happened.

        `rule` None = that of the decision's `Timeout`. An event whose check took too long has no decision.
        """
        owed = None if decision is None else decision.timeout
        name = rule if rule is not None else "" if owed is None else owed.rule
        return self._stopped(subject, decision, name, TOO_LATE, run, recorded)

    def broken(
        self, subject: Request, decision: Decision, rule: str, *, run: Run | None = None,
        recorded: Sequence[Recorded] | None = None,
    ) -> Decision:  # fmt: skip
        """What follows when a breaker is open: deny, or its `reply` or `call`. The call did not happen."""
        return self._stopped(subject, decision, rule, BROKEN, run, recorded)

    def instead(
        self, request: Request, decision: Decision, *, run: Run | None = None, recorded: Sequence[Recorded] | None = None
    ) -> tuple[Request, Decision] | None:
        """The other call that a decision's `else call` stands for, with its own decision and obligations; None where there
        is none. Its decision carries the degradation, so that none follows it."""
        other = decision.degradation
        if other is None or other.kind != "call" or other.tool is None:
            return None
        changed = replace(request, tool=other.tool, args=other.args or {}, annotations={}, digest=None)
        try:
            view, _ = self._view(run, ())
            core, recordings = self._begin(recorded, decision.recorded)
            made = fallback(core, changed, other, view)
            return changed, _sealed(made.with_degradation(other), recordings)
        except Exception as fault:
            return changed, self._fault("deny", "call", other.tool, fault)

    # ------------------------------------------------------------------ after
    def on_error(
        self, request: Request, decision: Decision, error: CallError, *, run: Run | None = None
    ) -> FailureVerdict:
        """Whether a failed attempt is followed by another, and for which breakers it counts. See `failing.py`."""
        try:
            view, _ = self._view(run, ())
            core, _ = self._begin(None, decision.recorded)
            case = case_of(core, request, decision, view)
            assert isinstance(case.ready.plan, ToolPlan)
            return judged(case, request, case.ready.plan, error)
        except Exception as fault:
            ready = self._core.tools.get(request.tool)
            return FailureVerdict(None, None, ()) if ready is None else unjudged(ready, _fault_errors(fault))

    def settle(self, request: Request, outcome: Outcome, decision: Decision, *, run: Run | None = None) -> Spent:
        """What the call really used of the limits whose reserves say `settles`, by rule. A rule that is not in it keeps what
        was reserved; `errors` of the answer says why."""
        if not any(reserve.settles for reserve in decision.reserves):
            return Spent({}, ())
        try:
            view, _ = self._view(run, ())
            core, _ = self._begin(None, decision.recorded)
            return spent(case_of(core, request, decision, view), outcome)
        except Exception as fault:
            return Spent({}, _fault_errors(fault))

    def overdue(
        self, subject: Request | Event, decision: Decision | None, took: timedelta, *, run: Run | None = None
    ) -> tuple[str, ...]:
        """The ids of `observe timeout` rules whose time was over: they would have ended what took this long."""
        try:
            view, _ = self._view(run, ())
            core, _ = self._begin(None, () if decision is None else decision.recorded)
            case = case_of(core, subject, decision, view)
            stage, scene = case.ready.timeouts, case.scene
            rules = stage.section.rules
            mask = stage.mask(scene.args, scene.principal, scene.environment) & ~(-1 << len(rules))
            found = {rules[bit].id for bit in bits_of(mask) if rules[bit].observe and took >= case.ready.times[bit].after}
            return tuple(sorted(found))
        except Exception:  # observing changes nothing
            return ()

    # ------------------------------------------------------------------ details
    def _stopped(
        self, subject: Request | Event, decision: Decision | None, rule: str, stop: Stop, run: Run | None,
        recorded: Sequence[Recorded] | None,
    ) -> Decision:  # fmt: skip
        def work_out(case: Case) -> Decision:
            found = _rule(_section(case.ready, stop), rule)
            return _observed(case, found) if found.observe else ended(case, found, found.otherwise, stop)

        return self._instead(subject, decision, run, (), recorded, work_out)

    def _instead(
        self, subject: Request | Event, decision: Decision | None, run: Run | None, approvals: Sequence[Approval],
        recorded: Sequence[Recorded] | None, work_out: Callable[[Case], Decision],
    ) -> Decision:  # fmt: skip
        try:
            view, unused = self._view(run, approvals)
            core, recordings = self._begin(recorded, () if decision is None else decision.recorded)
            return _sealed(work_out(case_of(core, subject, decision, view, unused)), recordings)
        except Exception as fault:
            if isinstance(subject, Event):
                return self._fault("deny", "event", str(getattr(subject, "name", "?")), fault)
            return self._fault("deny", "call", str(getattr(subject, "tool", "?")), fault)


def _section(ready: ReadyPlan, stop: Stop) -> Section:
    return ready.errors.section if stop is BROKEN else ready.timeouts.section


def _rule(section: Section, id: str) -> CompiledRule:
    for rule in section.rules:
        if rule.id == id:
            return rule
    raise LookupError("no such rule acts here")


def _observed(case: Case, rule: CompiledRule) -> Decision:
    """The decision as it was, and that the rule would have stopped it."""
    if case.decision is None:
        raise LookupError("there is nothing that goes on")
    return case.decision.with_bounds(case.decision.obligations, tuple(sorted({*case.observed, rule.id})))


def _sealed(decision: Decision, recordings: Recordings | None) -> Decision:
    kept = () if recordings is None else recordings.seal()
    return decision.with_recorded(kept) if kept else decision


def _fault_errors(fault: Exception) -> tuple[RuleError, ...]:
    return (RuleError("engine", "internal", f"{type(fault).__name__} inside the engine", "engine"),)
