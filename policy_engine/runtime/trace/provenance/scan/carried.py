"""`carried(x)`: whether a value was an argument of an earlier allowed call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from policy_engine.base.values import Timestamp
from policy_engine.runtime.trace.provenance.leaves import Leaf
from policy_engine.runtime.trace.provenance.scan.origins import parts_of_value
from policy_engine.runtime.trace.provenance.scan.said import exact
from policy_engine.runtime.trace.provenance.text import folded, is_identifier


def carried(value: Any, arguments: Sequence[Leaf]) -> bool:
    """Whether every single value in `value` was an argument or an element of one; never for null or nothing."""
    parts = parts_of_value(value)
    return bool(parts) and all(any(_same(leaf.value, part) for leaf in arguments) for part in parts)


def _same(argument: Any, value: Any) -> bool:
    if isinstance(value, bool) or isinstance(argument, bool):
        return value is argument
    if isinstance(value, int | float) and isinstance(argument, int | float):
        number = exact(value)
        return number is not None and number == exact(argument)
    if isinstance(value, str) and isinstance(argument, str):
        if value == argument:
            return True
        plain = not is_identifier(value) and not is_identifier(argument)
        return plain and folded(value).split() == folded(argument).split()
    return isinstance(value, Timestamp | bytes) and type(value) is type(argument) and value == argument
