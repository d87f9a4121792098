"""From the rules that matched to a verdict: the decision semantics of LANGUAGE.md, without approvals.

Only `allow` (or the default) grants; `deny` and `escalate` only restrict; the strictest layer wins. A pure function of
the mask that the generated evaluator returned, so its answers are kept by mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from policy_engine.base.decision import CallEffect
from policy_engine.base.source import NOWHERE
from policy_engine.semantics.artifact import CompiledLayer, CompiledRule, Section
from policy_engine.semantics.ast.expressions import Literal

_KEPT_VERDICTS: Final = 1024
"""Verdicts kept for one tool; beyond it they are worked out anew, so that no sequence of calls can fill the memory."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`effect` before approvals. `rules` decide; `asks` are the escalations to be met when the effect is `escalate`.

    `grants` = what to answer once they are. `defaults` = the layers' defaults among `rules`, without a rule of their own.
    """

    effect: CallEffect
    rules: tuple[str, ...]
    deciding: tuple[CompiledRule, ...]
    asks: tuple[CompiledRule, ...]
    grants: tuple[str, ...]
    observed: tuple[str, ...]
    by_default: bool


def default_rule(layer: CompiledLayer, index: int) -> CompiledRule:
    """The layer's `default escalate` as a rule that asks; its id is `<layer>/default`."""
    return CompiledRule(
        id=f"{layer.name}/default", kind="escalate", layer=index, observe=False,
        condition=Literal(True, NOWHERE), span=NOWHERE, ladder=layer.ladder,
    )  # fmt: skip


class Judge:
    """Verdicts of one tool or event. `grants_needed` is False for events, which pass unless denied or escalated."""

    def __init__(self, section: Section, layers: tuple[CompiledLayer, ...], *, grants_needed: bool) -> None:
        self._section = section
        self._layers = layers
        self._defaults = tuple(default_rule(layer, index) for index, layer in enumerate(layers))
        self._grants_needed = grants_needed
        self._kept: dict[int, Verdict] = {}

    def verdict(self, mask: int) -> Verdict:
        """The verdict of a mask (see `artifact.Batch`)."""
        kept = self._kept.get(mask)
        if kept is None:
            kept = self._judge(mask)
            if len(self._kept) < _KEPT_VERDICTS:
                self._kept[mask] = kept
        return kept

    def _judge(self, mask: int) -> Verdict:
        matched = [rule for bit, rule in enumerate(self._section.rules) if mask >> bit & 1]
        observed = tuple(sorted({rule.id for rule in matched if rule.observe}))
        enforced = [rule for rule in matched if not rule.observe]
        denies = tuple(rule for rule in enforced if rule.kind == "deny")
        if denies:
            return Verdict("deny", _ids(denies), denies, (), (), observed, False)
        allows = tuple(rule for rule in enforced if rule.kind == "allow")
        asks = [rule for rule in enforced if rule.kind == "escalate"]
        if self._grants_needed:
            granting = {rule.layer for rule in allows}
            refusing = []
            for index, layer in enumerate(self._layers):
                if index not in granting and layer.default == "deny":
                    refusing.append(f"{layer.name}/default")
                elif index not in granting and layer.default == "escalate":
                    asks.append(self._defaults[index])
            if not refusing and not allows and all(layer.default == "abstain" for layer in self._layers):
                refusing = [f"{layer.name}/default" for layer in self._layers]
            if refusing:
                return Verdict("deny", tuple(sorted(refusing)), (), (), (), observed, True)
        grants = _ids(allows)
        if asks:
            asks.sort(key=lambda rule: rule.id)
            grants = tuple(sorted({*grants, *_ids([rule for rule in asks if rule in self._defaults])}))
            return Verdict("escalate", _ids(asks), tuple(asks), tuple(asks), grants, observed, False)
        return Verdict("allow", grants, allows, (), grants, observed, False)


def _ids(rules: tuple[CompiledRule, ...] | list[CompiledRule]) -> tuple[str, ...]:
    return tuple(sorted({rule.id for rule in rules}))
