"""What kind of value this is. Called by every operation and function; promises one name for each kind of value.

`type(x) is` throughout: a Python bool is an `int` and a `UInt` is an `int`, and CEL mixes neither with numbers.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, NoReturn

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import Duration, Optional, Timestamp, TypeValue, UInt


class Opaque:
    """A value that only its own functions look into, such as an IP address. Subclasses are frozen and hashable."""

    __slots__ = ()
    type_name: ClassVar[str]


NUMBERS: Final = frozenset((int, UInt, float))
"""The Python classes of CEL's numbers; compare with `type(x) in NUMBERS`, so that bool is none."""
KEYS: Final = frozenset((bool, int, UInt, str))
"""The Python classes of what can be a key of a map."""

_NAMES: Final[dict[type, str]] = {
    type(None): "null_type", bool: "bool", int: "int", UInt: "uint", float: "double", str: "string", bytes: "bytes",
    list: "list", dict: "map", Timestamp: "google.protobuf.Timestamp", Duration: "google.protobuf.Duration",
    TypeValue: "type", Optional: "optional_type",
}  # fmt: skip
_SPOKEN: Final = {
    "null_type": "null", "google.protobuf.Timestamp": "timestamp", "google.protobuf.Duration": "duration",
    "optional_type": "optional",
}  # fmt: skip


def type_name(value: Any) -> str:
    """The name `type(value)` has in CEL: `int`, `null_type`, `google.protobuf.Timestamp` …

    Raises `EvaluationError("internal")` for a Python object that is no engine value.
    """
    name = _NAMES.get(type(value))
    if name is not None:
        return name
    if isinstance(value, Opaque):
        return value.type_name
    raise EvaluationError("internal", "a value of a kind that policies cannot read")


def spoken_type(value: Any) -> str:
    """The name people read in messages: `int`, `null`, `timestamp` …; never raises."""
    if isinstance(value, Opaque):
        return value.type_name
    name = _NAMES.get(type(value), "unsupported value")
    return _SPOKEN.get(name, name)


def no_overload(operation: str, *values: Any) -> NoReturn:
    """Raises the error of an operation that these kinds of values do not have. The values themselves are not shown."""
    kinds = ", ".join(spoken_type(value) for value in values)
    raise EvaluationError("no_such_overload", f"`{operation}` does not take ({kinds})")
