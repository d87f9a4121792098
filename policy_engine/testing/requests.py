"""A Hypothesis strategy of requests: arguments that fit the tools' schemas, drawn often from the policy's own boundaries."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from policy_engine.base.errors import MisfitError
from policy_engine.base.request import Agent, Principal, Request
from policy_engine.base.values import MAX_INT, MAX_UINT, MIN_INT, Duration, Timestamp, UInt, outward
from policy_engine.runtime.engine import Policy
from policy_engine.semantics.artifact import ToolPlan
from policy_engine.semantics.schema.normalise import normaliser
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
    UINT,
    BasicType,
    EnumType,
    ListType,
    MapType,
    OpaqueType,
    OptionalType,
    RecordField,
    RecordType,
    Type,
    TypeVariable,
    UnionType,
)  # fmt: skip
from policy_engine.testing.boundaries import Path, boundaries

Known = dict[Path, list[Any]]


def requests(
    policy: Policy, *, tool: str | Sequence[str] | None = None, principal: Principal | None = None
) -> SearchStrategy[Request]:
    """Requests to the tools of `policy` (or to `tool` alone) whose arguments fit their schemas.

    Each value is drawn half of the time from the boundaries of the policy's own conditions (the literal of a
    comparison and its nearest neighbours) and else from its type at large. Principal, agent and context fit the
    records the policy declares; `principal` fixes the first. Raises `ValueError` for a tool the policy does not know.
    """
    names = list(policy.tools) if tool is None else [tool] if isinstance(tool, str) else list(tool)
    unknown = [name for name in names if name not in policy.tools]
    if unknown or not names:
        raise ValueError(f"the policy knows no tool {', '.join(map(repr, unknown)) or 'at all'}")
    return st.sampled_from(sorted(names)).flatmap(lambda name: _requests(policy, name, principal))


def _requests(policy: Policy, tool: str, principal: Principal | None) -> SearchStrategy[Request]:
    plan = policy.compiled.tools[tool]
    fit = normaliser(plan.input)
    known = boundaries(
        rule.condition for section in (plan.rewrites, plan.decide, plan.result) for rule in section.rules
    )
    subjects = {name: _subject(policy, name, known) for name in ("principal", "agent", "context")}
    return st.builds(
        Request,
        tool=st.just(tool),
        args=_arguments(plan, known).filter(lambda args: _accepted(fit, args)),
        principal=st.just(principal) if principal else subjects["principal"].map(lambda fields: Principal(**fields)),
        agent=subjects["agent"].map(lambda fields: Agent(**fields)),
        context=subjects["context"],
        at=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    )


def _accepted(fit: Callable[[Any], dict[str, Any]], args: Any) -> bool:
    """Whether the arguments also keep the bounds of the schema that types do not say."""
    try:
        fit(args)
    except MisfitError:
        return False
    return True


def _arguments(plan: ToolPlan, known: Known) -> SearchStrategy[Any]:
    if plan.input is not None:
        return _values(plan.input, ("args",), known)
    named = sorted({path[1] for path in known if len(path) > 1 and path[0] == "args" and path[1] != "*"})
    return st.fixed_dictionaries({}, optional={name: _values(DYN, ("args", name), known) for name in named})


def _subject(policy: Policy, subject: str, known: Known) -> SearchStrategy[dict[str, Any]]:
    records = policy.compiled.records.get(subject, ())
    if not records:
        named = sorted({path[1] for path in known if len(path) > 1 and path[0] == subject})
        return st.fixed_dictionaries({name: _values(DYN, (subject, name), known) for name in named})
    merged: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for record in records:
        for field in record.fields:
            (merged if field.required else optional)[field.name] = _values(field.type, (subject, field.name), known)
    return st.fixed_dictionaries(merged, optional={k: v for k, v in optional.items() if k not in merged})


def _values(kind: Type, path: Path, known: Known) -> SearchStrategy[Any]:
    """Values of a type; where the policy has boundaries for the path, one draw in two is of them."""
    at_large = _at_large(kind, path, known)
    near = [outward(value) for value in known.get(path, []) if _fits(value, kind)]
    return st.one_of(st.sampled_from(near), at_large) if near else at_large


def _at_large(kind: Type, path: Path, known: Known) -> SearchStrategy[Any]:
    match kind:
        case BasicType():
            return _basic(kind)
        case EnumType(options=options):
            return st.sampled_from(options) if options else st.nothing()
        case ListType(element=element):
            return st.lists(_values(element, (*path, "*"), known), max_size=4)
        case MapType(value=value):
            return st.dictionaries(_words(), _values(value, (*path, "*"), known), max_size=3)
        case RecordType(fields=fields):
            each = {
                field.name: _bounded(_values(field.type, (*path, field.name), known), field)
                for field in fields
                if field.required or field.type != EnumType(())
            }
            needed = {field.name: each[field.name] for field in fields if field.required}
            extra = {name: strategy for name, strategy in each.items() if name not in needed}
            return st.fixed_dictionaries(needed, optional=extra)
        case UnionType(options=options):
            return st.one_of([_values(option, path, known) for option in options])
        case OptionalType(inner=inner):
            return _values(inner, path, known)
        case OpaqueType() | TypeVariable():
            return st.nothing()


def _bounded(values: SearchStrategy[Any], field: RecordField) -> SearchStrategy[Any]:
    """Values of a field, drawn within the bounds of its schema where types alone would seldom meet them."""
    bounds = field.bounds
    if bounds is None:
        return values
    drawn = [values]
    if bounds.options:
        drawn.append(st.sampled_from([json.loads(option) for option in bounds.options]))
    if bounds.pattern is not None:
        drawn.append(st.from_regex(bounds.pattern, fullmatch=False))
    limits = [limit for limit in (bounds.minimum, bounds.above, bounds.maximum, bounds.below) if limit is not None]
    if limits and field.type in (INT, DOUBLE):
        low, high = min(limits), max(limits)
        low, high = (low, low + 1000) if len(limits) == 1 and bounds.maximum is None and bounds.below is None else (low, high)
        low = high - 1000 if low == high else low
        drawn.append(st.integers(math.ceil(low), math.floor(high)) if field.type == INT else st.floats(low, high))
    if bounds.min_length:
        drawn.append(st.text(st.characters(codec="utf-8"), min_size=bounds.min_length, max_size=bounds.max_length))
    return st.one_of(*reversed(drawn))


def _basic(kind: BasicType) -> SearchStrategy[Any]:
    return {
        NULL: st.none(),
        BOOL: st.booleans(),
        INT: st.integers(MIN_INT, MAX_INT) | st.integers(-3, 100),
        UINT: st.integers(0, MAX_UINT).map(UInt),
        DOUBLE: st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1000, 100_000).map(float),
        STRING: _words(),
        BYTES: st.binary(max_size=16),
        TIMESTAMP: st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
        DURATION: st.timedeltas(timedelta(days=-3), timedelta(days=3)),
        DYN: st.none() | st.booleans() | st.integers(-5, 5) | _words() | st.floats(allow_nan=False, width=32),
    }.get(kind, st.nothing())


def _words() -> SearchStrategy[str]:
    """Texts without lone surrogates, which a request may not hold."""
    return st.text(st.characters(codec="utf-8"), max_size=12)


def _fits(value: Any, kind: Type) -> bool:
    match kind:
        case UnionType(options=options):
            return any(_fits(value, option) for option in options)
        case OptionalType(inner=inner):
            return _fits(value, inner)
        case EnumType(options=options):
            return value in options
        case BasicType():
            wanted = {
                BOOL: (bool,), INT: (int,), DOUBLE: (float, int), STRING: (str,), UINT: (UInt,), BYTES: (bytes,),
                TIMESTAMP: (Timestamp,), DURATION: (Duration,), DYN: (bool, int, float, str),
            }  # fmt: skip
            return type(value) in wanted.get(kind, ())
        case _:
            return False
