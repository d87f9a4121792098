"""Sections of plans: the rules of one tool and phase with their conditions as one generated function.

Tools with the very same rules share a section. Called by `building`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, cast

from policy_engine.compiler.analysis.compiled_rules import RuleBuilder
from policy_engine.compiler.analysis.draft import Draft, Subject
from policy_engine.compiler.analysis.folding.folder import Folder
from policy_engine.compiler.analysis.keys import plan_key
from policy_engine.compiler.analysis.rules import CheckedRule, rule_phase
from policy_engine.compiler.codegen.module import ModuleBuilder
from policy_engine.compiler.codegen.naming import mark_of
from policy_engine.semantics.artifact import NO_RULES, CompiledRule, Section, ToolPlan
from policy_engine.semantics.ast.expressions import Expr
from policy_engine.semantics.ast.policy import kind_of
from policy_engine.semantics.types import Type

ON_ERROR: Final[Mapping[str, bool]] = {
    "allow": False, "deny": True, "escalate": True, "rewrite": True, "validate": True, "label": True,
    "declassify": False, "limit": True, "timeout": True, "retry": False, "breaker": True,
}  # fmt: skip
"""What an error in a condition counts as: the safe side of each kind (a rewrite or limit that holds by error denies)."""


class Sections:
    """Makes sections, and shares those that are made of the very same rules."""

    def __init__(self, draft: Draft, builder: RuleBuilder, module: ModuleBuilder, folder: Folder) -> None:
        self.builder = builder
        self._draft = draft
        self._folder = folder
        self._module = module
        self._by_subject: dict[str, list[tuple[CheckedRule, int]]] = {}
        for checked in cast(Iterable[CheckedRule], draft.checked):
            for number, group in enumerate(checked.groups):
                for subject in group:
                    self._by_subject.setdefault(subject.name, []).append((checked, number))
        self._rules: dict[tuple[int, int], _Chosen] = {}
        self._sections: dict[tuple[int, ...], tuple[Section, bool]] = {}
        self._passing = False

    def key(self, subject: Subject) -> bytes | None:
        """The key of a tool's plan; None where it is never found again."""
        rules = [(checked.key, number) for checked, number in self._by_subject.get(subject.name, [])]
        return plan_key(self._draft, subject.name, rules)

    def watched(self, build: Callable[[], ToolPlan]) -> tuple[ToolPlan, bool]:
        """A plan, and whether it means something in this compilation only: it speaks of questions by their number."""
        self._passing = False
        return build(), self._passing

    def of(self, subject: Subject, kinds: tuple[str, ...], phase: str) -> Section:
        """The rules of these kinds that act on the subject in the phase, sorted by id and place."""
        chosen = [
            self._rule(checked, number)
            for checked, number in self._by_subject.get(subject.name, [])
            if kind_of(checked.rule) in kinds and rule_phase(checked.rule, subject) == phase
        ]
        chosen.sort(key=lambda one: (one.rule.id, one.rule.layer, str(one.rule.span)))
        if not chosen:
            return NO_RULES
        key = tuple(id(one.rule) for one in chosen)
        if key not in self._sections:
            before = self._folder.looked_back
            section = self._section(phase, chosen)
            self._sections[key] = section, self._folder.looked_back > before
        section, passing = self._sections[key]
        self._passing |= passing
        return section

    def _section(self, phase: str, chosen: Sequence[_Chosen]) -> Section:
        types: dict[Expr, Type] = {}
        for one in chosen:
            types.update(one.types)
        rules = tuple(one.rule for one in chosen)
        conditions = [self._folder.fold(rule.condition) for rule in rules]
        with self._module.unit(mark_of((phase, *(one.mark for one in chosen)))):
            hint = f"{phase} {chosen[0].subject}"
            batch = self._module.batch(hint, conditions, [ON_ERROR[rule.kind] for rule in rules], types)
        return Section(rules, batch)

    def _rule(self, checked: CheckedRule, number: int) -> _Chosen:
        key = (id(checked), number)
        made = self._rules.get(key)
        if made is None:
            subject, mark = checked.groups[number][0], mark_of((_mark(checked), str(number)))
            with self._module.unit(mark):
                made = self._rules[key] = _Chosen(*self.builder.rule(checked, subject), mark, subject.name)
        return made


class _Chosen(NamedTuple):
    """A rule as it stands for the subjects that read alike, of which `subject` is the first; `mark` stands for it."""

    rule: CompiledRule
    types: Mapping[Expr, Type]
    mark: str
    subject: str


def _mark(checked: CheckedRule) -> str:
    """Stands for a rule among those of all compilations that share plans; without a key only this one will know it."""
    return f"{checked.layer.index}/{checked.id}" if checked.key is None else checked.key.hex()
