"""Pass: two rewrites of one layer that may write the same place have no order, so neither could be said to win."""

from __future__ import annotations

from collections.abc import Iterator

from policy_engine.compiler.analysis.assigning import overlap
from policy_engine.compiler.analysis.draft import Draft
from policy_engine.compiler.analysis.rules import CheckedRule
from policy_engine.diagnostics.model import Code
from policy_engine.semantics.ast.policy import Path, RedactChange, Rewriting, SetChange

REWRITE_CONFLICT = Code(
    "rewrite-conflict",
    "Two rewrites may write the same place",
    "Every rewrite reads the original, and rules have no order. Two of one layer that write one place, or a place and"
    " its parent, could leave either value. (Of two layers, the higher one's write counts.)\n\n"
    "```\nrewrite small on crm.search set args.limit to 10 when principal.role == \"guest\"\n"
    "rewrite page on crm.search set args.limit to 50 when args.limit > 50      // refused: both may apply\n"
    'rewrite page on crm.search set args.limit to (principal.role == "guest" ? 10 : 50)\n```',
)
CODES = (REWRITE_CONFLICT,)


def check_conflicts(draft: Draft) -> None:
    """Report every pair of overlapping paths among the enforced rewrites of a layer, for one tool they share."""
    rewrites = [one for one in draft.checked if isinstance(one.rule, Rewriting) and not one.rule.observe]
    seen: dict[tuple[int, str, str], list[CheckedRule]] = {}
    told: set[tuple[int, int]] = set()
    for one in rewrites:
        for subject in sorted(subject.name for subject in one.subjects):
            for root in {path.root for path in _paths(one.rule)}:
                others = seen.setdefault((one.layer.index, subject, root), [])
                others.append(one)
                for other in others:
                    if (id(other), id(one)) not in told:
                        told.add((id(other), id(one)))
                        _compare(draft, other, one, subject)


def _compare(draft: Draft, first: CheckedRule, second: CheckedRule, subject: str) -> None:
    for ours in _paths(second.rule):
        for theirs in _paths(first.rule):
            if ours is theirs or ours.root != theirs.root or not overlap(ours.steps, theirs.steps):
                continue
            if first is second and ours.span.start < theirs.span.start:
                continue  # each pair of one rule once
            draft.report(
                REWRITE_CONFLICT,
                f"`{second.rule.name.text}` and `{first.rule.name.text}` may both write `{ours.span.text}`"
                if first is not second
                else f"`{first.rule.name.text}` writes `{ours.span.text}` twice",
                (ours.span, "this write"), (theirs.span, "and this one"),
                effect=f"on {subject}, nobody could say which value stays",
                suggestion="make one rule of both, with a condition inside the value: … ? … : …",
            )  # fmt: skip
            return


def _paths(rule: object) -> Iterator[Path]:
    assert isinstance(rule, Rewriting)
    for change in rule.changes:
        match change:
            case SetChange():
                yield change.path
            case RedactChange():
                yield from change.paths
