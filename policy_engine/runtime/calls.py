"""The call phase: request in, `allow`, `deny` or `escalate` out. Pure; the order is that of *What a decision means*."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from policy_engine.base.decision import CallEffect, Decision, Degradation, Obligation, RuleError, decision_of
from policy_engine.base.errors import EvaluationError, MisfitError
from policy_engine.base.request import Approval, Request
from policy_engine.runtime import degradation
from policy_engine.runtime.approvals import Standing, asks_user, desk_for
from policy_engine.runtime.bounds.reserving import Bounded, bounded
from policy_engine.runtime.core import Core, ReadyPlan, Stage, rule_error
from policy_engine.runtime.details import FixedDetails, Scene, SmallerDetails, errors_of, notes_of
from policy_engine.runtime.environment import DecisionEnvironment
from policy_engine.runtime.hints import call_hint
from policy_engine.runtime.judging import Verdict
from policy_engine.runtime.rewriting import RewriteFailed, rewrite
from policy_engine.semantics.artifact import CompiledOtherwise, CompiledRule

REFUSED = "this call is not permitted"
MISFIT = "the arguments of this call do not fit the tool"


def decide_call(
    core: Core, request: Request, view: Any | None, approvals: Sequence[Approval] = (), *, degrade: bool = True
) -> Decision:
    """The decision about one call. `view` is the snapshot of its run; without `degrade`, a ladder's end is a deny."""
    try:
        try:
            ready = core.tools[request.tool]
        except KeyError:
            return unfit(core, request, "unknown_tool", "tool", "no schema or rule knows a tool of this name")
        intake, given = core.intake, request.args
        args = intake.checks[request.tool](given) if type(given) is dict else intake.args(request.tool, given)
        principal = intake.record("principal", request.principal)
        environment = intake.environment(request, view)
    except MisfitError as fault:
        return unfit(core, request, "misfit", fault.path, fault.problem)
    evaluate = ready.decide.evaluate
    if evaluate is not None and ready.rewrites.evaluate is None:
        mask = evaluate(args, principal, environment)
        verdict = ready.judge.verdict(mask)
        effect = verdict.effect
        owed: Bounded | None = None
        if effect == "allow" and ready.bounded:
            owed = bounded(core.namespace, ready, Scene(args, principal, environment))
        if effect != "escalate" and (owed is None or owed.plain):
            settled = _Settled(core, ready, request, args, principal, environment, view, degrade, mask, verdict, owed)
            observed = verdict.observed if verdict.observing else ()
            return decision_of(
                effect, "call", request.tool, args, verdict, settled, core.digest, observed,
                () if owed is None else owed.obligations,
            )  # fmt: skip
    return _Call(core, ready, request, Scene(args, principal, environment), view, approvals, degrade).decide()


def unfit(core: Core, request: Request, kind: Any, path: str, problem: str) -> Decision:
    """The deny of a request that no rule ever saw."""
    error = RuleError("request", kind, problem, path)
    said = REFUSED if kind == "unknown_tool" else said_of_misfit(path, problem, f"{MISFIT}: ")
    told = f"{path}: {problem}"
    if kind == "unknown_tool":
        told = f"`{request.tool}` is not a known tool; give its schema with `use tools`, or name it exactly in a rule"
    return Decision(
        "deny", "call", request.tool, args=None, rules=(),
        details=FixedDetails(said, told, (error,)), policy_digest=core.policy.digest,
    )  # fmt: skip


def said_of_misfit(path: str, problem: str, begin: str = "") -> str:
    """What the agent is told: of its own values all, of what the host declared about people only that it does not fit."""
    subject = path.partition(".")[0]
    if subject in ("principal", "agent", "context"):
        return f"{REFUSED}: its {subject} is not what the policy expects"
    return f"{begin}{path}: {problem}"


_FALLBACKS: Final = {
    "allow": "permitted", "deny": REFUSED, "escalate": "a person must approve this call first"
}  # fmt: skip
"""What is said where no deciding rule has a `because`."""


class _Chosen(NamedTuple):
    """Deciding rules that were not picked by the judge; the same two names as a `Verdict` has."""

    rules: tuple[str, ...]
    deciding: tuple[CompiledRule, ...]


class _Call:
    """The way of one call through the stages. Afterwards it is the `DecisionDetails` of the one decision it made."""

    __slots__ = (
        "approvals", "by_default", "core", "decided", "degrade", "effect", "faults", "masks", "observed", "ready", "request",
        "scene", "view",
    )  # fmt: skip

    def __init__(
        self,
        core: Core,
        ready: ReadyPlan,
        request: Request,
        scene: Scene,
        view: Any | None,
        approvals: Sequence[Approval],
        degrade: bool,
    ) -> None:
        self.core = core
        self.ready = ready
        self.request = request
        self.scene = scene
        self.view = view
        self.approvals = approvals
        self.degrade = degrade
        self.masks: list[tuple[Stage, int]] = []
        self.observed: tuple[str, ...] = ()
        self.decided: Verdict | _Chosen = _NOBODY
        self.effect: CallEffect = "deny"
        self.by_default = False
        self.faults: tuple[RuleError, ...] = ()

    def decide(self) -> Decision:
        try:
            unsure = self._rewrite()
        except RewriteFailed as fault:
            return self._deny(fault.rules, tuple(rule_error(rule, error) for rule, error in fault.faults))
        except MisfitError as fault:
            return unfit(self.core, self.request, "misfit", fault.path, f"{fault.problem} after rewriting")
        if unsure:
            return self._deny(unsure)
        stage, scene = self.ready.decide, self.scene
        mask = stage.mask(scene.args, scene.principal, scene.environment)
        verdict = self.ready.judge.verdict(mask)
        self.settle(mask, verdict)
        return self._escalated(verdict) if verdict.effect == "escalate" else self._answer(verdict.effect, verdict)

    def settle(self, mask: int, verdict: Verdict) -> None:
        """Keep what the deciding rules came to."""
        self.masks.append((self.ready.decide, mask))
        if self.observed or verdict.observing:
            self.observed = tuple(sorted({*self.observed, *verdict.observed}))
        self.effect, self.decided, self.by_default = verdict.effect, verdict, verdict.by_default

    def _rewrite(self) -> tuple[CompiledRule, ...]:
        """Rewrite the arguments, or return the rules whose conditions came to an error, so that nobody knows what to write."""
        stage, scene = self.ready.rewrites, self.scene
        if stage.evaluate is None:
            return ()
        mask = stage.mask(scene.args, scene.principal, scene.environment)
        if not mask:
            return ()
        self.masks.append((stage, mask))
        self.observed = stage.observed(mask)
        unsure = tuple(stage.failed(mask))
        rules = stage.matched(mask)
        if rules and not unsure:
            changed = rewrite(
                "args", scene.args, rules, self.core.namespace, scene.args, scene.principal, scene.environment
            )
            self.scene = replace(scene, args=self.core.intake.args(self.request.tool, changed))
        return unsure

    # ------------------------------------------------------------------ escalations
    def _escalated(self, verdict: Verdict) -> Decision:
        desk = desk_for(self.core, self.request.tool, self.scene, self.scene.args, self.approvals)
        standings = [(rule, desk.standing(rule)) for rule in verdict.asks]
        refused = tuple(rule for rule, standing in standings if standing.kind == "refused")
        if refused:
            return self._deny(refused)
        ended = [(rule, standing.otherwise) for rule, standing in standings if standing.kind == "silent"]
        if ended:
            rule, otherwise = degradation.strictest(ended)
            waiting = any(standing.kind == "waiting" for _, standing in standings)
            end = self._ended(rule, otherwise if self.degrade else None, ended)
            if end.effect == "deny" or not waiting:
                return end  # what others still answer cannot permit it: one more escalation never permits more
        asks = [(rule, standing) for rule, standing in standings if standing.kind == "waiting"]
        if not asks:
            return self._answer("allow", _Chosen(verdict.grants, ()))
        return self._ask(asks)

    def _ask(self, asks: list[tuple[CompiledRule, Standing]]) -> Decision:
        obligations = tuple(standing.ask for _, standing in asks if standing.ask is not None)
        rules = tuple(rule for rule, _ in asks)
        return self._answer("escalate", _chosen(rules), obligations=obligations)

    def _ended(
        self,
        rule: CompiledRule,
        otherwise: CompiledOtherwise | None,
        ended: list[tuple[CompiledRule, CompiledOtherwise | None]],
    ) -> Decision:
        """A ladder ended in silence: refuse, reply, or let the smaller call be decided as a call of its own."""
        rules = tuple(one for one, _ in ended)
        if otherwise is None or otherwise.kind == "deny":
            return self._deny(rules)
        try:
            instead = degradation.worked_out(self.core.namespace, rule, otherwise, self.scene)
        except EvaluationError as fault:
            return self._deny(rules, (rule_error(rule, fault),))
        if instead.kind == "reply":
            return self._deny(rules, instead=instead)
        tool = instead.tool or self.request.tool
        smaller = replace(self.request, tool=tool, args=instead.args or {})
        decision = decide_call(self.core, smaller, self.view, (), degrade=False)
        if decision.effect != "allow":
            return self._deny(rules)
        if instead.kind == "call":
            return self._deny(rules, instead=replace(instead, args=decision.args))
        return Decision(
            "allow", "call", tool, args=decision.engine_args, rules=decision.rules,
            details=SmallerDetails(self, decision.details), policy_digest=self.core.policy.digest,
            observed=tuple(sorted({*self.observed, *decision.observed})), obligations=decision.obligations, degradation=instead,
        )  # fmt: skip

    # ------------------------------------------------------------------ answers
    def _deny(
        self,
        rules: tuple[CompiledRule, ...],
        faults: tuple[RuleError, ...] = (),
        instead: Degradation | None = None,
    ) -> Decision:
        self.faults = faults
        return self._answer("deny", _chosen(rules), instead=instead)

    def _answer(
        self,
        effect: CallEffect,
        decided: Verdict | _Chosen,
        *,
        instead: Degradation | None = None,
        obligations: tuple[Obligation, ...] = (),
    ) -> Decision:
        scene = self.scene
        _ = scene.environment.now  # fixed now, so that words worked out later speak of this moment
        if effect != "deny" and self.ready.bounded:
            found = bounded(self.core.namespace, self.ready, scene)
            if found.observed:
                self.observed = tuple(sorted({*self.observed, *found.observed}))
            if found.refusing:
                self.masks += found.masks
                return self._deny(found.refusing, found.faults)
            self.masks[:0] = found.masks  # the last one is what hints are found in
            self.faults = found.faults
            obligations += found.obligations
        self.effect = effect
        self.decided = decided
        return Decision(
            effect, "call", self.request.tool, args=scene.args, rules=decided, details=self,
            policy_digest=self.core.policy.digest, observed=self.observed, obligations=obligations, degradation=instead,
        )  # fmt: skip

    # ------------------------------------------------------------------ details, worked out when read
    def reason(self) -> str:
        """Said to the agent."""
        said = notes_of(self.core, self.scene, self.decided.deciding, "because")
        if not said and self.by_default:
            return f"nothing permits this call to {self.request.tool}"
        return "; ".join(said) or _FALLBACKS[self.effect]

    def detail(self) -> str:
        """Said to the operator."""
        told = [f"{self.effect} {', '.join(self.decided.rules)}".strip()]
        if self.by_default:
            told.append(f"no rule grants it; to permit it, add: allow NAME on {self.request.tool}")
        if self.effect == "deny" and not self.scene.environment.attended and any(map(asks_user, self.decided.deciding)):
            told.append("the user could not be asked: that takes an attended run, `decide(…, run=policy.run(…))`")
        return "; ".join([*told, *notes_of(self.core, self.scene, self.decided.deciding, "detail")])

    def errors(self) -> tuple[RuleError, ...]:
        """Conditions that came to an error."""
        return errors_of(self.masks, self.scene, self.faults)

    def hint(self) -> str | None:
        """The nearest call that would pass."""
        if self.effect == "allow" or not self.core.hints or not self.degrade:
            return None

        def passes(args: dict[str, Any]) -> bool:
            changed = replace(self.request, args=args, at=None)
            return _passes(self.core, changed, self.scene, self.view)

        mask = self.masks[-1][1] if self.masks and self.masks[-1][0] is self.ready.decide else None
        if mask is None:
            return None
        return call_hint(self.ready.decide.section.rules, mask, self.scene.args, passes)


class _Settled:
    """The details of a call that its rules settled at once: no rewrite, no person, no limit in doubt; a `_Call` made when
    read. `owed` is what its limits and timeouts came to."""

    __slots__ = (
        "args", "core", "degrade", "environment", "mask", "owed", "principal", "ready", "request", "verdict", "view",
    )  # fmt: skip

    def __init__(
        self, core: Core, ready: ReadyPlan, request: Request, args: Any, principal: Any, environment: DecisionEnvironment,
        view: Any | None, degrade: bool, mask: int, verdict: Verdict, owed: Bounded | None,
    ) -> None:  # fmt: skip
        self.core = core
        self.ready = ready
        self.request = request
        self.args = args
        self.principal = principal
        self.environment = environment
        self.view = view
        self.degrade = degrade
        self.mask = mask
        self.verdict = verdict
        self.owed = owed

    def _call(self) -> _Call:
        scene = Scene(self.args, self.principal, self.environment)
        call = _Call(self.core, self.ready, self.request, scene, self.view, (), self.degrade)
        call.settle(self.mask, self.verdict)
        if self.owed is not None:
            call.masks[:0] = self.owed.masks  # the last one is what hints are found in
        return call

    def reason(self) -> str:
        """Said to the agent."""
        return self._call().reason()

    def detail(self) -> str:
        """Said to the operator."""
        return self._call().detail()

    def errors(self) -> tuple[RuleError, ...]:
        """Conditions that came to an error."""
        if not self.mask >> len(self.ready.decide.section.rules):
            return ()
        return self._call().errors()

    def hint(self) -> str | None:
        """The nearest call that would pass."""
        return self._call().hint()


_NOBODY: Final = _Chosen((), ())


def _chosen(rules: tuple[CompiledRule, ...]) -> _Chosen:
    return _Chosen(tuple(sorted({rule.id for rule in rules})), rules)


def _passes(core: Core, request: Request, scene: Scene, view: Any | None) -> bool:
    """Whether the changed call would be allowed, at the same moment and in the same surroundings."""
    try:
        args = core.intake.args(request.tool, request.args)
    except MisfitError:
        return False
    ready = core.tools[request.tool]
    call = _Call(core, ready, request, replace(scene, args=args), view, (), False)
    return call.decide().effect == "allow"
