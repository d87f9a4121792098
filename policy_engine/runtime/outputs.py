"""The result phase, of calls and of events: validate the original, then rewrite and label what the agent may see.

Effects from the strictest: `fail withhold reply escalate retry redact pass`. An error of a validation, or of a label
whose place cannot be known, hides the result: the act has happened, but nobody can say what its result would do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from policy_engine.base.decision import Ask, Decision, Degradation, Effect, Label, Phase, RuleError
from policy_engine.base.errors import EvaluationError
from policy_engine.runtime import degradation
from policy_engine.runtime.approvals import Desk
from policy_engine.runtime.core import Core, Stage, rule_error
from policy_engine.runtime.details import RuleDetails, Scene, no_hint
from policy_engine.runtime.paths import PathMismatch, concrete
from policy_engine.runtime.rewriting import RewriteFailed, apply_step, rewrite
from policy_engine.semantics.artifact import CompiledLadder, CompiledOtherwise, CompiledRule, PlainPath

STRICTNESS: Final[tuple[Effect, ...]] = ("pass", "redact", "retry", "escalate", "reply", "withhold", "fail")
_FALLBACK: Final = {
    "pass": "passed", "redact": "parts of this were removed", "retry": "this did not pass a check; try again",
    "escalate": "a person must look at this first", "reply": "this was replaced",
    "withhold": "the call was made, but its result is withheld", "fail": "this did not pass a check",
}  # fmt: skip


class Output:
    """One value on its way out. `root` is its name (`result`, `answer` …), `attempt` how often it was sent back before."""

    def __init__(self, core: Core, stage: Stage, root: str, value: Any, scene: Scene, desk: Desk, attempt: int) -> None:
        self.core = core
        self.stage = stage
        self.root = root
        self.value = value
        self.scene = scene
        self.desk = desk
        self.attempt = attempt
        self.effects: list[tuple[Effect, CompiledRule]] = []
        self.instead: list[Degradation] = []
        self.labels: list[Label] = []
        self.asks: list[Ask] = []
        self.faults: list[RuleError] = []
        self.observed: tuple[str, ...] = ()

    def decide(self, phase: Phase, name: str) -> Decision:
        """Gather what every matching rule demands; the strictest decides."""
        original, scene = self.value, self.scene
        mask = self.stage.mask(scene.args, scene.principal, scene.environment)
        unsure = {rule.id for rule in self.stage.failed(mask) if rule.kind not in ("validate", "declassify")}
        rewrites = []
        for rule in self.stage.matched(mask):
            if rule.id in unsure:
                self.effects.append(("withhold", rule))
            elif rule.kind == "validate":
                self._fail(rule, rule.otherwise)
            elif rule.kind == "rewrite":
                rewrites.append(rule)
            else:
                self._label(rule, original)
        self._rewrite(rewrites)
        return self._answer(phase, name, mask)

    def _answer(self, phase: Phase, name: str, mask: int) -> Decision:
        effect: Effect = max((one for one, _ in self.effects), key=STRICTNESS.index, default="pass")
        if effect == "reply" and len({one.text for one in self.instead if one.kind == "reply"}) > 1:
            self.effects = [("withhold" if one == "reply" else one, rule) for one, rule in self.effects]
            effect = "withhold"
        deciding = tuple(rule for one, rule in self.effects if one == effect)
        ids = tuple(sorted({rule.id for rule in deciding}))
        told = (f"{effect} {', '.join(ids)}".strip(),)
        details = RuleDetails(
            self.core, self.scene, deciding, _fallback(effect, phase), told, ((self.stage, mask),), no_hint,
            tuple(self.faults),
        )  # fmt: skip
        return Decision(
            effect, phase, name, args=self.scene.args, rules=ids, details=details, policy_digest=self.core.policy.digest,
            observed=tuple(sorted({*self.observed, *self.stage.observed(mask)})),
            obligations=(*self.labels, *(self.asks if effect == "escalate" else ())),
            degradation=next((one for one in self.instead if one.kind == effect), None),
            result=self.value if effect in ("pass", "redact") else None,
        )  # fmt: skip

    # ------------------------------------------------------------------ validations
    def _fail(self, rule: CompiledRule, otherwise: CompiledOtherwise | None) -> None:
        """A requirement does not hold: do what the rule's `else` says."""
        kind = "deny" if otherwise is None else otherwise.kind
        if otherwise is None or kind in ("deny", "call"):  # a call that has happened cannot become another
            self.effects.append(("fail", rule))
        elif kind == "withhold":
            self.effects.append(("withhold", rule))
        elif kind == "retry" and self.attempt < otherwise.times:
            self.effects.append(("retry", rule))
            self.instead.append(Degradation(rule.id, "retry", times=otherwise.times - self.attempt))
        elif kind == "retry":
            self._fail(rule, otherwise.then)
        elif kind == "escalate":
            self._ask(rule, otherwise.ladder)
        elif kind == "reply":
            self._reply(rule, otherwise)
        else:
            self._set(rule, otherwise)

    def _ask(self, rule: CompiledRule, ladder: CompiledLadder | None) -> None:
        standing = self.desk.standing(replace(rule, ladder=ladder))
        if standing.kind == "waiting" and standing.ask is not None:
            self.effects.append(("escalate", rule))
            self.asks.append(standing.ask)
        elif standing.kind == "silent" and standing.otherwise is not None:
            self._fail(rule, standing.otherwise)
        elif standing.kind != "met":
            self.effects.append(("fail", rule))

    def _reply(self, rule: CompiledRule, otherwise: CompiledOtherwise) -> None:
        try:
            self.instead.append(degradation.worked_out(self.core.namespace, rule, otherwise, self.scene))
            self.effects.append(("reply", rule))
        except EvaluationError as fault:
            self._hide(rule, fault)

    def _set(self, rule: CompiledRule, otherwise: CompiledOtherwise) -> None:
        scene = self.scene
        try:
            for step in otherwise.steps:
                self.value = apply_step(
                    step, self.value, self.core.namespace, scene.args, scene.principal, scene.environment
                )
            self.effects.append(("redact", rule))
        except EvaluationError as fault:
            self._hide(rule, fault)
        except PathMismatch:
            self._hide(rule, _mismatch("`else set`"))

    def _hide(self, rule: CompiledRule, fault: EvaluationError) -> None:
        self.effects.append(("withhold", rule))
        self.faults.append(rule_error(rule, fault))

    # ------------------------------------------------------------------ rewrites and labels
    def _rewrite(self, rules: list[CompiledRule]) -> None:
        scene = self.scene
        try:
            changed = rewrite(
                self.root, self.value, rules, self.core.namespace, scene.args, scene.principal, scene.environment
            )
        except RewriteFailed as fault:
            for rule, error in fault.faults:
                self._hide(rule, error)
            return
        self.value = changed
        self.effects.extend(("redact", rule) for rule in rules)

    def _label(self, rule: CompiledRule, original: Any) -> None:
        add = rule.kind == "label"
        paths = rule.paths or (PlainPath(self.root, ()),)
        try:
            places = [place for path in paths for place in concrete(original, path.steps, path.root)]
        except PathMismatch:
            self._hide(rule, _mismatch("a label"))
            return
        self.labels.extend(Label(rule.id, label, place, add) for place in places for label in rule.labels)


def _fallback(effect: Effect, phase: Phase) -> str:
    """What the agent is told where no rule has a `because`. Only a call can have been made already."""
    return "this is withheld" if effect == "withhold" and phase == "event" else _FALLBACK[effect]


def _mismatch(what: str) -> EvaluationError:
    return EvaluationError("no_such_field", f"the path of {what} does not fit the value it meets")
