"""The words of a decision: reason for the agent, detail for the operator, errors. Worked out only when read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from policy_engine.base.decision import DecisionDetails, RuleError
from policy_engine.runtime.core import Core, Stage
from policy_engine.runtime.environment import DecisionEnvironment
from policy_engine.runtime.messages import joined
from policy_engine.semantics.artifact import CompiledRule


@dataclass(frozen=True, slots=True)
class FixedDetails:
    """Words known at once: for requests that did not fit, and for faults of the engine itself."""

    said: str
    told: str
    faults: tuple[RuleError, ...] = ()

    def reason(self) -> str:
        """Said to the agent."""
        return self.said

    def detail(self) -> str:
        """Said to the operator."""
        return self.told

    def hint(self) -> str | None:
        """Nothing near would pass."""
        return None

    def errors(self) -> tuple[RuleError, ...]:
        """What did not fit."""
        return self.faults


@dataclass(slots=True)
class Scene:
    """The values one decision looked at. Never changed: not frozen only because that would cost each decision time."""

    args: Any
    principal: Any
    environment: DecisionEnvironment


@dataclass(frozen=True, slots=True)
class RuleDetails:
    """Words drawn from the deciding rules. `fallback` is said where no deciding rule has a `because`.

    `masks` are the answers of the stages that were evaluated; their errors are those of the decision, with `faults`.
    """

    core: Core
    scene: Scene
    deciding: tuple[CompiledRule, ...]
    fallback: str
    told: tuple[str, ...]
    masks: tuple[tuple[Stage, int], ...]
    hinted: Callable[[], str | None]
    faults: tuple[RuleError, ...] = ()

    def reason(self) -> str:
        """Said to the agent."""
        return "; ".join(notes_of(self.core, self.scene, self.deciding, "because")) or self.fallback

    def detail(self) -> str:
        """Said to the operator."""
        return "; ".join([*self.told, *notes_of(self.core, self.scene, self.deciding, "detail")])

    def hint(self) -> str | None:
        """The nearest call that would pass."""
        return self.hinted()

    def errors(self) -> tuple[RuleError, ...]:
        """Conditions that came to an error."""
        return errors_of(self.masks, self.scene, self.faults)


@dataclass(frozen=True, slots=True)
class SmallerDetails:
    """Words of a call that `else set` made smaller and that passed: those of the smaller call, and the errors of both.

    What asked about the call may have asked because of an error; that it was not answered does not make it untold.
    """

    asked: DecisionDetails
    smaller: DecisionDetails

    def reason(self) -> str:
        """Said to the agent."""
        return self.smaller.reason()

    def detail(self) -> str:
        """Said to the operator."""
        return self.smaller.detail()

    def hint(self) -> str | None:
        """The smaller call passes: nothing is to be hinted at."""
        return self.smaller.hint()

    def errors(self) -> tuple[RuleError, ...]:
        """Conditions that came to an error for the call as it was made, or for the smaller one."""
        return _in_order({*self.asked.errors(), *self.smaller.errors()})


def notes_of(core: Core, scene: Scene, rules: Iterable[CompiledRule], note: str) -> list[str]:
    """What the `because` or `detail` of these rules say."""
    return joined(rules, note, core.namespace, scene.args, scene.principal, scene.environment)


def errors_of(
    masks: Iterable[tuple[Stage, int]], scene: Scene, faults: tuple[RuleError, ...]
) -> tuple[RuleError, ...]:
    """What the errors in the masks are, with `faults`, each once, in a fixed order."""
    found = set(faults)
    for stage, mask in masks:
        if mask >> len(stage.section.rules):
            found.update(stage.errors(mask, scene.args, scene.principal, scene.environment))
    return _in_order(found) if found else ()


def _in_order(errors: Iterable[RuleError]) -> tuple[RuleError, ...]:
    return tuple(sorted(errors, key=lambda error: (error.rule, error.place, error.message)))


def no_hint() -> str | None:
    """For decisions that have no hint."""
    return None
