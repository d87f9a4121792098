"""Checks of `limit`: what is counted is a number, what is not known before the call is reserved, the zone exists."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from policy_engine.compiler.analysis.checking import Bench
from policy_engine.compiler.analysis.outcomes import check_otherwise
from policy_engine.compiler.analysis.phases import Phase
from policy_engine.diagnostics.model import Code
from policy_engine.semantics.ast.expressions import Expr
from policy_engine.semantics.ast.policy import Limit
from policy_engine.semantics.types import DOUBLE, DYN, INT, UINT

NOT_A_NUMBER = Code(
    "not-a-number",
    "A limit counts something that is not a number",
    "The bound of a limit, what it sums and what it reserves are numbers; `of distinct` counts values of any kind.\n\n"
    '```\nlimit volume on crm.refund to "500" per 1d         // refused\n'
    'limit volume on crm.refund to 500.0 of args.amount per 1d\n```',
)
MISSING_RESERVE = Code(
    "missing-reserve",
    "A limit sums what is known only after the call, and reserves nothing",
    "Limits hold an amount before the call and settle it after. Without `reserve`, calls that run at the same time"
    " would together pass the bound.\n\n```\nlimit spend on * to 2.5 of call.cost per run                     // refused\n"
    "limit spend on * to 2.5 of call.cost reserve 0.05 per run\n```",
)
UNKNOWN_ZONE = Code(
    "unknown-zone",
    "A time zone that does not exist",
    "Zones are named as in the IANA database: `Europe/Berlin`, `America/New_York`, `UTC`.\n\n"
    '```\nlimit monthly on bank.transfer to 5 per month in "Berlin"           // refused\n'
    'limit monthly on bank.transfer to 5 per month in "Europe/Berlin"\n```',
)
LIMIT_WITHOUT_BY = Code(
    "limit-without-by",
    "A limit that everybody shares",
    "A limit over time without `by` has one counter for all principals, agents and tenants: one of them can use it up, and"
    " the others are refused. Say whose limit it is; where one counter for all is meant, say that with a key that never"
    " differs.\n\n"
    "```\nlimit rate on crm.refund to 5 per 1h                         // five an hour, whoever asks\n"
    "limit rate on crm.refund to 5 per 1h by principal.id\n"
    'limit budget on crm.refund to 1000 per day by "everybody"\n```\n'
    "`per run` and `at once` need no `by`.",
    "warning",
)
CODES = (NOT_A_NUMBER, MISSING_RESERVE, UNKNOWN_ZONE, LIMIT_WITHOUT_BY)

_NUMBERS = (INT, UINT, DOUBLE, DYN)
AFTER_THE_CALL: Final = frozenset({"result", "call"})
"""Names whose values are known only once a call has returned."""


def check_limit(bench: Bench, rule: Limit) -> None:
    """All parts of a limit but its guards."""
    _number(bench, rule.bound, "the bound of a limit")
    if rule.of is not None:
        _check_of(bench, rule, rule.of)
    if rule.reserve is not None:
        _number(bench, rule.reserve, "what is reserved")
    for key in rule.by:
        bench.checked(key)
    zone = rule.window.zone
    if zone is not None and not _exists(zone.text):
        bench.report(
            UNKNOWN_ZONE, f'there is no time zone "{zone.text}"', zone.span,
            suggestion='write it as the IANA database does, for example "Europe/Berlin"',
        )  # fmt: skip
    if not rule.by and rule.window.kind in ("sliding", "calendar"):
        bench.report(
            LIMIT_WITHOUT_BY, f"`{rule.name.text}` has no `by`, so that everybody shares one counter", rule.window.span,
            effect="what one principal uses up is refused to all others",
            suggestion='by principal.id, or by "everybody" if one counter is meant',
        )  # fmt: skip
    check_otherwise(bench, rule.otherwise, output=False)


def _check_of(bench: Bench, rule: Limit, of: Expr) -> None:
    phase: Phase = "event" if bench.subject.event else "result"
    checked = bench.checked(of, phase=phase)
    if checked is not None and not rule.distinct and checked[1].type not in _NUMBERS:
        _report(bench, of, "what a limit sums", str(checked[1].type))
    expanded = bench.expanded(of)
    if expanded is not None and expanded.free & AFTER_THE_CALL and rule.reserve is None:
        bench.report(
            MISSING_RESERVE, f"`{of.span.text}` is known only after the call, and nothing is reserved before it",
            (of.span, "known after the call"), suggestion=f"of {of.span.text} reserve …",
        )  # fmt: skip


def _number(bench: Bench, expression: Expr, what: str) -> None:
    checked = bench.checked(expression)
    if checked is not None and checked[1].type not in _NUMBERS:
        _report(bench, expression, what, str(checked[1].type))


def _report(bench: Bench, expression: Expr, what: str, given: str) -> None:
    bench.report(
        NOT_A_NUMBER, f"{what} is a number, and this is {given}", (expression.span, given),
        suggestion="of distinct … counts values of any kind",
    )  # fmt: skip


def _exists(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return False
    return True
