"""The checker against the interpreter: what a sound expression comes to has the type the checker said.

The code generator relies on this: it leaves out tests that the types make needless.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, assume, given, settings, strategies as st

from policy_engine.base.errors import EvaluationError
from policy_engine.base.source import Source, Span
from policy_engine.base.values import Duration, Optional, Timestamp, TypeValue, UInt
from policy_engine.compiler.cel.checker import Scope, check_expression
from policy_engine.compiler.cel.parser import parse_expression
from policy_engine.diagnostics.model import Collector
from policy_engine.semantics.functions.catalogue import BY_NAME
from policy_engine.semantics.interpreter import interpret
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
    EnumType,
    ListType,
    MapType,
    OptionalType,
    RecordField,
    RecordType,
    Type,
    UnionType,
    union,
)

CLASSES: dict[Type, type] = {
    BOOL: bool, INT: int, UINT: UInt, DOUBLE: float, STRING: str, BYTES: bytes, TIMESTAMP: Timestamp, DURATION: Duration,
    TYPE: TypeValue, NULL: type(None),
}  # fmt: skip
ARGS = RecordType(
    "args",
    (
        RecordField("any", DYN, True),
        RecordField("count", INT, True),
        RecordField("either", union(INT, STRING), True),
        RecordField("kind", EnumType(("big", "small")), True),
        RecordField("limit", INT, False),
        RecordField("note", union(STRING, NULL), True),
        RecordField("price", DOUBLE, True),
        RecordField("tags", ListType(STRING), True),
        RecordField("wide", ListType(DYN), True),
    ),
)
SCOPE = Scope({"args": ARGS, "m": MapType(STRING, INT), "u": UINT}, BY_NAME)


def inhabits(value: Any, kind: Type) -> bool:
    """Whether the value is one of the type."""
    match kind:
        case EnumType(options=options):
            return type(value) is str and value in options
        case ListType(element=element):
            return isinstance(value, list) and all(inhabits(item, element) for item in value)
        case MapType(key=key, value=inner):
            return isinstance(value, dict) and all(inhabits(k, key) and inhabits(v, inner) for k, v in value.items())
        case OptionalType(inner=inner):
            return isinstance(value, Optional) and (not value.present or inhabits(value.value, inner))
        case UnionType(options=options):
            return any(inhabits(value, option) for option in options)
        case RecordType():
            return isinstance(value, dict)
        case _:
            return kind == DYN or type(value) is CLASSES[kind]


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 2.0]), st.sampled_from(["", "a", "big"])
)
BINDINGS = st.fixed_dictionaries(
    {
        "any": st.one_of(
            SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.sampled_from("ab"), SCALARS, max_size=2)
        ),
        "count": st.integers(-3, 3),
        "either": st.one_of(st.integers(-3, 3), st.sampled_from(["a", "b"])),
        "kind": st.sampled_from(["big", "small"]),
        "note": st.sampled_from([None, "a", "note"]),
        "price": st.sampled_from([-1.0, 0.0, 2.5]),
        "tags": st.lists(st.sampled_from(["a", "b"]), max_size=2),
        "wide": st.lists(SCALARS, max_size=3),
    },
    optional={"limit": st.integers(0, 3)},
)
LEAVES = st.sampled_from(
    ["args.any",
     "args.count", "args.either", "args.kind", "args.?limit", "args.note", "args.price", "args.tags", "args.wide", "m",
     "u", "1", "2.5", '"a"', "null", "true", "[]", "args", "x", "args.limit"]
)  # fmt: skip
FORMS = st.sampled_from(
    ["({} == {})", "({} && {})", "({} || {})", "({} + {})", "({} - {})", "({} < {})", "({} in {})", "{}.all(x, {})",
     "{}.map(x, {})", "{}.filter(x, {})", "{}.exists(x, {})", "{}[{}]", "({} ? {} : null)", "({} ? {} : 1)", "[{}, {}]",
     "[{}] + {}",
     "{{'a': {}, 'b': {}}}", "cel.bind(x, {}, {})", "{}.orValue({})", "optional.of({}).or({})", "!({} == {})", "{}.optMap(x, {})",
     "{}.transformMap(k, x, {})", "(has(args.limit) && {} == {})", "(args.note != null ? {} : {})", "math.greatest({}, {})",
     "math.greatest([{}, {}])", "{}.last(x, {})", "{}.after(x, {})", "{}.distinct() + {}", "{}.sum() + {}", "{}.a == {}",
     "(type(args.either) == int ? {} : {})", "(type(args.any) == string ? {} : {})", "{}.flatten() + {}", "dyn({}) == {}"]
)  # fmt: skip
TEXTS = st.recursive(
    LEAVES, lambda inner: st.builds(lambda form, a, b: form.format(a, b), FORMS, inner, inner), max_leaves=6
)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(TEXTS, st.lists(BINDINGS, min_size=2, max_size=4))
def test_a_value_has_the_type_the_checker_said(text: str, requests: list[dict[str, Any]]) -> None:
    """For any expression without findings and any arguments: the value, if there is one, inhabits the type.

    Where nothing in it is `dyn`, it never meets a missing field or a type that an operation is not made for.
    """
    collector = Collector()
    node = parse_expression(Span(Source("test", text), 0, len(text)), collector)
    assert node is not None
    checked = check_expression(node, SCOPE, collector)
    assume(not collector.failed)
    for args in requests:
        try:
            value = interpret(node, {"args": args, "m": {"a": 1, "k": 2}, "u": UInt(2)})
        except EvaluationError as error:
            vague = any("dyn" in str(kind) or kind == ARGS for kind in checked.types.values())
            assert vague or error.kind not in ("no_such_overload", "no_such_field", "undeclared"), error
            continue
        assert inhabits(value, checked.type), (value, str(checked.type))
