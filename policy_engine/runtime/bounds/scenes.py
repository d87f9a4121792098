"""What a call or event looked at when it was decided, built again for what comes after: over a limit, too late, failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from policy_engine.base.decision import Decision, Effect, RuleError
from policy_engine.base.errors import MisfitError
from policy_engine.base.request import Approval, Event, Request
from policy_engine.runtime.core import Core, ReadyPlan
from policy_engine.runtime.details import RuleDetails, Scene, no_hint
from policy_engine.runtime.intake import plain
from policy_engine.semantics.artifact import CompiledRule

EVENT_ROOTS: Final = {
    "@input": "input", "@step": "step", "@answer": "answer", "@run": "run", "@delegate": "delegate",
    "@resource": "resource", "@prompt": "prompt",
}  # fmt: skip
"""The name under which an event's fields are read."""


@dataclass(frozen=True, slots=True)
class Case:
    """A decided call or event. `decision` None = there is none yet (an event whose check took too long).

    `bound` is what approvals are tied to beside the principal. A case whose decision is a fallback has no other.
    """

    core: Core
    ready: ReadyPlan
    subject: Request | Event
    decision: Decision | None
    scene: Scene
    bound: Any
    view: Any | None
    approvals: Sequence[Approval]

    @property
    def name(self) -> str:
        """The tool, or the event."""
        return self.ready.plan.name

    @property
    def observed(self) -> tuple[str, ...]:
        """What was observed so far."""
        return () if self.decision is None else self.decision.observed

    @property
    def errors(self) -> tuple[RuleError, ...]:
        """The errors so far."""
        return () if self.decision is None else self.decision.errors

    def details(self, effect: Effect, rule: CompiledRule, said: str, told: str, faults: tuple[RuleError, ...]) -> RuleDetails:
        """The words of one rule: its `because`, or else `said`; `told` says to operators what happened."""
        heading = f"{effect} {rule.id} ({told})"
        return RuleDetails(self.core, self.scene, (rule,), said, (heading,), (), no_hint, (*self.errors, *faults))


def case_of(
    core: Core, subject: Request | Event, decision: Decision | None, view: Any | None, approvals: Sequence[Approval] = ()
) -> Case:
    """The case; raises `MisfitError` or `KeyError` for what the engine could not have decided."""
    principal = core.intake.record("principal", subject.principal)
    environment = core.intake.environment(subject, view)
    if isinstance(subject, Request):
        if decision is None or decision.engine_args is None or decision.tool != subject.tool:
            raise MisfitError("decision", "is not the one that let this call pass")
        args = decision.engine_args
        scene = Scene(args, principal, environment)
        return Case(core, core.tools[subject.tool], subject, decision, scene, args, view, approvals)
    root = EVENT_ROOTS[subject.name]
    given = plain(dict(subject.fields), root)
    fields = given if decision is None or decision.engine_result is None else decision.engine_result
    if root != "run":
        setattr(environment, root, fields)
    return Case(
        core, core.events[subject.name], subject, decision, Scene({}, principal, environment), given, view, approvals
    )
