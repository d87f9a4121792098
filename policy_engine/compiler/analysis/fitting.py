"""Fitting a value that is known when the policy is compiled (a datum, a param) to its declared type.

Whole numbers become doubles where a double is declared, texts become timestamps and durations; nothing else is
converted. What does not fit raises `MisfitError` with the place inside the value and what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from policy_engine.base.errors import MisfitError
from policy_engine.base.limits import MAX_ARGS_DEPTH, MAX_ARGS_NODES
from policy_engine.base.values import MAX_INT, MIN_INT, Duration, Timestamp, UInt, timestamp_of
from policy_engine.semantics.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    UINT,
    EnumType,
    ListType,
    MapType,
    Type,
)

_UNITS = {
    "ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}  # fmt: skip
_KINDS: tuple[tuple[Type, type], ...] = (
    (INT, int), (STRING, str), (BOOL, bool), (BYTES, bytes), (UINT, UInt), (TIMESTAMP, Timestamp), (DURATION, Duration),
)  # fmt: skip
_DURATION = re.compile(r"(?:[0-9]+(?:ms|us|ns|s|m|h|d))+")
_DURATION_PART = re.compile(r"([0-9]+)(ms|us|ns|s|m|h|d)")


def fit(value: Any, wanted: Type, path: str, *, from_text: bool = False) -> Any:
    """`value` as an engine value of type `wanted`. `from_text`: every scalar was read as text (CSV)."""
    budget = iter(range(MAX_ARGS_NODES))
    return _fit(value, wanted, path, from_text, budget, 0)


def _fit(value: Any, wanted: Type, path: str, from_text: bool, budget: Iterator[int], depth: int) -> Any:
    if next(budget, None) is None or depth > MAX_ARGS_DEPTH:
        raise MisfitError(path, "is larger than the engine reads")
    if isinstance(wanted, ListType) or (wanted == DYN and isinstance(value, list)):
        if not isinstance(value, list):
            raise MisfitError(path, f"is {kind_of(value)}, not a list")
        element = wanted.element if isinstance(wanted, ListType) else DYN
        return [_fit(item, element, f"{path}[{n}]", from_text, budget, depth + 1) for n, item in enumerate(value)]
    if isinstance(wanted, MapType) or (wanted == DYN and isinstance(value, dict)):
        if not isinstance(value, dict):
            raise MisfitError(path, f"is {kind_of(value)}, not a map")
        key, inner = (wanted.key, wanted.value) if isinstance(wanted, MapType) else (DYN, DYN)
        return {
            _key(name, key, path, from_text): _fit(item, inner, f"{path}.{name}", from_text, budget, depth + 1)
            for name, item in value.items()
        }
    return _scalar(value, wanted, path, from_text)


def _key(name: Any, wanted: Type, path: str, from_text: bool) -> Any:
    key = _scalar(name, wanted, f"{path} (a key)", from_text)
    if type(key) not in (str, int, bool, UInt):
        raise MisfitError(path, f"has a key that is {kind_of(key)}; keys are text, whole numbers or booleans")
    return key


def _scalar(value: Any, wanted: Type, path: str, from_text: bool) -> Any:
    if from_text and isinstance(value, str):
        value = _read_text(value, wanted, path)
    kind = type(value)
    if kind is int and not MIN_INT <= value <= MAX_INT and wanted != UINT:
        raise MisfitError(path, "is a whole number beyond 64 bits")
    if wanted == DYN and (value is None or kind in (bool, int, float, str, bytes, UInt, Timestamp, Duration)):
        return value
    if isinstance(wanted, EnumType):
        if kind is str and value in wanted.options:
            return value
        raise MisfitError(path, f"is not one of {wanted}")
    if wanted == DOUBLE and kind in (int, float):
        return float(value)
    if wanted == UINT and kind is int and 0 <= value < 1 << 64:
        return UInt(value)
    if wanted == TIMESTAMP and kind is str:
        return _timestamp(value, path)
    if wanted == DURATION and kind is str:
        return _duration(value, path)
    if any(wanted == declared and kind is python for declared, python in _KINDS):
        return value
    raise MisfitError(path, f"is {kind_of(value)}, not {wanted}")


def _read_text(text: str, wanted: Type, path: str) -> Any:
    try:
        if wanted in (INT, UINT):
            return int(text)
        if wanted == DOUBLE:
            return float(text)
    except ValueError:
        raise MisfitError(path, f"is not a number, but {wanted} is declared") from None
    if wanted == BOOL and text in ("true", "false"):
        return text == "true"
    return text


def _timestamp(text: str, path: str) -> Timestamp:
    try:
        return timestamp_of(datetime.fromisoformat(text))
    except ValueError:
        raise MisfitError(path, "is not a moment such as 2026-03-01T09:00:00Z") from None


def _duration(text: str, path: str) -> Duration:
    if not _DURATION.fullmatch(text):
        raise MisfitError(path, "is not a duration such as 1h30m")
    return Duration(sum(int(count) * _UNITS[unit] for count, unit in _DURATION_PART.findall(text)))


def kind_of(value: Any) -> str:
    """What a value is, in the words of the language."""
    names = {
        bool: "a boolean", int: "a whole number", float: "a number", str: "text", bytes: "bytes", list: "a list",
        dict: "a map", UInt: "a uint", Timestamp: "a timestamp", Duration: "a duration",
    }  # fmt: skip
    return "null" if value is None else names.get(type(value), type(value).__name__)
