"""The check of a value that may be of several types: the first that fits exactly, then the first that fits at all.

Exactly: `5` is an integer before it is a number, `5.0` a number before it is an integer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from policy_engine.base.values import Duration, Timestamp, UInt
from policy_engine.semantics.schema.budget import Budget, Check, Misfit
from policy_engine.semantics.schema.scalars import kind_of
from policy_engine.semantics.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    UINT,
    EnumType,
    ListType,
    MapType,
    RecordType,
    Type,
)


def one_of_types(options: Sequence[tuple[Type, Check]]) -> Check:
    """The check of a union."""
    by_kind: dict[type, tuple[Check, ...]] = {}
    for kind in (bool, int, float, str, bytes, list, dict, UInt, Timestamp, Duration):
        exact = [check for option, check in options if kind in _kinds(option, exact=True)]
        near = [check for option, check in options if kind in _kinds(option, exact=False)]
        by_kind[kind] = tuple(dict.fromkeys((*exact, *near)))
    nullable = any(option == NULL for option, _ in options)
    every = tuple(check for _, check in options)
    words = " or ".join(dict.fromkeys(_word(option) for option, _ in options))

    def check(value: Any, budget: Budget) -> Any:
        if value is None and nullable:
            return None
        candidates = by_kind.get(_kind(value), every)
        if len(candidates) == 1:
            return candidates[0](value, budget)
        if not candidates:
            raise Misfit(f"must be {words}, not {kind_of(value)}")
        for candidate in candidates:
            budget.take(1)  # alternatives that fail are work too
            try:
                return candidate(value, budget)
            except Misfit:
                continue
        raise Misfit(f"fits none of the {len(candidates)} shapes it may have")

    return check


def _kind(value: Any) -> type:
    kind = type(value)
    if kind in (str, int, float, bool, list, dict):
        return kind
    for known in (str, UInt, int, float, list, dict):
        if isinstance(value, known):
            return known
    if isinstance(value, tuple):
        return list
    return dict if isinstance(value, Mapping) else kind


def _kinds(option: Type, *, exact: bool) -> tuple[type, ...]:
    if isinstance(option, EnumType) or option == STRING:
        return (str,)
    if isinstance(option, ListType):
        return (list,)
    if isinstance(option, RecordType | MapType):
        return (dict,)
    kinds: dict[Type, tuple[type, ...]] = {
        BOOL: (bool,),
        NULL: (),
        BYTES: (bytes,),
        TIMESTAMP: (Timestamp,),
        DURATION: (Duration,),
    }
    if option in kinds:
        return kinds[option]
    numbers: dict[Type, tuple[type, ...]] = (
        {INT: (int,), DOUBLE: (float,), UINT: (UInt,)}
        if exact
        else {INT: (int, float, UInt), DOUBLE: (int, float, UInt), UINT: (int, UInt)}
    )
    return numbers.get(option, ())


def _word(option: Type) -> str:
    if isinstance(option, EnumType):
        return str(option) if len(option.options) <= 6 else "a declared word"
    if isinstance(option, ListType):
        return "a list"
    if isinstance(option, RecordType | MapType):
        return "an object"
    words: dict[Type, str] = {
        STRING: "text", INT: "a whole number", DOUBLE: "a number", BOOL: "a boolean", NULL: "null", BYTES: "bytes",
        TIMESTAMP: "a timestamp", DURATION: "a duration", UINT: "a uint",
    }  # fmt: skip
    return words.get(option, str(option))
