"""From the rules that matched to a verdict: the decision semantics of LANGUAGE.md, without approvals.

Only `allow` (or the default) grants; `deny` and `escalate` only restrict; the strictest layer wins. A pure function of
the mask that the generated evaluator returned. The effect comes from a few operations on whole masks; the rules behind
it are picked out when somebody reads them, so that ten thousand rules that match cost no more than one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from policy_engine.base.decision import CallEffect
from policy_engine.base.source import NOWHERE
from policy_engine.semantics.artifact import CompiledLayer, CompiledRule, Section
from policy_engine.semantics.ast.expressions import Literal
from policy_engine.semantics.index.masks import bits_of, mask_of

_KEPT_VERDICTS: Final = 1024
"""Verdicts kept for one tool; beyond it they are worked out anew, so that no sequence of calls can fill the memory."""
_LARGEST_KEPT: Final = 256
"""Rules of a tool up to which verdicts are kept; beyond, looking one up costs more than working it out."""


_NONE_ASK: Final[Mapping[int, CompiledRule]] = {}
"""One for all tools of which no default asks."""


class Verdict:
    """`effect` before approvals. `rules` decide; `asks` are the escalations to be met when the effect is `escalate`.

    `grants` = what to answer once they are. `observing` = the mask of the `observe` rules that matched. `by_default`: the
    layers' defaults are among `rules`, and no rule of their own is.
    """

    __slots__ = ("_deciding", "_observed", "_pick", "_rules", "asks", "by_default", "effect", "grants", "observing")

    def __init__(
        self,
        effect: CallEffect,
        deciding: int | tuple[CompiledRule, ...],
        observing: int,
        pick: Callable[[int], tuple[CompiledRule, ...]],
        *,
        rules: tuple[str, ...] | None = None,
        asks: tuple[CompiledRule, ...] = (),
        grants: tuple[str, ...] = (),
        by_default: bool = False,
    ) -> None:
        self.effect = effect
        self.asks = asks
        self.grants = grants
        self.by_default = by_default
        self._deciding = deciding
        self.observing = observing
        self._pick = pick
        self._rules = rules
        self._observed: tuple[str, ...] | None = None if observing else ()

    @property
    def deciding(self) -> tuple[CompiledRule, ...]:
        """The rules that made the effect, in their section's order."""
        found = self._deciding
        if isinstance(found, int):
            found = self._deciding = self._pick(found)
        return found

    @property
    def rules(self) -> tuple[str, ...]:
        """Their ids (or those of the defaults that refuse), sorted."""
        found = self._rules
        if found is None:
            found = self._rules = _ids(self.deciding)
        return found

    @property
    def observed(self) -> tuple[str, ...]:
        """The ids of `observe` rules that matched, sorted."""
        found = self._observed
        if found is None:
            found = self._observed = _ids(self._pick(self.observing))
        return found


def default_rule(layer: CompiledLayer, index: int) -> CompiledRule:
    """The layer's `default escalate` as a rule that asks; its id is `<layer>/default`."""
    return CompiledRule(
        id=f"{layer.name}/default", kind="escalate", layer=index, observe=False,
        condition=Literal(True, NOWHERE), span=NOWHERE, ladder=layer.ladder,
    )  # fmt: skip


class Judge:
    """Verdicts of one tool or event. `grants_needed` is False for events, which pass unless denied or escalated."""

    __slots__ = (
        "_allows", "_asks", "_by_layer", "_defaults", "_denies", "_grants_needed", "_keeps", "_kept", "_layers", "_observes",
        "_only_denies", "_section",
    )  # fmt: skip

    def __init__(self, section: Section, layers: tuple[CompiledLayer, ...], *, grants_needed: bool) -> None:
        self._section = section
        self._layers = layers
        asking = [(index, layer) for index, layer in enumerate(layers) if layer.default == "escalate"]
        self._defaults = {index: default_rule(layer, index) for index, layer in asking} if asking else _NONE_ASK
        self._grants_needed = grants_needed
        self._kept: dict[int, Verdict] = {}
        self._keeps = len(section.rules) <= _LARGEST_KEPT
        self._denies, self._asks = self._enforced("deny"), self._enforced("escalate")
        self._allows = self._enforced("allow")
        self._by_layer = tuple(self._enforced("allow", index) for index in range(len(layers)))
        self._only_denies = len(section.rules) if self._denies == (1 << len(section.rules)) - 1 else 0
        self._observes = mask_of(self._bits(lambda rule: rule.observe), len(section.rules))

    def _bits(self, wanted: Callable[[CompiledRule], bool]) -> list[int]:
        return [bit for bit, rule in enumerate(self._section.rules) if wanted(rule)]

    def _enforced(self, kind: str, layer: int | None = None) -> int:
        bits = self._bits(lambda r: r.kind == kind and not r.observe and layer in (None, r.layer))
        return mask_of(bits, len(self._section.rules))

    def _pick(self, mask: int) -> tuple[CompiledRule, ...]:
        rules = self._section.rules
        return tuple(rules[bit] for bit in bits_of(mask))

    def verdict(self, mask: int) -> Verdict:
        """The verdict of a mask (see `artifact.Batch`)."""
        if mask and not self._keeps:
            if mask.bit_length() <= self._only_denies:  # no error, and each bit set is a deny
                return Verdict("deny", mask, 0, self._pick)
            return self._judge(mask)
        kept = self._kept.get(mask)
        if kept is None:
            kept = self._judge(mask)
            if len(self._kept) < _KEPT_VERDICTS:
                self._kept[mask] = kept
        return kept

    def _judge(self, mask: int) -> Verdict:
        observed = mask & self._observes
        denies = mask & self._denies
        if denies:
            return Verdict("deny", denies, observed, self._pick)
        allows = mask & self._allows
        asks = list(self._pick(mask & self._asks)) if mask & self._asks else []
        if self._grants_needed:
            refusing = []
            for index, layer in enumerate(self._layers):
                if layer.default == "abstain" or (allows and allows & self._by_layer[index]):
                    continue
                if layer.default == "deny":
                    refusing.append(f"{layer.name}/default")
                else:
                    asks.append(self._defaults[index])
            if not refusing and not allows and all(layer.default == "abstain" for layer in self._layers):
                refusing = [f"{layer.name}/default" for layer in self._layers]
            if refusing:
                rules = tuple(sorted(refusing))
                return Verdict("deny", (), observed, self._pick, rules=rules, by_default=True)
        if asks:
            asks.sort(key=lambda rule: rule.id)
            granting = _ids(self._pick(allows)) if allows else ()
            grants = tuple(sorted({*granting, *_ids([rule for rule in asks if rule in self._defaults.values()])}))
            return Verdict("escalate", tuple(asks), observed, self._pick, asks=tuple(asks), grants=grants)
        return Verdict("allow", allows, observed, self._pick)


def _ids(rules: tuple[CompiledRule, ...] | list[CompiledRule]) -> tuple[str, ...]:
    return tuple(sorted({rule.id for rule in rules}))
