"""The keywords that bound values (`minimum`, `maxLength`, `pattern` …), as `Bounds`."""

from __future__ import annotations

from typing import Any

from policy_engine.base.errors import EvaluationError
from policy_engine.semantics.functions.patterns import compiled
from policy_engine.semantics.schema.combining import Schema
from policy_engine.semantics.schema.faults import Faults
from policy_engine.semantics.schema.positions import Path
from policy_engine.semantics.types import Bounds


def demands(schema: Schema, path: Path, faults: Faults) -> Bounds | None:
    """What a schema demands beyond its type; None = nothing."""
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    minimum, maximum = _number(schema.get("minimum")), _number(schema.get("maximum"))
    if above is True:  # draft 4: a flag beside `minimum`
        above, minimum = minimum, None
    if below is True:
        below, maximum = maximum, None
    step = _number(schema.get("multipleOf"))
    made = Bounds(
        minimum, maximum, _number(above), _number(below), step if step else None,
        _count(schema.get("minLength")), _count(schema.get("maxLength")), _pattern(schema, path, faults),
        _count(schema.get("minItems")), _count(schema.get("maxItems")), schema.get("uniqueItems") is True,
    )  # fmt: skip
    return None if made == Bounds() else made


def _pattern(schema: Schema, path: Path, faults: Faults) -> str | None:
    pattern = schema.get("pattern")
    if not isinstance(pattern, str):
        return None
    try:
        compiled(pattern)
    except EvaluationError:
        faults.unchecked((*path, "pattern"), "pattern")
        return None
    return pattern


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _count(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None
