"""From what an agent sent to what rules see: one pass that validates, normalises and copies.

`normaliser` is called once for each tool and record when a policy is loaded, its result once a request. The pass reads
every value once, so that nobody can show it one thing and the tool another; what it returns shares nothing with its
input. Raises `MisfitError`, whose words never hold values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, assert_never

from policy_engine.base.errors import MisfitError
from policy_engine.base.limits import MAX_ARGS_DEPTH
from policy_engine.semantics.schema.bounds import bounded
from policy_engine.semantics.schema.budget import Budget, Check, Misfit
from policy_engine.semantics.schema.containers import TOO_DEEP, anything, list_of, map_of, plain, record_of
from policy_engine.semantics.schema.scalars import SCALARS, kind_of, one_of
from policy_engine.semantics.schema.straight import straight
from policy_engine.semantics.schema.unions import one_of_types
from policy_engine.semantics.types import (
    DYN,
    BasicType,
    Bounds,
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

_FREE: Final = Bounds()


def normaliser(record: RecordType | None, root: str = "args") -> Callable[[Any], dict[str, Any]]:
    """The function that turns what was sent into a record of the engine's own, or raises `MisfitError`.

    `record` None = no schema: any object within the limits. `root` is the name that paths in messages begin with.
    """
    check = _any_object if record is None else check_of(record, 0)

    def normalise(value: Any) -> dict[str, Any]:
        try:
            return check(value, Budget())  # type: ignore[no-any-return]
        except Misfit as fault:
            raise MisfitError(fault.path(root), fault.problem) from None

    return normalise if record is None else straight(record, normalise)


def normalise_any(value: Any, root: str = "result") -> Any:
    """A value without a schema (a result, an event's field) as the engine's own; raises `MisfitError`."""
    if value is None or value is True or value is False:
        return value
    try:
        return plain(value, Budget(), MAX_ARGS_DEPTH)
    except Misfit as fault:
        raise MisfitError(fault.path(root), fault.problem) from None


def _any_object(value: Any, budget: Budget) -> Any:
    made = plain(value, budget, MAX_ARGS_DEPTH)
    if not isinstance(made, dict):
        raise Misfit(f"must be an object, not {kind_of(made)}")
    return made


def check_of(wanted: Type, depth: int, bounds: Bounds | None = None) -> Check:
    """The check of a type that stands `depth` levels below the root, with what is demanded beyond it."""
    if depth > MAX_ARGS_DEPTH:
        return _refusing(TOO_DEEP)
    check = _of_type(wanted, depth, bounds or _FREE)
    if bounds is None:
        return check
    return bounded(check, bounds, lambda position: check_of(position.type, depth + 1, position.bounds))


def _of_type(wanted: Type, depth: int, bounds: Bounds) -> Check:
    """The check of a type; of `bounds` only what is demanded of items and values."""
    match wanted:
        case BasicType():
            if wanted == DYN:
                return anything(depth)
            return SCALARS.get(wanted) or _refusing(f"cannot be given: {wanted} is no data")
        case EnumType():
            return one_of(wanted)
        case ListType(element):
            return list_of(check_of(element, depth + 1, bounds.items))
        case MapType(key, value):
            return map_of(check_of(key, depth + 1), check_of(value, depth + 1, bounds.values))
        case RecordType():
            checks = {field.name: check_of(field.type, depth + 1, field.bounds) for field in wanted.fields}
            required = frozenset(field.name for field in wanted.fields if field.required)
            return record_of(checks, required, None if wanted.rest is None else check_of(wanted.rest, depth + 1))
        case UnionType(options):
            return one_of_types([(option, _of_type(option, depth, bounds)) for option in options])
        case OptionalType() | OpaqueType() | TypeVariable():
            return _refusing(f"cannot be given: {wanted} is no data")
        case _:
            assert_never(wanted)


def _refusing(problem: str) -> Check:
    def check(value: Any, budget: Budget) -> Any:
        raise Misfit(problem)

    return check
