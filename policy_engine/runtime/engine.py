"""The pure decision engine: `Policy` decides calls, results and events. What `policy_engine.load` returns.

Thread-safe and immutable. The same policy, request, run and approvals give the same decision. Whatever goes wrong
inside ends in a refusal that says so, never in an exception and never in a grant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal as OneOf

from policy_engine.base.decision import Decision, Effect, Phase, Recorded, RuleError
from policy_engine.base.errors import EvaluationError
from policy_engine.base.provision import Provision, ProvisionError
from policy_engine.base.request import Approval, Event, Outcome, Request
from policy_engine.base.values import Timestamp
from policy_engine.runtime.bounds.mediating import Bounds
from policy_engine.runtime.calls import decide_call
from policy_engine.runtime.core import Core
from policy_engine.runtime.details import FixedDetails
from policy_engine.runtime.events import decide_event, decide_result, passed_at_once
from policy_engine.runtime.explaining import Explanation, explain_call
from policy_engine.runtime.histories import Histories
from policy_engine.runtime.ports.history import HistoryStore
from policy_engine.runtime.trace.run import Run
from policy_engine.semantics.artifact import CompiledPolicy
from policy_engine.semantics.recording import ACTIVE, Recordings

_FAULT = "the policy engine could not decide this, so it is refused"


class Policy:
    """A loaded policy. Made by `policy_engine.load`; share one among all threads and tasks.

    `name`: in its header, `support.refunds`; `version`: the `version` there. `digest`: SHA-256 (hex) of everything that can
    change a decision: sources, data, schemas, params, engine version. `compiled`: the compiled form, for tools that look at
    rules (`testing`, `explain`). `bounds`: what a mediator asks about limits, time, failures and breakers. Read only, all.
    """

    name: str
    version: str | None
    digest: str
    compiled: CompiledPolicy
    bounds: Bounds

    def __init__(
        self, compiled: CompiledPolicy, clock: Callable[[], Timestamp], *, records: bool = False,
        history: HistoryStore | None = None, provider: Callable[[], Provision] | None = None,
    ) -> None:  # fmt: skip
        """`records`: the host registered functions, so that each decision records what they answer. `provider` tells what the
        policy was made of.

        `history` keeps calls across runs; without one, conditions that read a `history` are errors.
        """
        self._core = core = Core(compiled, clock)
        self.compiled, self.name, self.version, self.digest = compiled, compiled.name, compiled.version, compiled.digest
        self._clock = clock
        self._histories: Histories | None = None
        if history is not None and compiled.histories:
            self._histories = Histories(compiled.histories, history, core.namespace, core.intake)
            core.folds.history = self._histories.read
        self._records = records
        self._provider = provider
        self.bounds = Bounds(core, self._begin, self._view, self._fault)

    def __repr__(self) -> str:
        return f"Policy({' '.join(filter(None, (self.name, self.version)))}, {self.digest[:12]})"

    def provision(self) -> Provision:
        """What the policy was made of, so that it can be loaded again elsewhere; raises `ProvisionError`."""
        if self._provider is None:
            raise ProvisionError("this policy was made by hand, not by `load`: nobody knows what of")
        return self._provider()

    def kept_in(self, history: HistoryStore) -> Policy:
        """The same policy, whose histories across runs are kept in another store."""
        return Policy(
            self._core.policy, self._clock, records=self._records, history=history, provider=self._provider
        )

    def timed(self, clock: Callable[[], Timestamp]) -> Policy:
        """The same policy on another clock; its histories across runs stay the same."""
        other = Policy(self._core.policy, clock, records=self._records, provider=self._provider)
        other._histories, other._core.folds.history = self._histories, self._core.folds.history
        return other

    @property
    def mediated(self) -> bool:
        """Whether some rule is a limit, timeout, retry or breaker: deciding alone does not keep those, a `Mediator` does."""
        return self._core.policy.mediated

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of all known tools, sorted."""
        return tuple(sorted(self._core.policy.tools))

    def decide(
        self,
        request: Request,
        *,
        run: Run | None = None,
        approvals: Sequence[Approval] = (),
        recorded: Sequence[Recorded] | None = None,
    ) -> Decision:
        """Decide one tool call: `allow`, `deny` or `escalate`.

        `run` gives the history and provenance that conditions read; without it, conditions that need one are errors.
        `approvals` are people's answers to earlier `Ask` obligations of the same call; used ones do not count again.
        `recorded` makes an earlier decision again: no function of the host is asked, what it answered then counts.
        Never raises for anything in the request.
        """
        try:
            if not self._records and not approvals:
                return decide_call(self._core, request, None if run is None else run.snapshot())
            view, unused = self._view(run, approvals)
            core, recordings = self._begin(recorded)
            return _recorded(decide_call(core, request, view, unused), recordings)
        except Exception as fault:
            return self._fault("deny", "call", str(getattr(request, "tool", "?")), fault)

    def decide_result(
        self,
        request: Request,
        outcome: Outcome,
        *,
        decision: Decision | None = None,
        run: Run | None = None,
        approvals: Sequence[Approval] = (),
        attempt: int = 0,
        recorded: Sequence[Recorded] | None = None,
    ) -> Decision:
        """Decide what the agent may see of a result: `pass redact withhold retry reply escalate fail`.

        `decision` is the one that allowed the call, whose arguments were executed. `attempt` counts how often this
        output was sent back to be tried again.
        """
        try:
            if decision is not None and decision.engine_args is not None:
                passed = passed_at_once(self._core, decision, outcome.result) if decision.tool == request.tool else None
                if passed is not None:
                    return passed
                request = replace(request, args=decision.engine_args)
            view, unused = self._view(run, approvals)
            core, recordings = self._begin(recorded)
            return _recorded(decide_result(core, request, outcome, view, unused, attempt), recordings)
        except Exception as fault:
            return self._fault("withhold", "result", str(getattr(request, "tool", "?")), fault)

    def passed(self, decision: Decision, result: Any) -> Decision | None:
        """As `decide_result`, for the result of a call decided so where no rule looks at it; None = ask `decide_result`."""
        try:
            return passed_at_once(self._core, decision, result)
        except Exception:
            return None

    def decide_event(
        self,
        event: Event,
        *,
        run: Run | None = None,
        approvals: Sequence[Approval] = (),
        attempt: int = 0,
        recorded: Sequence[Recorded] | None = None,
    ) -> Decision:
        """Decide an event such as `@answer`: `deny`, `escalate`, or an effect of results (`pass` where nothing objects)."""
        try:
            view, unused = self._view(run, approvals)
            core, recordings = self._begin(recorded)
            return _recorded(decide_event(core, event, view, unused, attempt), recordings)
        except Exception as fault:
            return self._fault("deny", "event", str(getattr(event, "name", "?")), fault)

    def explain(self, request: Request, *, run: Run | None = None, approvals: Sequence[Approval] = ()) -> Explanation:
        """The decision with every targeted rule and what its condition came to, by the reference interpreter."""
        view, unused = self._view(run, approvals)
        core, recordings = self._begin(None)
        explained = explain_call(core, request, view, unused)
        return replace(explained, decision=_recorded(explained.decision, recordings))

    def run(self, *, input: str | None = None, id: str | None = None, attended: bool = True) -> Run:
        """Begin a run: the history that `decide` reads and `Run.record` adds to. `attended` = its user can be asked.

        A result recorded without its decision is decided then, so that no label rule is ever skipped. What `record` is
        told of calls is kept in the histories of the policy, under the keys that the request gives.
        """
        core = self._core
        return Run(
            id=id, input=input, attended=attended, clock=core.clock, judge=self._judge, folds=core.folds,
            histories=self._histories,
        )  # fmt: skip

    def _judge(self, run: Run, request: Request, outcome: Outcome, decision: Decision | None) -> Decision:
        return self.decide_result(request, outcome, decision=decision, run=run)

    def _view(self, run: Run | None, approvals: Sequence[Approval]) -> tuple[Any | None, Sequence[Approval]]:
        if run is None:
            return None, approvals
        view = run.snapshot()
        return view, [approval for approval in approvals if not view.used(approval)] if approvals else approvals

    def _begin(
        self, recorded: Sequence[Recorded] | None, known: Sequence[Recorded] = ()
    ) -> tuple[Core, Recordings | None]:
        """`known`: what was recorded before about the same call, and is not asked again."""
        if not self._records:
            return self._core, None
        recordings = Recordings(known, more=True) if recorded is None else Recordings(recorded)
        ACTIVE.set(recordings)
        return self._core.recording(recordings), recordings

    def _fault(self, effect: Effect, phase: Phase, name: str, fault: Exception) -> Decision:
        kind: OneOf["internal"] = "internal"
        message = fault.message if isinstance(fault, EvaluationError) else f"{type(fault).__name__} inside the engine"
        details = FixedDetails(_FAULT, f"{_FAULT} ({message})", (RuleError("engine", kind, message, "engine"),))
        return Decision(effect, phase, name, args=None, rules=(), details=details, policy_digest=self.digest)


def _recorded(decision: Decision, recordings: Recordings | None) -> Decision:
    """The decision with what was recorded; from here on nobody is asked, whoever reads its words."""
    kept = () if recordings is None else recordings.seal()
    return decision.with_recorded(kept) if kept else decision
