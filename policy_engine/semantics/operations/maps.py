"""Building maps, for literals and `transformMap*` of both back ends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from policy_engine.base.errors import EvaluationError
from policy_engine.semantics.operations.bounds import bound_elements
from policy_engine.semantics.operations.kinds import KEYS, spoken_type


def map_of(entries: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """The map of these entries, in their order. Raises `duplicate_key`, or `no_such_overload` for what is no key.

    Keys of different number types are the same key when equal (`0` and `0u`). A map that holds both `true` and `1`
    (or `false` and `0`) is refused as well: Python's dict cannot tell them apart, and losing one would be silent.
    """
    built: dict[Any, Any] = {}
    for key, value in entries:
        if type(key) not in KEYS:
            raise EvaluationError("no_such_overload", f"a value of type {spoken_type(key)} is no key of a map")
        if key in built:
            raise EvaluationError("duplicate_key", f"two entries of a map have one key, of type {spoken_type(key)}")
        built[key] = value
    bound_elements(len(built))
    return built
