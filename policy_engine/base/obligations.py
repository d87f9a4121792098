"""Obligations as plain values, in which the audit keeps what a decision owed and `redo` compares it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final, assert_never

from policy_engine.base.decision import Ask, Label, Obligation, Reserve, Timeout
from policy_engine.base.values import timestamp_of

_MICROSECOND: Final = timedelta(microseconds=1)


def plain_obligations(obligations: Iterable[Obligation]) -> list[list[Any]]:
    """One row an obligation, in their order; its first word is the kind. Durations are in microseconds; "" stands for a unit,
    a zone or an item that there is not (none is empty)."""
    return [_row(one) for one in obligations]


def _row(one: Obligation) -> list[Any]:
    match one:
        case Reserve():
            window = one.window
            return [
                "reserve", one.rule, one.amount, list(one.keys), one.bound, window.kind, window.nanos, window.unit or "",
                window.zone or "", one.item or "", one.settles, one.observe,
            ]  # fmt: skip
        case Timeout():
            return ["timeout", one.rule, one.after // _MICROSECOND]
        case Ask():
            later = [[tier.queue, tier.count, tier.within // _MICROSECOND] for tier in one.later]
            return [
                "ask", one.rule, one.queue, one.count, one.within // _MICROSECOND, one.digest, timestamp_of(one.expires),
                one.binding, later,
            ]  # fmt: skip
        case Label():
            return ["label", one.rule, one.label, one.path, one.add]
        case _:
            assert_never(one)
