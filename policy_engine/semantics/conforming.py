"""Whether an engine value is of a declared type. Called for functions of the host, on the way in and on the way out."""

from __future__ import annotations

from typing import Any, Final, assert_never

from policy_engine.base.values import MAX_INT, MIN_INT, Duration, Optional, Timestamp, TypeValue, UInt
from policy_engine.semantics.operations import Opaque
from policy_engine.semantics.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    TYPE,
    UINT,
    BasicType,
    EnumType,
    ListType,
    MapType,
    OpaqueType,
    OptionalType,
    RecordType,
    Type,
    TypeVariable,
    UnionType,
)

_CLASSES: Final[dict[BasicType, type]] = {
    NULL: type(None), BOOL: bool, INT: int, UINT: UInt, DOUBLE: float, STRING: str, BYTES: bytes, TIMESTAMP: Timestamp,
    DURATION: Duration, TYPE: TypeValue,
}  # fmt: skip


def conforms(value: Any, wanted: Type) -> bool:
    """Whether `value` is a value of the type. Exact: an int is no double, a bool no int; ints have 64 bits."""
    match wanted:
        case BasicType():
            if wanted == INT:
                return type(value) is int and MIN_INT <= value <= MAX_INT
            return wanted == DYN or type(value) is _CLASSES[wanted]
        case EnumType():
            return type(value) is str and value in wanted.options
        case ListType():
            return type(value) is list and all(conforms(item, wanted.element) for item in value)
        case MapType():
            return type(value) is dict and all(
                conforms(key, wanted.key) and conforms(item, wanted.value) for key, item in value.items()
            )
        case OptionalType():
            return type(value) is Optional and (not value.present or conforms(value.value, wanted.inner))
        case RecordType():
            return type(value) is dict and _is_record(value, wanted)
        case UnionType():
            return any(conforms(value, option) for option in wanted.options)
        case OpaqueType():
            return isinstance(value, Opaque) and value.type_name == wanted.name
        case TypeVariable():
            return True
        case _:
            assert_never(wanted)


def _is_record(value: dict[Any, Any], wanted: RecordType) -> bool:
    if any(field.required and field.name not in value for field in wanted.fields):
        return False
    for name, item in value.items():
        field = wanted.field(name)
        kind = wanted.rest if field is None else field.type
        if kind is None or not conforms(item, kind):
            return False
    return True
