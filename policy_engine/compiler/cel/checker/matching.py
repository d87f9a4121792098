"""Which types fit where: assignability with type variables, joins of branches, possible equality. Pure, no messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from policy_engine.base.values import Duration, Timestamp, TypeValue, UInt
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
    OptionalType,
    RecordType,
    Type,
    TypeVariable,
    UnionType,
    union,
)  # fmt: skip

NUMBERS: Final = (INT, UINT, DOUBLE)
_MAX_WEIGHT: Final = 250
"""Parts of one type; a list in a list in a list … a hundred deep has a hundred."""
Bindings = dict[str, Type]


def members(kind: Type) -> tuple[Type, ...]:
    """The options of a union; any other type alone."""
    return kind.options if isinstance(kind, UnionType) else (kind,)


def is_text(kind: Type) -> bool:
    """Text, an enum of texts among it."""
    return kind == STRING or isinstance(kind, EnumType)


def fits(wanted: Type, given: Type, bound: Bindings) -> bool:
    """Whether a value of type `given` may stand where `wanted` is; type variables are bound on the way."""
    if isinstance(wanted, TypeVariable):
        return _bind(wanted.name, given, bound)
    if given == DYN:
        _free(wanted, bound)
        return True
    if wanted in (DYN, given):
        return True
    if isinstance(given, UnionType):
        return all(fits(wanted, option, bound) for option in given.options)
    match wanted, given:
        case UnionType(options=options), _:
            return any(fits(option, given, bound) for option in options)
        case EnumType(options=allowed), EnumType(options=options):
            return set(options) <= set(allowed)
        case (EnumType(), _) | (_, EnumType()):
            return is_text(wanted) and is_text(given)
        case ListType(element=element), ListType(element=other):
            return fits(element, other, bound)
        case MapType(key=key, value=value), MapType(key=other_key, value=other_value):
            return fits(key, other_key, bound) and fits(value, other_value, bound)
        case MapType(key=key, value=value), RecordType():
            return fits(key, STRING, bound) and fits(value, any_field(given), bound)
        case OptionalType(inner=inner), OptionalType(inner=other):
            return fits(inner, other, bound)
        case RecordType(fields=fields), RecordType():
            return all(_field_fits(given, field.name, field.type, field.required, bound) for field in fields)
        case RecordType(), MapType(key=key):
            return key == DYN or is_text(key)
        case _:
            return False


def _free(wanted: Type, bound: Bindings) -> None:
    """An argument of unknown type: what its variables stand for is unknown, whatever other arguments say."""
    match wanted:
        case TypeVariable(name=name):
            bound[name] = DYN
        case ListType(element=inner) | OptionalType(inner=inner):
            _free(inner, bound)
        case MapType(key=key, value=value):
            _free(key, bound)
            _free(value, bound)
        case _:
            return


def _field_fits(given: RecordType, name: str, wanted: Type, required: bool, bound: Bindings) -> bool:
    field = given.field(name)
    if field is None:
        return not required or given.rest is not None
    return (field.required or not required) and fits(wanted, field.type, bound)


def _bind(name: str, given: Type, bound: Bindings) -> bool:
    current = bound.get(name)
    if current is None or current == given:
        bound[name] = given
        return True
    if given == DYN or current == DYN or holds_dyn(current) or holds_dyn(given):
        bound[name] = DYN if DYN in (given, current) else join((current, given))
        return True
    if fits(current, given, bound):
        return True
    if fits(given, current, bound):
        bound[name] = given
        return True
    return False


def holds_dyn(kind: Type) -> bool:
    """Whether `dyn` stands somewhere inside."""
    match kind:
        case ListType(element=inner) | OptionalType(inner=inner):
            return holds_dyn(inner)
        case MapType(key=key, value=value):
            return holds_dyn(key) or holds_dyn(value)
        case UnionType(options=options):
            return any(holds_dyn(option) for option in options)
        case RecordType(fields=fields, rest=rest):
            return rest is not None or any(holds_dyn(field.type) for field in fields)
        case _:
            return kind == DYN


def settled(kind: Type, bound: Mapping[str, Type]) -> Type:
    """The type with its variables replaced; what nothing bound is `dyn`."""
    match kind:
        case TypeVariable(name=name):
            return bound.get(name, DYN)
        case ListType(element=element):
            return ListType(settled(element, bound))
        case MapType(key=key, value=value):
            return MapType(settled(key, bound), settled(value, bound))
        case OptionalType(inner=inner):
            return OptionalType(settled(inner, bound))
        case UnionType(options=options):
            return union(*(settled(option, bound) for option in options))
        case _:
            return kind


def any_field(record: RecordType) -> Type:
    """What a property of a record may be, whichever it is."""
    kinds = [field.type for field in record.fields] + ([record.rest] if record.rest is not None else [])
    return join(kinds) if kinds else DYN


def bounded(kind: Type) -> Type:
    """The type, or `dyn` when it has grown past what helps anyone: branches within branches can double it each time."""
    if isinstance(kind, BasicType | EnumType | RecordType):
        return kind
    level: list[Type] = [kind]
    weight = 0
    while level:
        weight += len(level)
        if weight > _MAX_WEIGHT:
            return DYN
        level = [part for option in level for part in _parts(option)]
    return kind


def _parts(kind: Type) -> tuple[Type, ...]:
    match kind:
        case ListType(element=inner) | OptionalType(inner=inner):
            return (inner,)
        case MapType(key=key, value=value):
            return (key, value)
        case UnionType(options=options):
            return options
        case _:
            return ()


def field_names(record: RecordType) -> Type:
    """The type of a record's keys."""
    return STRING if record.rest is not None or not record.fields else EnumType(tuple(f.name for f in record.fields))


def join(kinds: Iterable[Type]) -> Type:
    """The type of a value that is one of several: null makes it nullable, numbers of two kinds are `dyn`."""
    given = list(dict.fromkeys(kinds))
    if len(given) == 1:
        return given[0]
    found = list(dict.fromkeys(option for kind in given for option in members(kind)))
    if not found or DYN in found:
        return DYN
    plain = [kind for kind in found if kind != NULL]
    if not plain:
        return NULL
    joined = plain[0]
    for kind in plain[1:]:
        joined = _join_two(joined, kind)
    return joined if len(plain) == len(found) else union(joined, NULL)


def _join_two(one: Type, other: Type) -> Type:
    match one, other:
        case EnumType(options=options), EnumType(options=more):
            return EnumType(tuple(sorted({*options, *more})))
        case ListType(element=element), ListType(element=more):
            return ListType(join((element, more)))
        case MapType(key=key, value=value), MapType(key=other_key, value=other_value):
            return MapType(join((key, other_key)), join((value, other_value)))
        case OptionalType(inner=inner), OptionalType(inner=more):
            return OptionalType(join((inner, more)))
        case _ if one == other:
            return one
        case _ if is_text(one) and is_text(other):
            return STRING
        case _:
            return DYN


def may_be_equal(one: Type, other: Type) -> bool:
    """Whether a value of one type can equal a value of the other."""
    return any(_may_equal(a, b) for a in members(one) for b in members(other))


def _may_equal(one: Type, other: Type) -> bool:
    match one, other:
        case EnumType(options=options), EnumType(options=more):
            return not set(options).isdisjoint(more)
        case ListType(), ListType():
            return True  # both may be empty
        case MapType() | RecordType(), MapType() | RecordType():
            return True
        case OptionalType(), OptionalType():
            return True
        case _:
            return DYN in (one, other) or one == other or (one in NUMBERS and other in NUMBERS) or (
                is_text(one) and is_text(other)
            )  # fmt: skip


def type_of(value: Any) -> Type:
    """The type of a value put into an expression: a literal, a `param`, a datum, a group."""
    match value:
        case None:
            return NULL
        case bool():
            return BOOL
        case UInt():
            return UINT
        case int():
            return INT
        case float():
            return DOUBLE
        case str():
            return STRING
        case bytes():
            return BYTES
        case list():
            return ListType(join([type_of(item) for item in value]))
        case dict():
            return MapType(join([type_of(key) for key in value]), join([type_of(item) for item in value.values()]))
        case Timestamp():
            return TIMESTAMP
        case Duration():
            return DURATION
        case TypeValue():
            return TYPE
        case _:
            return DYN
