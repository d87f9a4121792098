"""Pass: policies that say nothing, and policies under which nothing can ever be granted."""

from __future__ import annotations

from policy_engine.compiler.analysis.draft import Draft, Layer
from policy_engine.diagnostics.model import Code
from policy_engine.semantics.ast.policy import Permission

EMPTY_POLICY = Code(
    "empty-policy",
    "A policy without a rule",
    "A file that holds no rule decides nothing of its own; mostly the wrong file was given, or its rules were lost."
    " It is refused rather than taken for «deny everything».\n\n"
    "```\npolicy support           // refused: nothing follows\n\npolicy support\nallow reading on crm.search\n```\n"
    "Files joined with `use rules` may hold declarations only; so may a policy whose `default escalate` decides.",
)
NOTHING_GRANTED = Code(
    "nothing-granted",
    "Nothing is ever granted",
    "Only `allow`, or a `default escalate` that a person answers, grants a call. A layer whose default is deny and that"
    " allows nothing refuses every call.\n\n"
    "```\npolicy org.baseline\ndeny deletes on crm.delete_*            // the default, deny, refuses everything else too\n\n"
    "policy org.baseline\ndefault abstain                         // a layer of denies only\ndeny deletes on crm.delete_*\n```",
    "warning",
)
CODES = (EMPTY_POLICY, NOTHING_GRANTED)


def check_grants(draft: Draft) -> None:
    """Look at each layer. One that says `default abstain` means to grant nothing: others do."""
    about_tools = any(not subject.event for checked in draft.checked for subject in checked.subjects)
    for layer in draft.layers:
        default = "deny" if layer.default is None else layer.default.effect
        rules = [rule for _, rule in layer.rules()]
        allows = any(isinstance(rule, Permission) and rule.effect == "allow" and not rule.observe for rule in rules)
        if not rules and default != "escalate" and not _broken(draft, layer):
            header = layer.files[0].tree.header
            draft.report(
                EMPTY_POLICY, f"the policy `{layer.name}` holds no rule", header.span,
                effect="the policy is not loaded, and nothing is permitted",
                suggestion="add a rule, for example: allow reading on crm.search",
            )  # fmt: skip
        elif about_tools and default == "deny" and not allows and not _broken(draft, layer):
            _report(draft, layer)


def _broken(draft: Draft, layer: Layer) -> bool:
    """Whether the layer's rules were lost to faults that are told already."""
    sources = {id(file.source) for file in layer.files}
    return any(
        found.severity == "error" and id(found.span.source) in sources for found in draft.collector.diagnostics
    )


def _report(draft: Draft, layer: Layer) -> None:
    place = layer.files[0].tree.header.span if layer.default is None else layer.default.span
    draft.report(
        NOTHING_GRANTED, f"nothing is ever granted: `{layer.name}` allows nothing, and its default is deny", place,
        effect="every tool call is denied", suggestion="add an allow, or default abstain if the layer only adds denies",
    )  # fmt: skip
