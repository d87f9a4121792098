"""Values as text by which something is kept or counted: the same for equal values, and never for two that differ."""

from __future__ import annotations

import math
from typing import Any

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import Duration, Timestamp
from policy_engine.semantics.operations import NUMBERS, spoken_type


def key_text(value: Any) -> str:
    """A key as text; raises `EvaluationError` for what is no text, number or truth value."""
    kind = type(value)
    if kind is str:
        return f"text:{value}"
    if kind is bool:
        return f"bool:{value}"
    if kind in NUMBERS and value == value:
        return f"number:{int(value)}" if math.isfinite(value) and value == int(value) else f"number:{value!r}"
    raise EvaluationError("no_such_overload", f"a key is text, a number or a truth value, not {spoken_type(value)}")


def item_text(value: Any) -> str:
    """A value of any kind as text, for `of distinct`: lists and maps are equal where their parts are.

    Raises `EvaluationError` for what equals nothing (NaN) and for what is no value of the language.
    """
    kind = type(value)
    if value is None:
        return "null"
    if kind is list:
        return "list:" + "".join(map(_sized, value))
    if kind is dict:
        pairs = sorted((item_text(key), item_text(item)) for key, item in value.items())
        return "map:" + "".join(_counted(part) for pair in pairs for part in pair)
    if kind is bytes:
        return f"bytes:{value.hex()}"
    if kind is Timestamp:
        return f"time:{value.nanos}"
    if kind is Duration:
        return f"duration:{value.nanos}"
    return key_text(value)


def _sized(value: Any) -> str:
    return _counted(item_text(value))


def _counted(text: str) -> str:
    """With its length before it, so that where one part ends is never a matter of what is in it."""
    return f"{len(text)}:{text}"
