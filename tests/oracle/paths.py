"""Where a path of the policy language leads in a value, for the oracle: recursion over copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class PathFault(Exception):
    """A path that does not fit its value, or a new value that came to an error."""


def write(value: Any, steps: tuple[Any, ...], change: Callable[[Any], Any], *, create: bool) -> Any:
    """A copy with `change` applied at every place; `create` adds a missing last field, else what is absent stays so."""
    if not steps:
        return change(value)
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        if not isinstance(value, dict):
            raise PathFault("no record")
        if step in value:
            return {**value, step: write(value[step], rest, change, create=create)}
        if not create:
            return dict(value)
        if rest:
            raise PathFault("nothing to write into")
        return {**value, step: change(None)}
    if not isinstance(value, list):
        raise PathFault("no list")
    if step is not None and step >= len(value) and create:
        raise PathFault("past the end")
    return [
        write(item, rest, change, create=create) if step is None or step == place else item
        for place, item in enumerate(value)
    ]


def places(value: Any, steps: tuple[Any, ...], prefix: str) -> list[str]:
    """All existing places, written out."""
    if not steps:
        return [prefix]
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        if not isinstance(value, dict):
            raise PathFault("no record")
        return places(value[step], rest, f"{prefix}.{step}") if step in value else []
    if not isinstance(value, list):
        raise PathFault("no list")
    chosen = range(len(value)) if step is None else [step] if step < len(value) else []
    return [place for index in chosen for place in places(value[index], rest, f"{prefix}[{index}]")]


def empty(value: Any) -> Any:
    """The empty value of the same kind."""
    for kind in (bool, int, float, str, list, dict):
        if type(value) is kind:
            return kind()
    return None
