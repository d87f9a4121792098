"""Whether a value of one type may be put where another is declared, and what type stands at the end of a path."""

from __future__ import annotations

from collections.abc import Mapping

from policy_engine.semantics.ast.expressions import Conditional, Expr, Literal, Name
from policy_engine.semantics.ast.policy import PathStep
from policy_engine.semantics.types import (
    DOUBLE,
    DYN,
    INT,
    NULL,
    STRING,
    EnumType,
    ListType,
    MapType,
    OptionalType,
    RecordType,
    Type,
    UnionType,
    union,
)


def assignable(given: Type, wanted: Type) -> bool:
    """Whether a value of type `given` may stand where `wanted` is declared. `DYN` may: it is validated when it is known."""
    if DYN in (given, wanted) or given == wanted:
        return True
    if isinstance(given, UnionType):
        return all(assignable(option, wanted) for option in given.options)
    if isinstance(wanted, UnionType):
        return any(assignable(given, option) for option in wanted.options)
    match given, wanted:
        case EnumType(), EnumType():
            return set(given.options) <= set(wanted.options)
        case EnumType(), _:
            return wanted == STRING
        case ListType(), ListType():
            return assignable(given.element, wanted.element)
        case MapType(), MapType():
            return assignable(given.key, wanted.key) and assignable(given.value, wanted.value)
        case MapType(), RecordType():
            return given.key in (STRING, DYN) or isinstance(given.key, EnumType)
        case RecordType(), MapType():
            return assignable(STRING, wanted.key) and all(assignable(field.type, wanted.value) for field in given.fields)
        case RecordType(), RecordType():
            return _record_fits(given, wanted)
        case _:
            return given == INT and wanted == DOUBLE


def _record_fits(given: RecordType, wanted: RecordType) -> bool:
    for field in given.fields:
        declared = wanted.field(field.name)
        target = declared.type if declared is not None else wanted.rest
        if target is None or not assignable(field.type, target):
            return False
    return all(given.field(field.name) is not None or given.rest for field in wanted.fields if field.required)


def exact_type(expression: Expr, types: Mapping[Expr, Type], constants: Mapping[str, object]) -> Type:
    """The checked type, with texts that are written out as the closed set of themselves."""
    match expression:
        case Literal(value=str() as text):
            return EnumType((text,))
        case Conditional():
            return union(
                exact_type(expression.then, types, constants), exact_type(expression.otherwise, types, constants)
            )
        case Name(name=name) if isinstance(constants.get(name), str):
            return EnumType((str(constants[name]),))
        case _:
            return types.get(expression, DYN)


class NoSuchPath(Exception):
    """`step` of the path does not exist in `type_`; `known` are the names that do."""

    def __init__(self, step: PathStep, type_: Type, known: tuple[str, ...] = ()) -> None:
        super().__init__(str(step))
        self.step = step
        self.type_ = type_
        self.known = known


def type_at(root: Type, steps: tuple[PathStep, ...]) -> Type:
    """The type at the end of a path; raises `NoSuchPath`."""
    here = root
    for step in steps:
        here = _step(without_null(here), step)
    return here


def without_null(type_: Type) -> Type:
    """The type of the value where it is there."""
    if isinstance(type_, OptionalType):
        return without_null(type_.inner)
    if isinstance(type_, UnionType):
        options = [option for option in type_.options if option != NULL]
        return union(*options) if options else NULL
    return type_


def _step(here: Type, step: PathStep) -> Type:
    if here == DYN:
        return DYN
    if isinstance(here, UnionType):
        found = []
        for option in here.options:
            try:
                found.append(_step(option, step))
            except NoSuchPath:
                continue
        if not found:
            raise NoSuchPath(step, here)
        return union(*found)
    if isinstance(here, ListType) and (step is None or isinstance(step, int)):
        return here.element
    if isinstance(here, MapType) and isinstance(step, str):
        return here.value
    if isinstance(here, RecordType) and isinstance(step, str):
        field = here.field(step)
        if field is not None:
            return field.type
        if here.rest is not None:
            return here.rest
        raise NoSuchPath(step, here, tuple(one.name for one in here.fields))
    raise NoSuchPath(step, here)


def overlap(one: tuple[PathStep, ...], other: tuple[PathStep, ...]) -> bool:
    """Whether two paths of one root may lead to the same place, or one to the parent of the other."""
    for ours, theirs in zip(one, other, strict=False):
        wild = (ours is None and not isinstance(theirs, str)) or (theirs is None and not isinstance(ours, str))
        if ours != theirs and not wild:
            return False
    return True
