"""Obligations as plain values, in which the audit keeps what a decision owed and `redo` compares it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final, assert_never

from policy_engine.base.decision import Ask, Label, Obligation, Reserve, Timeout
from policy_engine.base.values import timestamp_of

_MICROSECOND: Final = timedelta(microseconds=1)


def plain_obligations(obligations: Iterable[Obligation]) -> tuple[list[list[Any]], list[list[Any]]]:
    """One row an obligation, in their order, twice: what the policy says of it, its kind first, and the values it was worked
    out from. Durations are in microseconds; "" stands for a unit, a zone or an item that there is not (none is empty)."""
    rows = [_row(one) for one in obligations]
    return [said for said, _ in rows], [values for _, values in rows]


def _row(one: Obligation) -> tuple[list[Any], list[Any]]:
    match one:
        case Reserve():
            window = one.window
            span = (window.kind, window.nanos, window.unit or "", window.zone or "")
            return ["reserve", one.rule, *span, one.settles, one.observe], [one.amount, one.bound, *one.keys, one.item or ""]
        case Timeout():
            return ["timeout", one.rule, one.after // _MICROSECOND], []
        case Ask():
            later = [[tier.queue, tier.count, tier.within // _MICROSECOND] for tier in one.later]
            said: list[Any] = ["ask", one.rule, one.queue, one.count, one.within // _MICROSECOND, later]
            return said, [one.digest, timestamp_of(one.expires), one.binding]
        case Label():
            return ["label", one.rule, one.label, one.add], [one.path]
        case _:
            assert_never(one)
