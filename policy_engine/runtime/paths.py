"""Walking a path such as `result.items[*].subject` through engine values: where it leads, and changing what is there.

Nothing is changed in place: containers on the way are copied, so that the original stays what every rule reads.
A field that is absent is simply not there; a step that does not fit the value (a field of a text, an index of a map)
raises `PathMismatch`, because then nobody can say what the rule would have touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from policy_engine.semantics.ast.policy import PathStep


class PathMismatch(Exception):
    """A step of the path does not fit the value it meets."""


def concrete(value: Any, steps: tuple[PathStep, ...], prefix: str) -> Iterator[str]:
    """Every existing place the path leads to, written out (`result.items[2].subject`)."""
    if not steps:
        yield prefix
        return
    for key, item, name in _inside(value, steps[0]):
        yield from concrete(item, steps[1:], f"{prefix}{name}" if isinstance(key, int) else f"{prefix}.{key}")


def _inside(value: Any, step: PathStep) -> Iterator[tuple[Any, Any, str]]:
    if step is None:
        if not isinstance(value, list):
            raise PathMismatch
        for index, item in enumerate(value):
            yield index, item, f"[{index}]"
    elif isinstance(step, int):
        if not isinstance(value, list):
            raise PathMismatch
        if 0 <= step < len(value):
            yield step, value[step], f"[{step}]"
    else:
        if not isinstance(value, dict):
            raise PathMismatch
        if step in value:
            yield step, value[step], f".{step}"


def replaced(value: Any, steps: tuple[PathStep, ...], change: Callable[[Any], Any], *, create: bool) -> Any:
    """A copy of `value` with `change(old)` at every place the path leads to.

    With `create`, a missing last field of a record is added (`change(None)`); a missing field before it, or an index
    past the end, raises `PathMismatch`. Without, what is absent stays absent.
    """
    if not steps:
        return change(value)
    step, rest = steps[0], steps[1:]
    if step is None or isinstance(step, int):
        if not isinstance(value, list):
            raise PathMismatch
        if create and step is not None and not 0 <= step < len(value):
            raise PathMismatch
        return [
            replaced(item, rest, change, create=create) if step is None or index == step else item
            for index, item in enumerate(value)
        ]
    if not isinstance(value, dict):
        raise PathMismatch
    if step not in value:
        if not create:
            return value
        if rest:
            raise PathMismatch
        return {**value, step: change(None)}
    return {**value, step: replaced(value[step], rest, change, create=create)}


def emptied(value: Any) -> Any:
    """The empty value of the same kind: what `redact` without a replacement leaves."""
    for kind, empty in ((bool, False), (int, 0), (float, 0.0), (str, ""), (bytes, b""), (list, []), (dict, {})):
        if type(value) is kind:
            return empty
    return None
