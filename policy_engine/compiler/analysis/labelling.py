"""Checks of `label` and `declassify`: the labels are declared, the paths exist."""

from __future__ import annotations

from policy_engine.compiler.analysis.checking import Bench
from policy_engine.compiler.analysis.outcomes import check_path, output_root
from policy_engine.diagnostics.model import Code
from policy_engine.diagnostics.suggest import did_you_mean
from policy_engine.semantics.ast.policy import Declassification, Labelling

UNKNOWN_LABEL = Code(
    "unknown-label",
    "A label that is not declared",
    "Labels are declared, because a misspelt one would never be found again: what it marks would pass as unmarked.\n\n"
    "```\nlabels untrusted\nlabel outside on web.fetch as untrused at result.body     // refused\n"
    "label outside on web.fetch as untrusted at result.body\n```",
)
CODES = (UNKNOWN_LABEL,)


def check_labels(bench: Bench, rule: Labelling | Declassification) -> None:
    """Labels and paths of a rule."""
    for word in rule.labels:
        if isinstance(rule, Labelling):
            bench.draft.used_labels.add(word.text)
        if word.text not in bench.draft.labels:
            bench.report(
                UNKNOWN_LABEL, f"the label `{word.text}` is not declared", word.span,
                suggestion=did_you_mean(word.text, bench.draft.labels) or f"declare it: labels {word.text}",
            )  # fmt: skip
    if isinstance(rule, Labelling):
        for path in rule.paths:
            check_path(bench, path, output_root(bench))
