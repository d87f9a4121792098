"""Checks of lists, objects and values of any type. Each reads its input exactly once, from a copy of its own.

The copy is taken in one step before anything is looked at, so that a caller who changes a list from another thread
changes nothing that was checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from policy_engine.base.limits import MAX_ARGS_DEPTH
from policy_engine.base.values import Duration, Timestamp, UInt
from policy_engine.diagnostics.suggest import did_you_mean
from policy_engine.semantics.schema.budget import Budget, Check, Misfit
from policy_engine.semantics.schema.scalars import (
    kind_of,
    moment,
    number,
    octets,
    refuse_halves,
    span_of_time,
    text,
    uint,
    whole_number,
)
from policy_engine.semantics.schema.strict_json import clipped

TOO_DEEP: Final = f"is nested deeper than {MAX_ARGS_DEPTH} levels"


def members(value: Any) -> dict[Any, Any]:
    """A private copy of an object's members."""
    if type(value) is dict:
        return value.copy()
    if not isinstance(value, Mapping):
        raise Misfit(f"must be an object, not {kind_of(value)}")
    try:
        return dict(value)
    except Exception:  # somebody's Mapping with manners of its own
        raise Misfit("cannot be read") from None


def items(value: Any) -> list[Any]:
    """A private copy of a list's items."""
    if type(value) is list:
        return value.copy()
    if isinstance(value, list):
        return list.copy(value)
    if isinstance(value, tuple):
        return list(tuple.__iter__(value))
    raise Misfit(f"must be a list, not {kind_of(value)}")


def key_text(key: Any) -> str:
    """A plain key; what is not text is refused."""
    if isinstance(key, str):
        return str.__str__(key)
    raise Misfit(f"has a key that is {kind_of(key)}; keys are text")


def list_of(element: Check) -> Check:
    """The check of `list(T)`."""

    def check(value: Any, budget: Budget) -> list[Any]:
        given = items(value)
        budget.take(len(given))
        made: list[Any] = []
        try:
            for item in given:
                made.append(element(item, budget))
        except Misfit as fault:
            raise fault.within(len(made)) from None
        return made

    return check


def map_of(key: Check, inner: Check) -> Check:
    """The check of `map(K, V)`."""

    def check(value: Any, budget: Budget) -> dict[Any, Any]:
        given = members(value)
        budget.take(len(given))
        made: dict[Any, Any] = {}
        for name, item in given.items():
            plain = key(name, budget)
            try:
                made[plain] = inner(item, budget)
            except Misfit as fault:
                raise fault.within(clipped(str(plain))) from None
        if len(made) != len(given):
            raise Misfit("has one key twice")
        return made

    return check


def record_of(checks: dict[str, Check], required: frozenset[str], rest: Check | None) -> Check:
    """The check of a record: declared properties by their own check, others by `rest` or not at all."""

    def check(value: Any, budget: Budget) -> dict[str, Any]:
        given = value.copy() if type(value) is dict else members(value)
        budget.take(len(given))
        made: dict[str, Any] = {}
        name: Any = None
        try:
            for name, item in given.items():
                if type(name) is not str:
                    name = key_text(name)
                inner = checks.get(name)
                if inner is text and type(item) is str and item.isascii():  # as `text` does, without the call
                    budget.chars -= len(item)
                    made[name] = item
                    continue
                if inner is None:
                    inner = _undeclared(name, checks, rest, budget)
                made[name] = inner(item, budget)
            if budget.chars < 0:
                raise _too_much_text()
        except Misfit as fault:
            raise fault.within(clipped(name)) if isinstance(name, str) else fault from None
        if len(made) != len(given):
            raise Misfit("has one key twice")
        if not required <= made.keys():
            missing = min(required - made.keys())
            raise Misfit("is required but missing").within(missing)
        return made

    return check


def _too_much_text() -> Misfit:
    return Misfit("holds more text than the engine reads")


def _undeclared(name: str, checks: dict[str, Check], rest: Check | None, budget: Budget) -> Check:
    if rest is None:
        near = did_you_mean(clipped(name), checks)
        raise Misfit(f"is not a declared property{f'; {near}' if near else ''}")
    text(name, budget)
    return rest


def anything(depth: int) -> Check:
    """The check of a value without a type: plain data within the limits, `depth` levels below the root."""
    remaining = MAX_ARGS_DEPTH - depth

    def check(value: Any, budget: Budget) -> Any:
        return plain(value, budget, remaining)

    return check


def plain(value: Any, budget: Budget, depth: int) -> Any:
    """The engine's copy of any data; at most `depth` levels of lists and objects."""
    if value is None or value is True or value is False:
        return value
    kind = type(value)
    if kind is str:
        return text(value, budget)
    if kind is int:
        return whole_number(value, budget)
    if kind is float:
        return number(value, budget)
    if kind is dict or isinstance(value, Mapping):
        return _plain_object(value, budget, depth)
    if isinstance(value, list | tuple):
        return _plain_list(value, budget, depth)
    for wanted, check in _PLAIN_SCALARS:
        if isinstance(value, wanted):
            return check(value, budget)
    raise Misfit(f"is {kind_of(value)}")


_PLAIN_SCALARS: Final[tuple[tuple[type, Check], ...]] = (
    (str, text), (UInt, uint), (int, whole_number), (float, number), (bytes, octets), (Timestamp, moment),
    (Duration, span_of_time), (datetime, moment), (timedelta, span_of_time),
)  # fmt: skip


def _plain_object(value: Any, budget: Budget, depth: int) -> dict[str, Any]:
    if depth <= 0:
        raise Misfit(TOO_DEEP)
    given = members(value)
    budget.take(len(given))
    made: dict[str, Any] = {}
    for name, item in given.items():
        key = name if type(name) is str else key_text(name)
        budget.chars -= len(key)
        if not key.isascii():
            refuse_halves(key)
        try:
            made[key] = plain(item, budget, depth - 1)
        except Misfit as fault:
            raise fault.within(clipped(key)) from None
    if len(made) != len(given):
        raise Misfit("has one key twice")
    if budget.chars < 0:
        raise Misfit("holds more text than the engine reads")
    return made


def _plain_list(value: Any, budget: Budget, depth: int) -> list[Any]:
    if depth <= 0:
        raise Misfit(TOO_DEEP)
    given = items(value)
    budget.take(len(given))
    made: list[Any] = []
    try:
        for item in given:
            made.append(plain(item, budget, depth - 1))
    except Misfit as fault:
        raise fault.within(len(made)) from None
    return made
