"""One rule, checked for one subject: the bench at which every check of expressions stands.

`Bench` holds what those checks share: the layer's expander and scopes, the phase, and a collector of its own, so that
the same finding for many tools can be told once (`merging`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from policy_engine.base.source import Span
from policy_engine.compiler.analysis.conditions import Conditions
from policy_engine.compiler.analysis.draft import Draft, Layer, Subject, finding
from policy_engine.compiler.analysis.lets import Expanded, Expander, ExpansionFailed
from policy_engine.compiler.analysis.notes import Notes
from policy_engine.compiler.analysis.phases import Phase, Scopes
from policy_engine.compiler.cel.checker import NO_FACTS, Checked, Scope, check_condition, check_expression
from policy_engine.diagnostics.model import Code, Collector, Diagnostic, Label, has_errors
from policy_engine.semantics.ast.expressions import Call, Expr
from policy_engine.semantics.types import Type

_VALIDATED: Final = frozenset(("args", "principal"))
"""Names whose declared types hold at run time, because what does not fit is refused before any rule."""


@dataclass(eq=False)
class LayerTools:
    """What all rules of one layer share while they are checked and built."""

    draft: Draft
    layer: Layer
    notes: Notes
    conditions: Conditions
    expander: Expander = field(init=False)
    scopes: Scopes = field(init=False)

    def __post_init__(self) -> None:
        self.expander = Expander(self.draft, self.layer)
        self.scopes = Scopes(self.draft, self.layer)
        self._certain: dict[tuple[int, Type, bool], Mapping[Expr, Type]] = {}

    def certain_types(self, expression: Expanded, subject: Subject) -> Mapping[Expr, Type]:
        """Types that hold at run time for certain; what the code generator may rely on."""
        key = (id(expression), subject.args_type, subject.event)
        kept = self._certain.get(key)
        if kept is None:
            checked = check_expression(expression.final, self.scopes.certain(subject), Collector())
            kept = self._certain[key] = checked.types
        return kept

    def note_certain(self, expression: Expanded, subject: Subject, checked: Checked) -> None:
        """Keep types of the strict check where they hold for certain too, so that nothing is checked twice for nothing.

        So it is for an expression that reads only validated names, without constants and functions whose results the
        strict scope knows better.
        """
        if expression.final is expression.tree and not subject.event and _VALIDATED.issuperset(expression.free):
            overrides = self.scopes.strict(subject, "call").overrides
            if not any(node.__class__ is Call and node.function in overrides for node in checked.types):
                self._certain.setdefault((id(expression), subject.args_type, False), checked.types)


class Bench:
    """The surroundings of the checks of one rule (or default) for one subject."""

    def __init__(self, tools: LayerTools, subject: Subject, phase: Phase, condition: Expr | None) -> None:
        self.tools = tools
        self.draft = tools.draft
        self.layer = tools.layer
        self.subject = subject
        self.phase = phase
        self.collector = Collector()
        self._condition = condition
        self._facts = NO_FACTS

    def scope(self, phase: Phase | None = None, *, approver: bool = False) -> Scope:
        """The names that can be read."""
        return self.tools.scopes.strict(self.subject, phase or self.phase, approver=approver)

    def report(
        self, code: Code, message: str, *labels: tuple[Span, str] | Span,
        effect: str | None = None, suggestion: str | None = None,
    ) -> None:  # fmt: skip
        """Put a finding beside those of the checker."""
        self.collector.add(finding(code, message, *labels, effect=effect, suggestion=suggestion))

    def condition(self) -> None:
        """Check the rule's own condition; values are checked afterwards with what it makes sure of."""
        if self._condition is None:
            return
        found = self.truth(self._condition, "the condition")
        if found is not None:
            self._facts = found.when_true

    def truth(self, expression: Expr, where: str, *, approver: bool = False) -> Checked | None:
        """Check something that must be true or false; None after a finding."""
        checked = self._look(expression, None, approver, where)
        return None if checked is None else checked[1]

    def checked(self, expression: Expr, *, phase: Phase | None = None) -> tuple[Expr, Checked] | None:
        """Check an expression where the rule's condition holds: the expanded tree and its types; None after a finding."""
        return self._look(expression, phase, False, None)

    def _look(
        self, expression: Expr, phase: Phase | None, approver: bool, where: str | None
    ) -> tuple[Expr, Checked] | None:
        expanded = self.expanded(expression)
        if expanded is None:
            return None
        scope, collector = self.scope(phase, approver=approver), Collector()
        if where is None:
            found = check_expression(expanded.tree, scope, collector, self._facts)
        else:
            found = check_condition(expanded.tree, scope, collector, self._facts, where)
        for diagnostic in collector.diagnostics:
            self.collector.add(with_sites(diagnostic, expanded))
        if not collector.diagnostics and self._facts is NO_FACTS and not approver:
            self.tools.note_certain(expanded, self.subject, found)
        return None if has_errors(collector.diagnostics) else (expanded.tree, found)

    def expanded(self, expression: Expr) -> Expanded | None:
        """The expansion, if it can be had."""
        try:
            return self.tools.expander.expand(expression, self.subject)
        except ExpansionFailed:
            return None


def with_sites(diagnostic: Diagnostic, expanded: Expanded) -> Diagnostic:
    """The same finding; where it stands in the body of a `let`, the places that use it are shown too."""
    labels = list(diagnostic.labels)
    place = labels[0].span
    for site in reversed(expanded.sites):
        inside = site.body.source is place.source and site.body.start <= place.start and place.end <= site.body.end
        if inside:
            labels.append(Label(site.use, f"`{site.name}` is used here"))
            place = site.use
    return replace(diagnostic, labels=tuple(labels))
