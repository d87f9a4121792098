"""Pass: from checked rules to the `CompiledPolicy` that the runtime reads. Runs only when nothing was found.

Conditions of one tool and phase become one generated function; tools with the very same rules share it.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Final

from policy_engine.base.version import ENGINE_VERSION
from policy_engine.compiler.analysis.compiled_rules import RuleBuilder
from policy_engine.compiler.analysis.draft import Draft, Subject
from policy_engine.compiler.analysis.folding.folder import Folder
from policy_engine.compiler.analysis.sections import Sections
from policy_engine.compiler.analysis.targets import EVENT_SUBJECTS
from policy_engine.compiler.codegen.module import ModuleBuilder
from policy_engine.semantics.artifact import CompiledLayer, CompiledPolicy, EventPlan, ToolPlan
from policy_engine.semantics.ast.policy import kind_of

_MEDIATED: Final = frozenset({"limit", "timeout", "retry", "breaker"})


def digest_of(draft: Draft) -> str:
    """SHA-256 over everything that can change a decision: sources, data, schemas, params, the engine."""
    digest = hashlib.sha256()
    for name, content in (("engine", ENGINE_VERSION.encode()), *draft.material):
        for part in (name.encode(), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def build_policy(draft: Draft) -> None:
    """Fill `draft.policy` with the plans that no earlier compilation left, `draft.kept` with the keys of the others."""
    digest = digest_of(draft)
    header = draft.layers[0].files[0].tree.header
    module = ModuleBuilder(f"<policy {header.name.text} {digest[:12]}>", draft.functions)
    folder = Folder(module)
    sections = Sections(draft, RuleBuilder(module), module, folder)
    tools = _tools(draft, sections)
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
    histories = tuple(
        kept for tools_of_layer in draft.layer_tools for kept in sections.builder.histories(tools_of_layer)
    )
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


def _tools(draft: Draft, sections: Sections) -> dict[str, ToolPlan]:
    """The plans that have to be built."""
    built: dict[str, ToolPlan] = {}
    for name, subject in draft.tools.items():
        key = sections.key(subject)
        if key is not None and key in draft.before.plans:
            draft.kept[name] = key
        else:
            built[name], passing = sections.watched(partial(_tool_plan, sections, subject))
            key = None if passing else key
        if key is not None:
            draft.after.plans[key] = name
    return built


def _tool_plan(sections: Sections, subject: Subject) -> ToolPlan:
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


def _event_plan(sections: Sections, subject: Subject) -> EventPlan:
    return EventPlan(
        name=subject.name,
        rewrites=sections.of(subject, ("rewrite",), "event"),
        decide=sections.of(subject, ("deny", "escalate"), "event"),
        result=sections.of(subject, ("validate", "label"), "event"),
        limits=sections.of(subject, ("limit",), "event"),
        timeouts=sections.of(subject, ("timeout",), "event"),
    )
