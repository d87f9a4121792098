"""One finding for many tools is told once, with the tools it is about; and every finding says what it does to decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from policy_engine.compiler.analysis.draft import Subject
from policy_engine.compiler.cel.checker.report import ALWAYS_AN_ERROR
from policy_engine.diagnostics.model import Diagnostic
from policy_engine.semantics.ast.policy import Rule, kind_of

_SHOWN_TOOLS = 3
_EFFECTS = {
    "allow": "would never allow", "deny": "would deny every call it is about",
    "escalate": "would ask for every call it is about", "rewrite": "would deny every call it is about",
    "label": "would hide every result it is about", "declassify": "would take no label off",
    "validate": "would fail every result it is about", "limit": "would refuse every call it is about",
    "timeout": "would bound nothing", "retry": "would retry nothing", "breaker": "would guard nothing",
    "invariant": "would prove nothing",
}  # fmt: skip


def merged(
    findings: Sequence[tuple[Diagnostic, tuple[Subject, ...]]], rule: Rule, *, name_tools: bool
) -> Iterator[Diagnostic]:
    """Findings of one rule, each once; with `name_tools` the tools they are about are told."""
    kept: dict[tuple[object, ...], tuple[Diagnostic, list[str]]] = {}
    for diagnostic, group in findings:
        key = (diagnostic.code.name, diagnostic.span, "" if name_tools else diagnostic.message)
        _, names = kept.setdefault(key, (diagnostic, []))
        names += [subject.name for subject in group if subject.name not in names]
    for diagnostic, names in kept.values():
        notes = diagnostic.notes
        if name_tools:
            notes = (*notes, f"fails for {_listed(names)}")
        yield replace(diagnostic, notes=notes, effect=_effect(diagnostic, rule))


def _effect(diagnostic: Diagnostic, rule: Rule) -> str:
    """The finding's own effect; where the checker could only speak of rules in general, that of this rule."""
    if diagnostic.effect is None or diagnostic.effect == ALWAYS_AN_ERROR:
        return effect_of(rule)
    return diagnostic.effect


def effect_of(rule: Rule) -> str:
    """What an unusable rule would do, were it loaded."""
    if rule.observe:
        return f"`{rule.name.text}` would observe nothing, so the policy is not loaded"
    return f"`{rule.name.text}` {_EFFECTS[kind_of(rule)]}, so the policy is not loaded"


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN_TOOLS])
    more = len(names) - _SHOWN_TOOLS
    return f"{shown} and {more} more" if more > 0 else shown
