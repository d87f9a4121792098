"""What is certain about a value before it is computed: its possible *kinds*, from its static type.

A kind is the Python class a value can have inside the engine, by CEL's name for it. The families ask questions such as
«can one side be a bool and the other a number?», because there Python's answer and CEL's differ (`1 == True`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, TypeAlias, assert_never

from policy_engine.base.values import Duration, Optional, Timestamp, TypeValue, UInt
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
    union,
)  # fmt: skip

Kinds: TypeAlias = frozenset[str]
ANY: Final[Kinds] = frozenset({
    "null", "bool", "int", "uint", "double", "string", "bytes", "list", "map", "timestamp", "duration", "type",
    "optional", "opaque",
})  # fmt: skip
BOOLS: Final[Kinds] = frozenset({"bool"})
INTS: Final[Kinds] = frozenset({"int"})
DOUBLES: Final[Kinds] = frozenset({"double"})
NUMBERS: Final[Kinds] = frozenset({"int", "uint", "double"})
STRINGS: Final[Kinds] = frozenset({"string"})
LISTS: Final[Kinds] = frozenset({"list"})
MAPS: Final[Kinds] = frozenset({"map"})
NESTED: Final[Kinds] = frozenset({"list", "map", "optional", "opaque"})
"""Kinds whose equality looks inside, where Python and CEL differ about bools and NaN."""


@lru_cache(maxsize=4096)
def kinds(type_: Type) -> Kinds:
    """The kinds a value of that type can have."""
    match type_:
        case BasicType():
            return frozenset({type_.name}) if type_.name in ANY else ANY
        case EnumType():
            return STRINGS
        case ListType():
            return LISTS
        case MapType() | RecordType():
            return MAPS
        case OptionalType():
            return frozenset({"optional"})
        case OpaqueType():
            return frozenset({"opaque"})
        case UnionType():
            return frozenset().union(*(kinds(option) for option in type_.options))
        case TypeVariable():
            return ANY
        case _:
            assert_never(type_)


def elements(type_: Type) -> Type:
    """What a macro's single variable is: an element of a list, a key of a map."""
    match type_:
        case ListType():
            return type_.element
        case MapType():
            return type_.key
        case RecordType():
            return STRING
        case UnionType():
            return union(*(elements(option) for option in type_.options if option != NULL))
        case _:
            return DYN


def entries(type_: Type) -> tuple[Type, Type]:
    """What a macro's two variables are: index and element of a list, key and value of a map."""
    match type_:
        case ListType():
            return INT, type_.element
        case MapType():
            return type_.key, type_.value
        case RecordType():
            values = [field.type for field in type_.fields] + ([type_.rest] if type_.rest else [])
            return STRING, union(*values) if values else DYN
        case _:
            return DYN, DYN


def items(type_: Type) -> Type:
    """What an index into a value of that type gives: elements of lists, values of maps."""
    match type_:
        case ListType():
            return type_.element
        case MapType() | RecordType():
            return entries(type_)[1]
        case _:
            return DYN


def field(type_: Type, name: str) -> Type:
    """The type of a field, if it is there at all."""
    match type_:
        case RecordType():
            declared = type_.field(name)
            return declared.type if declared is not None else type_.rest or DYN
        case MapType():
            return type_.value
        case _:
            return DYN


_SCALARS: Final[dict[type, Type]] = {
    type(None): NULL, bool: BOOL, int: INT, UInt: UINT, float: DOUBLE, str: STRING, bytes: BYTES,
    Timestamp: TIMESTAMP, Duration: DURATION, TypeValue: TYPE,
}  # fmt: skip


def type_of_value(value: Any) -> Type:
    """The type of a constant, as narrow as it can be said."""
    kind = type(value)
    if kind in _SCALARS:
        return _SCALARS[kind]
    if kind is list:
        return ListType(_common(value))
    if kind is dict:
        return MapType(_common(value.keys()), _common(value.values()))
    return OptionalType(DYN) if kind is Optional else DYN


def _common(values: Any) -> Type:
    parts = {type_of_value(value): None for value in values}
    return union(*parts) if parts else DYN


def mixes(left: Kinds, right: Kinds) -> bool:
    """Whether one side can be a bool while the other is a number, which Python holds equal and comparable."""
    return bool(("bool" in left and right & NUMBERS) or ("bool" in right and left & NUMBERS))


def rounds(left: Kinds, right: Kinds) -> bool:
    """Whether an integer may meet a double. CEL compares it as the nearest double, Python exactly: they part at 2**53."""
    whole = NUMBERS - DOUBLES
    return bool(("double" in left and right & whole) or ("double" in right and left & whole))


def agrees(left: Type, right: Type, inside: bool = False) -> bool:
    """Whether Python's `==` between values of these types is CEL's.

    It is not where a bool meets a number or an integer a double, and inside containers not for doubles: Python takes
    one NaN object for equal to itself there.
    """
    left_kinds, right_kinds = kinds(left), kinds(right)
    if mixes(left_kinds, right_kinds) or rounds(left_kinds, right_kinds):
        return False
    if inside and "double" in left_kinds & right_kinds:
        return False
    shared = left_kinds & right_kinds & NESTED
    if not shared:
        return True
    if isinstance(left, ListType) and isinstance(right, ListType):
        return agrees(left.element, right.element, True)
    if isinstance(left, MapType | RecordType) and isinstance(right, MapType | RecordType):
        return all(agrees(mine, theirs, True) for mine, theirs in zip(entries(left), entries(right), strict=True))
    return False
