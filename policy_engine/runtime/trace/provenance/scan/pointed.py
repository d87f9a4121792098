"""`pointed(x)`: whether a value comes from a call whose argument the user said: a reason to ask, never to allow."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from policy_engine.runtime.trace.provenance.leaves import Leaf
from policy_engine.runtime.trace.provenance.scan.origins import matcher, parts_of_value


def pointed(value: Any, leaves: Sequence[Leaf], pointed_at: Set[Leaf]) -> bool:
    """Whether every single value in `value` was seen in a result the user pointed at; never for null or nothing."""
    places = [leaf for leaf in leaves if leaf in pointed_at]
    parts = parts_of_value(value)
    return bool(parts) and all(any(map(matcher(part), places)) for part in parts)


def points(argument: Any) -> bool:
    """Whether an argument can name something (a file, a page, an issue's number): text, or a whole number."""
    return argument != "" and isinstance(argument, str | int) and not isinstance(argument, bool)
