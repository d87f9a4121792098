"""Pass: `retry` rules for tools that are never tried again, because nothing says that a second attempt does no harm."""

from __future__ import annotations

from typing import Final, cast

from policy_engine.compiler.analysis.draft import Draft, Subject
from policy_engine.compiler.analysis.rules import CheckedRule
from policy_engine.diagnostics.model import Code
from policy_engine.semantics.ast.policy import Retry

RETRY_UNSAFE = Code(
    "retry-unsafe",
    "A retry of a tool that is never tried again",
    "A call that failed may have happened all the same: the answer was lost, not the payment. So a tool is tried again only"
    " where its schema, or the host with the call, says `readOnlyHint` or `idempotentHint`; for all others the rule does"
    " nothing.\n\n"
    "```\nretry payments on bank.transfer up to 3 times          // never tried again\n"
    "retry balances on bank.get_balance up to 3 times       // declared `\"annotations\": {\"readOnlyHint\": true}`\n```",
    "warning",
)
CODES = (RETRY_UNSAFE,)

_MOST_NAMED: Final = 3


def check_retries(draft: Draft) -> None:
    """One finding a rule, with the tools by name."""
    for checked in cast(list[CheckedRule], draft.checked):
        if not isinstance(checked.rule, Retry):
            continue
        unsafe = [subject.name for subject in checked.subjects if not repeatable(subject)]
        if unsafe:
            _report(draft, checked, unsafe)


def repeatable(subject: Subject) -> bool:
    """Whether the tool is declared read-only or idempotent."""
    return any(subject.annotations.get(word) is True for word in ("readOnlyHint", "idempotentHint"))


def _report(draft: Draft, checked: CheckedRule, unsafe: list[str]) -> None:
    rule = checked.rule
    named = ", ".join(f"`{name}`" for name in unsafe[:_MOST_NAMED])
    more = f" and {len(unsafe) - _MOST_NAMED} more" if len(unsafe) > _MOST_NAMED else ""
    are = "is" if len(unsafe) == 1 else "are"
    them = "it" if len(unsafe) == 1 else "them"
    draft.report(
        RETRY_UNSAFE, f"{named}{more} {are} declared neither read-only nor idempotent", rule.targets.span,
        effect=f"`{rule.name.text}` never tries {them} again, unless the host says so with the call",
        suggestion='"annotations": {"readOnlyHint": true} in the schema, if that is true',
    )  # fmt: skip
