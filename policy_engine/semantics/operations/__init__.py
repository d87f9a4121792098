"""One exact definition of each CEL operator. Called by interpreter, generated code and function bodies.

Promises: any engine values are taken; the answer is an engine value or an `EvaluationError`, no other exception.
"""

from __future__ import annotations

from policy_engine.semantics.operations.access import (
    contains,
    has_field,
    index,
    optional_index,
    optional_select,
    select,
)
from policy_engine.semantics.operations.arithmetic import (
    add,
    checked_duration,
    checked_int,
    checked_timestamp,
    checked_uint,
    divide,
    multiply,
    negate,
    remainder,
    subtract,
)
from policy_engine.semantics.operations.equality import MISSING, equals, equals_within, find
from policy_engine.semantics.operations.kinds import KEYS, NUMBERS, Opaque, no_overload, spoken_type, type_name
from policy_engine.semantics.operations.maps import map_of
from policy_engine.semantics.operations.ordering import greater, greater_equal, less, less_equal

__all__ = [
    "KEYS",
    "MISSING",
    "NUMBERS",
    "Opaque",
    "add",
    "checked_duration",
    "checked_int",
    "checked_timestamp",
    "checked_uint",
    "contains",
    "divide",
    "equals",
    "equals_within",
    "find",
    "greater",
    "greater_equal",
    "has_field",
    "index",
    "less",
    "less_equal",
    "map_of",
    "multiply",
    "negate",
    "no_overload",
    "optional_index",
    "optional_select",
    "remainder",
    "select",
    "spoken_type",
    "subtract",
    "type_name",
]
