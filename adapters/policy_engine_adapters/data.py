"""Python values as the plain data that policies read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from os import PathLike, fspath
from typing import Any


def as_data(value: Any) -> Any:
    """Dataclasses, named tuples, pydantic models, enums, paths and keys that JSON would write as text, as plain data.

    What it does not know it leaves as it is; the engine then refuses what is no data, and a result is withheld.
    """
    if isinstance(value, Enum):
        return as_data(value.value)
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_data(getattr(value, field.name)) for field in dataclasses.fields(value)}
    dump = getattr(type(value), "model_dump", None)
    if callable(dump):
        return as_data(dump(value))
    if isinstance(value, Mapping):
        return {_key(key): as_data(item) for key, item in value.items()}
    named = getattr(value, "_asdict", None) if isinstance(value, tuple) else None
    if callable(named):
        return as_data(named())
    if isinstance(value, list | tuple):
        return [as_data(item) for item in value]
    return fspath(value) if isinstance(value, PathLike) else value


def _key(key: Any) -> Any:
    if isinstance(key, Enum):
        return _key(key.value)
    return str(key) if isinstance(key, int | float) and not isinstance(key, bool) else key
