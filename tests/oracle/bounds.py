"""What the oracle thinks a call or event owes: reserves and the time it may take, straight from the rules as written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from policy_engine.base.values import Duration, Timestamp, UInt
from policy_engine.semantics.ast import policy as tree
from tests.oracle.answers import Found
from tests.oracle.cel import Evaluator
from tests.oracle.values import Err

EvaluatorOf = Callable[[Found], Evaluator]


@dataclass(frozen=True)
class Owed:
    """Obligations as rows of plain values; `refusing` limits came to an error, `errors` are all rules that did."""

    rows: tuple[tuple[Any, ...], ...]
    refusing: tuple[str, ...]
    errors: tuple[str, ...]
    observed: tuple[str, ...]


class Unsure(Exception):
    """A part of a limit is no value, or not the kind of value it must be."""


def owed(limits: Iterable[Found], timeouts: Iterable[Found], evaluator_of: EvaluatorOf) -> Owed:
    """What all matching limits and the shortest enforced timeout demand."""
    rows: list[tuple[Any, ...]] = []
    unsure, errors = [], []
    for one in limits:
        if one.holds is False:
            continue
        try:
            if one.error:
                raise Unsure
            rows.append(_reserve(one.id, one.rule, evaluator_of(one)))
        except Unsure:
            errors.append(one.id)
            unsure.append(one)
    shortest: tuple[int, str] | None = None
    for one in timeouts:
        if one.error:
            errors.append(one.id)
        if one.safe and not one.rule.observe:
            this = (one.rule.after.nanos, one.id)
            shortest = this if shortest is None or this < shortest else shortest
    if shortest is not None:
        rows.append(("timeout", shortest[1], shortest[0]))
    refusing = tuple(one.id for one in unsure if not one.rule.observe)
    return Owed(tuple(sorted(rows, key=repr)), refusing, tuple(errors), tuple(one.id for one in unsure if one.rule.observe))


def _reserve(name: str, rule: tree.Limit, evaluator: Evaluator) -> tuple[Any, ...]:
    def value(expression: Any) -> Any:
        found = evaluator.of(expression)
        if isinstance(found, Err):
            raise Unsure
        return found

    bound = _finite(value(rule.bound))
    item = None
    if rule.of is None:
        amount = 1.0
    elif rule.distinct:
        amount, item = 1.0, _word(value(rule.of), deep=True)
    else:  # the drawn policies reserve exactly what is known later
        amount = _finite(value(rule.of if rule.reserve is None else rule.reserve))
        if amount < 0:
            raise Unsure
    keys = tuple(_word(value(key), deep=False) for key in rule.by)
    window = rule.window
    zone = None if window.kind != "calendar" else "UTC" if window.zone is None else window.zone.text
    span = 0 if window.duration is None else window.duration.nanos
    later = rule.reserve is not None
    return ("reserve", name, amount, keys, bound, (window.kind, span, window.unit, zone), item, later, rule.observe)


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unsure
    return float(value)


def _word(value: Any, *, deep: bool) -> str:
    """A value as the one text for all that equals it; lists, maps, moments and the like only where `deep`."""
    if isinstance(value, bool):
        return f"bool:{value}"
    if isinstance(value, str):
        return f"text:{value}"
    if isinstance(value, int | float | UInt) and not math.isnan(value):
        whole = math.isfinite(value) and value == math.floor(value)
        return f"number:{math.floor(value)}" if whole else f"number:{value!r}"
    if deep and isinstance(value, list):
        words = [_word(item, deep=True) for item in value]
        return "list:" + "".join(f"{len(word)}:{word}" for word in words)
    if deep and isinstance(value, dict):
        parts = []
        for key, item in sorted((_word(key, deep=True), _word(item, deep=True)) for key, item in value.items()):
            parts += [f"{len(key)}:{key}", f"{len(item)}:{item}"]
        return f"map:{''.join(parts)}"
    if deep and isinstance(value, bytes):
        return f"bytes:{value.hex()}"
    if deep and isinstance(value, Timestamp):
        return f"time:{value.nanos}"
    if deep and isinstance(value, Duration):
        return f"duration:{value.nanos}"
    if deep and value is None:
        return "null"
    raise Unsure
