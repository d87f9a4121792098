"""Checks of single values: each takes what a caller sent and returns the engine's own plain copy, or raises `Misfit`.

Subclasses (enum members, `str` with manners of its own) become plain, so that no rule runs anybody's code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from policy_engine.base.values import (
    MAX_INT,
    MAX_UINT,
    MIN_INT,
    Duration,
    Timestamp,
    UInt,
    duration_of,
    timestamp_of,
)
from policy_engine.semantics.schema.budget import Budget, Check, Misfit
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
    BasicType,
    EnumType,
)


def kind_of(value: Any) -> str:
    """What a value is, in the words of messages."""
    if value is None:
        return "null"
    for kind, word in _WORDS:
        if isinstance(value, kind):
            return word
    return "something that is not data"


_WORDS: Final[tuple[tuple[type, str], ...]] = (
    (bool, "a boolean"), (UInt, "a uint"), (int, "a whole number"), (float, "a number"), (str, "text"),
    (bytes, "bytes"), (list, "a list"), (tuple, "a list"), (dict, "an object"), (Timestamp, "a timestamp"),
    (Duration, "a duration"), (datetime, "a datetime"), (timedelta, "a timedelta"),
)  # fmt: skip


def text(value: Any, budget: Budget) -> str:
    """A string, plain and whole."""
    if type(value) is not str:
        if not isinstance(value, str):
            raise Misfit(f"must be text, not {kind_of(value)}")
        value = str.__str__(value)
    budget.chars -= len(value)
    if budget.chars < 0:
        raise Misfit("holds more text than the engine reads")
    if not value.isascii():
        refuse_halves(value)
    return value  # type: ignore[no-any-return]


def refuse_halves(value: str) -> None:
    """Refuse a lone surrogate."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise Misfit("holds half of a character (a lone surrogate)") from None


def whole_number(value: Any, budget: Budget) -> int:
    """An integer of 64 bits; `5.0` is one too."""
    kind = type(value)
    if kind is int:
        made: int = value
    elif kind is float or (isinstance(value, float)):
        number = float.__float__(value)
        if not (MIN_INT <= number <= MAX_INT and number.is_integer()):
            raise Misfit("must be a whole number of 64 bits, not a fraction or a larger number")
        made = int(number)
    elif isinstance(value, int) and kind is not bool:
        made = int.__int__(value)
    else:
        raise Misfit(f"must be a whole number, not {kind_of(value)}")
    if MIN_INT <= made <= MAX_INT:
        return made
    raise Misfit("is a whole number beyond 64 bits")


def number(value: Any, budget: Budget) -> float:
    """A finite number as a float."""
    kind = type(value)
    if kind is float:
        made: float = value
    elif isinstance(value, float):
        made = float.__float__(value)
    elif isinstance(value, int) and kind is not bool:
        made = float(whole_number(value, budget))
    else:
        raise Misfit(f"must be a number, not {kind_of(value)}")
    if math.isfinite(made):
        return made
    raise Misfit("is not a finite number")


def boolean(value: Any, budget: Budget) -> bool:
    """True or false."""
    if value is True or value is False:
        return bool(value)
    raise Misfit(f"must be true or false, not {kind_of(value)}")


def null(value: Any, budget: Budget) -> None:
    """Null."""
    if value is not None:
        raise Misfit(f"must be null, not {kind_of(value)}")


def uint(value: Any, budget: Budget) -> UInt:
    """An unsigned integer of 64 bits."""
    if isinstance(value, int) and not isinstance(value, bool):
        plain = int.__int__(value)
        if 0 <= plain <= MAX_UINT:
            return UInt(plain)
        raise Misfit("must be between 0 and 18446744073709551615")
    raise Misfit(f"must be a whole number, not {kind_of(value)}")


def octets(value: Any, budget: Budget) -> bytes:
    """Bytes."""
    if not isinstance(value, bytes):
        raise Misfit(f"must be bytes, not {kind_of(value)}")
    budget.chars -= len(value)
    if budget.chars < 0:
        raise Misfit("holds more bytes than the engine reads")
    return bytes.__getitem__(value, slice(None)) if type(value) is not bytes else value


def moment(value: Any, budget: Budget) -> Timestamp:
    """A timestamp, or an aware datetime."""
    if type(value) is Timestamp:
        return value
    if isinstance(value, datetime):
        try:
            return timestamp_of(value)
        except (ValueError, OverflowError):
            raise Misfit("must have a time zone and a year from 1 to 9999") from None
    raise Misfit(f"must be a timestamp, not {kind_of(value)}")


def span_of_time(value: Any, budget: Budget) -> Duration:
    """A duration, or a timedelta."""
    if type(value) is Duration:
        return value
    if isinstance(value, timedelta):
        return duration_of(value)
    raise Misfit(f"must be a duration, not {kind_of(value)}")


SCALARS: Final[dict[BasicType, Callable[[Any, Budget], Any]]] = {
    STRING: text, INT: whole_number, DOUBLE: number, BOOL: boolean, NULL: null, UINT: uint, BYTES: octets,
    TIMESTAMP: moment, DURATION: span_of_time,
}  # fmt: skip
"""The check of each type without parts."""


def one_of(enum: EnumType) -> Check:
    """The check of closed strings."""
    options = {option: option for option in enum.options}
    if not options:
        shown = "left out: its schema fits no value"
    else:
        shown = str(enum) if len(str(enum)) <= 200 else f"one of {len(options)} declared words"

    def check(value: Any, budget: Budget) -> str:
        word = value if type(value) is str else text(value, budget)
        known = options.get(word)
        if known is None:
            raise Misfit(f"must be {shown}")
        return known

    return check
