"""Pass: what is declared and never read; and `let` bodies that no rule checks, checked here."""

from __future__ import annotations

from policy_engine.base.source import Span
from policy_engine.compiler.analysis.checking import LayerTools
from policy_engine.compiler.analysis.draft import Draft, Layer, Subject
from policy_engine.compiler.analysis.lets import ExpansionFailed
from policy_engine.compiler.cel.checker import check_expression
from policy_engine.diagnostics.model import Code, Collector
from policy_engine.semantics.ast.policy import Labels, Let, Queues
from policy_engine.semantics.types import DYN

UNUSED = Code(
    "unused",
    "A declaration that nothing reads",
    "A `let`, group, param, label, queue or data file that no rule reads was mostly meant to be read: the rule that"
    " should is missing, or reads another.\n\n"
    "```\nlet same_tenant = args.tenant == principal.tenant     // unused\n"
    "deny cross-tenant on crm.* unless same_tenant         // mended\n```",
    "warning",
)
CODES = (UNUSED,)


def check_unused(draft: Draft) -> None:
    """Of the policy's own layer; layers above it may declare for others.

    After an error nobody knows what the policy would read: the rule that does may be the one that was lost.
    """
    lost = draft.collector.failed
    for tools in draft.layer_tools:
        read = set(tools.layer.read_names) | tools.layer.targets.used_groups
        for lets in tools.layer.lets.values():
            for let in lets:
                if let.name.text not in read:
                    _check_body(tools, let)
        if tools.layer.index == 0 and not lost:
            _names(draft, tools.layer, read)
            _words(draft, tools.layer)


def _names(draft: Draft, layer: Layer, read: set[str]) -> None:
    for name, lets in layer.lets.items():
        if name not in read:
            _report(draft, "let", name, lets[0].name.span)
    for name, constant in layer.constants.items():
        if name not in read:
            _report(draft, constant.kind, name, constant.span)
    for name, history in layer.histories.items():
        if name not in read:
            _report(draft, "history", name, history.name.span)


def _words(draft: Draft, layer: Layer) -> None:
    for _, item in layer.items():
        if isinstance(item, Labels | Queues):
            kind, used = ("label", draft.used_labels) if isinstance(item, Labels) else ("queue", draft.used_queues)
            for word in item.names:
                if word.text not in used:
                    _report(draft, kind, word.text, word.span)


def _report(draft: Draft, kind: str, name: str, place: Span) -> None:
    effects = {"label": "no rule puts it on anything, so no value ever carries it", "queue": "nobody is ever asked in it"}
    draft.report(
        UNUSED, f"the {kind} `{name}` is never used", place, effect=effects.get(kind, "it changes no decision"),
        suggestion="use it, or leave it out",
    )  # fmt: skip


def _check_body(tools: LayerTools, let: Let) -> None:
    """Check the body of a `let` that no rule uses, for the first tool it is for; any name of any phase may be read."""
    subject = Subject("any tool", False)
    if let.targets is not None:
        subject = next(iter(tools.layer.targets.resolve(let.targets, f"the let `{let.name.text}`")), subject)
    if {word.text for word in let.parameters} & {*tools.layer.lets, *tools.layer.constants}:
        return  # its parameters hide words of the policy; only a use tells them apart
    try:
        expanded = tools.expander.expand(let.value, subject)
    except ExpansionFailed:
        return
    scope = tools.scopes.anywhere(subject, {word.text: DYN for word in let.parameters})
    collector = Collector()
    check_expression(expanded.tree, scope, collector)
    for diagnostic in collector.diagnostics:
        tools.draft.collector.add(diagnostic)
