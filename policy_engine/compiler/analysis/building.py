"""Pass: from checked rules to the `CompiledPolicy` that the runtime reads. Runs only when nothing was found.

Conditions of one tool and phase become one generated function; tools with the very same rules share it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final, cast

from policy_engine.base.version import ENGINE_VERSION
from policy_engine.compiler.analysis.compiled_rules import RuleBuilder
from policy_engine.compiler.analysis.draft import Draft, Subject
from policy_engine.compiler.analysis.folding.folder import Folder
from policy_engine.compiler.analysis.rules import CheckedRule, rule_phase
from policy_engine.compiler.analysis.targets import EVENT_SUBJECTS
from policy_engine.compiler.codegen.module import ModuleBuilder
from policy_engine.semantics.artifact import (
    NO_RULES,
    CompiledLayer,
    CompiledPolicy,
    CompiledRule,
    EventPlan,
    Section,
    ToolPlan,
)
from policy_engine.semantics.ast.expressions import Expr
from policy_engine.semantics.ast.policy import kind_of
from policy_engine.semantics.types import Type

ON_ERROR: Final[Mapping[str, bool]] = {
    "allow": False, "deny": True, "escalate": True, "rewrite": True, "validate": True, "label": True,
    "declassify": False, "limit": True, "timeout": True, "retry": False, "breaker": True,
}  # fmt: skip
"""What an error in a condition counts as: the safe side of each kind (a rewrite or limit that holds by error denies)."""
_MEDIATED: Final = frozenset({"limit", "timeout", "retry", "breaker"})


def digest_of(draft: Draft) -> str:
    """SHA-256 over everything that can change a decision: sources, data, schemas, params, the engine."""
    digest = hashlib.sha256()
    for name, content in (("engine", ENGINE_VERSION.encode()), *draft.material):
        for part in (name.encode(), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def build_policy(draft: Draft) -> None:
    """Fill `draft.policy`."""
    digest = digest_of(draft)
    header = draft.layers[0].files[0].tree.header
    module = ModuleBuilder(f"<policy {header.name.text} {digest[:12]}>", draft.functions)
    folder = Folder(module)
    sections = _Sections(draft, RuleBuilder(module), module, folder)
    tools = {name: _tool_plan(sections, subject) for name, subject in draft.tools.items()}
    events = {name: _event_plan(sections, subject) for name, subject in EVENT_SUBJECTS.items()}
    layers = tuple(
        CompiledLayer(
            tools_of_layer.layer.name,
            "deny" if tools_of_layer.layer.default is None else tools_of_layer.layer.default.effect,
            sections.builder.default_ladder(tools_of_layer),
            all(file.tree.header.hint for file in tools_of_layer.layer.files),
        )
        for tools_of_layer in draft.layer_tools
    )
    histories = tuple(kept for tools_of_layer in draft.layer_tools for kept in sections.builder.histories(tools_of_layer))
    code, constants = module.build()
    draft.policy = CompiledPolicy(
        name=header.name.text,
        version=None if header.version is None else header.version.text,
        digest=digest,
        layers=layers,
        tools=tools,
        events=events,
        records=draft.records,
        labels=tuple(sorted(draft.labels)),
        queues=tuple(sorted(draft.queues)),
        params=dict(draft.given_params),
        code=code,
        constants=constants,
        folds=folder.plan(),
        histories=histories,
        mediated=any(kind_of(checked.rule) in _MEDIATED for checked in draft.checked),
    )


def _tool_plan(sections: _Sections, subject: Subject) -> ToolPlan:
    return ToolPlan(
        name=subject.name,
        input=subject.input,
        output=subject.output,
        annotations=subject.annotations,
        rewrites=sections.of(subject, ("rewrite",), "call"),
        decide=sections.of(subject, ("allow", "deny", "escalate"), "call"),
        result=sections.of(subject, ("validate", "label", "declassify", "rewrite"), "result"),
        limits=sections.of(subject, ("limit",), "call"),
        timeouts=sections.of(subject, ("timeout",), "call"),
        errors=sections.of(subject, ("retry", "breaker"), "error"),
    )


def _event_plan(sections: _Sections, subject: Subject) -> EventPlan:
    return EventPlan(
        name=subject.name,
        rewrites=sections.of(subject, ("rewrite",), "event"),
        decide=sections.of(subject, ("deny", "escalate"), "event"),
        result=sections.of(subject, ("validate", "label"), "event"),
        limits=sections.of(subject, ("limit",), "event"),
        timeouts=sections.of(subject, ("timeout",), "event"),
    )


class _Sections:
    """Makes sections, and shares those that are made of the very same rules."""

    def __init__(self, draft: Draft, builder: RuleBuilder, module: ModuleBuilder, folder: Folder) -> None:
        self.builder = builder
        self._folder = folder
        self._module = module
        self._by_subject: dict[str, list[tuple[CheckedRule, int]]] = {}
        for checked in cast(Iterable[CheckedRule], draft.checked):
            for number, group in enumerate(checked.groups):
                for subject in group:
                    self._by_subject.setdefault(subject.name, []).append((checked, number))
        self._rules: dict[tuple[int, int], tuple[CompiledRule, Mapping[Expr, Type]]] = {}
        self._sections: dict[tuple[int, ...], Section] = {}

    def of(self, subject: Subject, kinds: tuple[str, ...], phase: str) -> Section:
        """The rules of these kinds that act on the subject in the phase, sorted by id and place."""
        chosen = [
            self._rule(checked, number)
            for checked, number in self._by_subject.get(subject.name, [])
            if kind_of(checked.rule) in kinds and rule_phase(checked.rule, subject) == phase
        ]
        chosen.sort(key=lambda one: (one[0].id, one[0].layer, str(one[0].span)))
        if not chosen:
            return NO_RULES
        key = tuple(id(rule) for rule, _ in chosen)
        section = self._sections.get(key)
        if section is None:
            types: dict[Expr, Type] = {}
            for _, known in chosen:
                types.update(known)
            rules = tuple(rule for rule, _ in chosen)
            conditions = [self._folder.fold(rule.condition) for rule in rules]
            batch = self._module.batch(f"{phase} {subject.name}", conditions, [ON_ERROR[rule.kind] for rule in rules], types)
            section = self._sections[key] = Section(rules, batch)
        return section

    def _rule(self, checked: CheckedRule, number: int) -> tuple[CompiledRule, Mapping[Expr, Type]]:
        key = (id(checked), number)
        made = self._rules.get(key)
        if made is None:
            made = self._rules[key] = self.builder.rule(checked, checked.groups[number][0])
        return made

