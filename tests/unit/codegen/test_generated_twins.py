"""Generated code and the interpreter are twins: whatever the code answers, the interpreter answers too.

Expressions and surroundings are drawn, hostile ones above all: fields that are missing, wrong types, NaN, uint, integers
at their limits, moments in time, nulls, nested macros. `POLICY_CASES` sets how many (nightly: 100000).
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from random import Random
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st

from policy_engine.base.errors import EvaluationError
from policy_engine.base.source import NOWHERE
from policy_engine.base.values import (
    MAX_INT,
    MAX_TIMESTAMP_NANOS,
    MAX_UINT,
    MIN_INT,
    NONE,
    Duration,
    Optional,
    Timestamp,
    TypeValue,
    UInt,
)
from policy_engine.compiler.cel.checker import Scope, check_expression
from policy_engine.compiler.codegen.module import ModuleBuilder
from policy_engine.compiler.codegen.program import generate_program
from policy_engine.diagnostics.model import Collector
from policy_engine.semantics.activation import Names
from policy_engine.semantics.ast.expressions import (
    And,
    Binary,
    Bind,
    Call,
    Comprehension,
    Conditional,
    Element,
    Entry,
    Expr,
    Has,
    Index,
    ListExpr,
    Literal,
    MapExpr,
    Name,
    Negate,
    Not,
    OptionalMap,
    Or,
    Select,
    children,
)
from policy_engine.semantics.evaluation import run_value
from policy_engine.semantics.functions.catalogue import BY_NAME
from policy_engine.semantics.interpreter import interpret
from policy_engine.semantics.linking import link
from policy_engine.semantics.types import (
    BOOL,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    UINT,
    EnumType,
    ListType,
    MapType,
    RecordField,
    RecordType,
    Type,
    UnionType,
    union,
)

CASES = int(os.environ.get("POLICY_CASES", "2400"))
SURROUNDINGS = 12
WANTED = st.sampled_from(("bool", "bool", "int", "double", "text", "list", "other"))
AT = NOWHERE
TEXTS = ("", "a", "b", "ab", "tmp-1", "/etc/x", "x@corp.com", "größe", "a\n", "1")
PATTERNS = ("^a", "b$", "^ab$", "^/(etc|root)/", r"@corp\.com$", "a|b", "^(a|b)$", "a.*", "[", "", r"\d", "^a|b")
SCALARS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 5, MAX_INT, MIN_INT, 2**53 + 1, UInt(0), UInt(1), UInt(5), UInt(MAX_UINT), 0.0, -0.0,
    1.0, 1.5, 2.0**53, math.nan, math.inf, -math.inf, *TEXTS, b"", b"a", Timestamp(0), Timestamp(MAX_TIMESTAMP_NANOS),
    Duration(0), Duration(10**9), Duration(MAX_INT), TypeValue("int"), NONE, Optional(True, 1), Optional(True, "a"),
)  # fmt: skip
FIELDS = ("n", "d", "s", "e", "b", "u", "o", "xs", "ns", "ds", "m", "r", "rs", "un", "x", "t", "du", "ui", "bs")


def record(name: str, **fields: Type) -> RecordType:
    """A record; a name with a trailing underscore is optional."""
    declared = (RecordField(key.rstrip("_"), type_, not key.endswith("_")) for key, type_ in fields.items())
    return RecordType(name, tuple(sorted(declared, key=lambda one: one.name)))


INNER = record("inner", s=STRING, n_=INT, b=BOOL)
ARGS = record(
    "args", n=INT, d=DOUBLE, s=STRING, e=EnumType(("a", "ab")), b=BOOL, u=union(INT, NULL), o_=INT, xs=ListType(STRING),
    ns=ListType(INT), ds=ListType(DOUBLE), m=MapType(STRING, INT), r=INNER, rs=ListType(INNER), un=union(STRING, BOOL, INT),
    x=DYN, t=TIMESTAMP, du=DURATION, ui=UINT, bs=ListType(union(BOOL, INT)),
)  # fmt: skip

KINDS: dict[Type, type] = {
    INT: int, DOUBLE: float, STRING: str, BOOL: bool, NULL: type(None), TIMESTAMP: Timestamp, DURATION: Duration,
    UINT: UInt,
}  # fmt: skip


class Values:
    """Surroundings for an expression, many for one number: cheap, so that each expression meets several."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def hostile(self, depth: int = 2) -> Any:
        """Any value at all."""
        match self.random.randrange(6 if depth else 4):
            case 4:
                return [self.hostile(depth - 1) for _ in range(self.random.randrange(4))]
            case 5:
                keys: tuple[Any, ...] = self.random.choice((FIELDS, (True, False, 2, UInt(5), "a", 1)))
                return {self.random.choice(keys): self.hostile(depth - 1) for _ in range(self.random.randrange(4))}
        return self.random.choice(SCALARS)

    def fitting(self, type_: Type) -> Any:
        """A value of the type."""
        match type_:
            case EnumType():
                return self.random.choice(type_.options)
            case ListType():
                return [self.fitting(type_.element) for _ in range(self.random.randrange(4))]
            case MapType():
                return {self.fitting(type_.key): self.fitting(type_.value) for _ in range(self.random.randrange(4))}
            case UnionType():
                return self.fitting(self.random.choice(type_.options))
            case RecordType():
                present = [field for field in type_.fields if field.required or self.random.random() < 0.5]
                return {field.name: self.fitting(field.type) for field in present}
        kind = KINDS.get(type_)
        fit = [value for value in SCALARS if type(value) is kind]
        return self.random.choice(fit) if fit else self.hostile()

    def almost(self) -> Any:
        """Arguments that would fit, but for a few fields that are missing or anything; seldom anything at all."""
        value = self.fitting(ARGS)
        for field in self.random.sample(FIELDS, self.random.randrange(8)):
            if self.random.random() < 0.7:
                value[field] = self.hostile()
            else:
                value.pop(field, None)
        return value if self.random.random() < 0.95 else self.hostile()


Variables = tuple[tuple[str, str], ...]
BY_WANT = {
    "bool": ("b",), "int": ("n", "u", "o", "ui"), "double": ("d",), "text": ("s", "e", "un", "r"),
    "list": ("xs", "ns", "ds", "rs", "bs"), "map": ("r", "m"), "other": FIELDS,
}  # fmt: skip


class Drawing:
    """Draws expressions; `want` steers towards well-typed ones, but anything may come."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.serial = 0

    def pick(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def literal(self, *values: Any) -> Literal:
        return Literal(self.pick(*values), AT)

    def path(self, want: str, scope: Variables) -> Expr:
        """A name or field; most often one that has what is wanted."""
        fitting_names = [name for name, has in scope if has == want]
        if fitting_names and self.often():
            return Name(self.pick(*fitting_names), False, AT)
        root = self.pick("args", "args", "args", "args", "principal", "run")
        node: Expr = Name(root, False, AT)
        if scope and self.rarely():
            node = Name(self.pick(*scope)[0], False, AT)
        field = self.pick(*BY_WANT[want]) if self.often() else self.pick(*FIELDS)
        node = Select(node, field, self.rarely() and self.rarely(), AT)
        return Select(node, self.pick("s", "n", "b"), False, AT) if field == "r" and want != "map" else node

    def often(self) -> bool:
        return bool(self.draw(st.integers(0, 9)) != 0)

    def rarely(self) -> bool:
        return bool(self.draw(st.integers(0, 9)) == 9)

    def any(self, depth: int, scope: Variables) -> Expr:
        return self.of(self.pick("bool", "int", "double", "text", "list", "map", "other"), depth, scope)

    def of(self, want: str, depth: int, scope: Variables) -> Expr:
        if want == "number":
            want = self.pick("int", "int", "double")
        if self.rarely():
            want = "other"
        if depth <= 0 or (want != "bool" and self.pick(*range(5)) == 0):
            return self.path(want, scope) if self.pick(True, True, False) else self.leaf(want)
        if self.pick(*range(12)) == 0:
            return self.binding(want, depth, scope)
        if self.pick(*range(12)) == 0:
            then, otherwise = self.of(want, depth - 1, scope), self.of(want, depth - 1, scope)
            return Conditional(self.of("bool", depth - 1, scope), then, otherwise, AT)
        if want in ("int", "double"):
            return self._number(want, depth - 1, scope)
        made: Expr = getattr(self, f"_{want}")(depth - 1, scope)
        return made

    def leaf(self, want: str) -> Expr:
        match want:
            case "bool":
                return self.literal(True, False)
            case "int":
                return self.literal(0, 1, 2, -1, 5, MAX_INT, MIN_INT)
            case "double":
                return self.literal(0.0, 1.0, 1.5, -2.0, math.nan, math.inf)
            case "text":
                return self.literal(*TEXTS)
            case "list":
                return self.literals()
            case "map":
                return Literal({"a": 1, "n": 2}, AT)
            case _:
                return self.literal(*SCALARS)

    def literals(self) -> Expr:
        pool = self.pick(TEXTS, (0, 1, 2, 5), (True, 1, "a"), (1.5, 1, UInt(5)), (math.nan, 1.0), (None, "a", 2))
        values = self.draw(st.lists(st.sampled_from(pool), max_size=4))
        if self.pick(True, False):
            return Literal(values, AT)
        return ListExpr(tuple(Element(Literal(value, AT), False) for value in values), AT)

    def binding(self, want: str, depth: int, scope: Variables) -> Expr:
        name = self.fresh(scope)
        held = self.pick("bool", "int", "text", "list")
        value, body = self.of(held, depth - 1, scope), self.of(want, depth - 1, (*scope, (name, held)))
        if self.pick(True, True, True, False):
            return Bind(name, value, body, AT)
        return OptionalMap(Call("optional.of", None, (value,), AT), name, body, False, AT)

    def fresh(self, scope: Variables) -> str:
        self.serial += 1
        return self.pick(*scope)[0] if scope and self.rarely() else f"v{self.serial % 4}"

    def loop(self, kinds: tuple[str, ...], want: str, depth: int, scope: Variables, variables: int = 1) -> Expr:
        names = tuple(dict.fromkeys(self.fresh(scope) for _ in range(variables)))
        if len(names) < variables:
            names = ("w1", "w2")
        kind = self.pick(*kinds)
        field = self.pick("xs", "ns", "ds", "bs", "m")
        over: Expr = Select(Name("args", False, AT), field, False, AT)
        holds = {"xs": "text", "ns": "int", "ds": "double", "bs": "int", "m": "text"}[field]
        if self.pick(True, False):
            over, holds = self.of(self.pick("list", "list", "map"), depth - 1, scope), "other"
        first = "int" if variables == 2 and field != "m" else holds
        inner = (*scope, *zip(names, (first, "int" if field == "m" else holds), strict=False))
        bodies: tuple[Expr, ...] = (self.of(want, depth - 1, inner),)
        if kind in ("map", "transformList", "transformMap") and self.pick(True, False):
            bodies = (self.of("bool", depth - 1, inner), *bodies)
        return Comprehension(kind, over, names, bodies, AT)

    def among(self, scope: Variables) -> Expr:
        """`xs.all(x, x in [...])` and relatives."""
        tested: Expr = self.pick(
            Binary("in", Name("x", False, AT), self.literals(), AT),
            Binary("==", Name("x", False, AT), self.leaf("other"), AT),
            Binary("!=", Name("x", False, AT), self.leaf("int"), AT),
        )
        body = Not(tested, AT) if self.pick(True, False) else tested
        return Comprehension(self.pick("all", "exists"), self.path("list", scope), ("x",), (body,), AT)

    def _bool(self, depth: int, scope: Variables) -> Expr:
        match self.pick("==", "==", "<", "<", "in", "and", "or", "not", "has", "loop", "loop2", "text", "among"):
            case "==":
                want = self.pick("number", "text", "bool", "list", "other")
                return Binary(self.pick("==", "!="), self.of(want, depth, scope), self.of(want, depth, scope), AT)
            case "<":
                want = self.pick("number", "number", "text", "other")
                operator = self.pick("<", "<=", ">", ">=")
                return Binary(operator, self.of(want, depth, scope), self.of(want, depth, scope), AT)
            case "in":
                container = self.of(self.pick("list", "map"), depth, scope)
                return Binary("in", self.any(depth, scope), container, AT)
            case "and":
                return And(tuple(self.of("bool", depth, scope) for _ in range(self.pick(2, 3))), AT)
            case "or":
                return Or(tuple(self.of("bool", depth, scope) for _ in range(self.pick(2, 3))), AT)
            case "not":
                return Not(self.of("bool", depth, scope), AT)
            case "has":
                return Has(self.of("map", depth, scope), self.pick(*FIELDS), AT)
            case "loop":
                return self.loop(("all", "exists", "exists_one"), "bool", depth, scope)
            case "loop2":
                return self.loop(("all", "exists", "exists_one"), "bool", depth, scope, 2)
            case "among":
                return self.among(scope)
        function = self.pick("startsWith", "endsWith", "contains", "matches")
        literal = self.literal(*(PATTERNS if function == "matches" else TEXTS))
        argument = literal if self.pick(True, True, False) else self.of("text", depth, scope)
        return Call(function, self.of("text", depth, scope), (argument,), AT)

    def _number(self, want: str, depth: int, scope: Variables) -> Expr:
        match self.pick("+", "+", "size", "index", "minus", "int"):
            case "size" if want == "int":
                return Call("size", None, (self.of(self.pick("text", "list", "map"), depth, scope),), AT)
            case "index":
                return self._index(depth, scope)
            case "minus":
                return Negate(self.of(want, depth, scope), AT)
            case "int":
                return Call(self.pick(want, "uint"), None, (self.of("number", depth, scope),), AT)
        operator = self.pick("+", "-", "*", "/", "%")
        return Binary(operator, self.of(want, depth, scope), self.of(want, depth, scope), AT)

    def _index(self, depth: int, scope: Variables) -> Expr:
        operand = self.of(self.pick("list", "map"), depth, scope)
        key = self.pick(self.literal(0, 1, -1, "a", "n", 1.0, True), self.any(depth, scope))
        return Index(operand, key, self.pick(False, False, False, True), AT)

    def _text(self, depth: int, scope: Variables) -> Expr:
        if self.pick(True, False):
            return Binary("+", self.of("text", depth, scope), self.of("text", depth, scope), AT)
        return self._index(depth, scope)

    def _list(self, depth: int, scope: Variables) -> Expr:
        match self.pick("filter", "map", "transformList", "display", "+", "latest"):
            case "filter":
                return self.loop(("filter",), "bool", depth, scope)
            case "map":
                return self.loop(("map",), self.pick("number", "other", "text"), depth, scope)
            case "transformList":
                return self.loop(("transformList",), "other", depth, scope, 2)
            case "+":
                return Binary("+", self.of("list", depth, scope), self.of("list", depth, scope), AT)
            case "latest":
                return self.loop(("last", "after", "sortBy"), self.pick("bool", "number"), depth, scope)
        elements = [Element(self.any(depth, scope), self.pick(*([False] * 7), True)) for _ in range(self.pick(0, 1, 2))]
        return ListExpr(tuple(elements), AT)

    def _map(self, depth: int, scope: Variables) -> Expr:
        if self.pick(True, False):
            return self.loop(("transformMap",), "other", depth, scope, 2)
        rows = [
            Entry(self.any(depth, scope) if self.pick(False, True) else self.literal("a", "n", "s", 1), value, False)
            for value in [self.any(depth, scope) for _ in range(self.pick(1, 2))]
        ]
        return MapExpr(tuple(rows), AT)

    def _other(self, depth: int, scope: Variables) -> Expr:
        match self.pick("index", "arithmetic", "type", "any"):
            case "index":
                return self._index(depth, scope)
            case "arithmetic":
                return Binary(self.pick("+", "-"), self.of("other", depth, scope), self.of("other", depth, scope), AT)
            case "type":
                return Call("type", None, (self.any(depth, scope),), AT)
        return self.any(depth, scope)


@st.composite
def expressions(draw: Any, want: str = "bool") -> Expr:
    """An expression over `args`, `principal` and `run`."""
    return Drawing(draw).of(want, draw(st.sampled_from((1, 2, 2, 3))), ())


def answer(compute: Any) -> Any:
    """The value, or the kind of its error."""
    try:
        return "value", compute()
    except EvaluationError as error:
        return "error", error.kind


def same(one: Any, other: Any) -> bool:
    """Equal and of the same kind, all the way down; NaN is NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, Optional):
        return same((one.present, one.value), (other.present, other.value))
    return repr(one) == repr(other) if isinstance(one, float) else bool(one == other)


def typed_names(expression: Expr) -> Mapping[Expr, Type]:
    """What is certain in typed mode: `args`, and whatever follows from it."""
    found: dict[Expr, Type] = {}
    if isinstance(expression, Name) and expression.name == "args":
        found[expression] = ARGS
    for child in children(expression):
        found.update(typed_names(child))
    return found


def check_twins(expression: Expr, types: Mapping[Expr, Type], surroundings: Sequence[tuple[Any, Any, Any]]) -> None:
    """What generated code returns, alone and with the interpreter behind it, is what the interpreter returns."""
    builder = ModuleBuilder("<twins>")
    value = builder.value("value", expression, types)
    batch = builder.batch("batch", [expression] * 2, [True, False], types)
    namespace = link(*builder.build())
    for args, principal, run in surroundings:
        environment = SimpleNamespace(run=run)
        expected = answer(lambda: interpret(expression, Names(args, principal, environment), environment))  # noqa: B023
        try:
            alone = namespace[value.function](args, principal, environment)
        except Exception:  # it leaves this one to the interpreter
            pass
        else:
            assert same(("value", alone), expected), (builder.source(), args, principal, run)
        assert same(answer(lambda: run_value(namespace, value, args, principal, environment)), expected)  # noqa: B023
        bits = 0b0011 if expected == ("value", True) else 0 if expected == ("value", False) else 0b1101
        if type(expected[1]) is not bool:
            bits = 0b1101
        assert namespace[batch.function](args, principal, environment) == bits, (builder.source(), args, principal, run)


def twins(cases: int) -> settings:
    """The settings of these tests."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(max_examples=cases, deadline=None, suppress_health_check=checks, derandomize=cases < 5000, database=None)


SEEDS = st.integers(0, 2**32)


@twins(CASES // 3)
@given(expressions(), SEEDS)
def test_conditions_over_anything_agree_with_the_interpreter(expression: Expr, seed: int) -> None:
    """Nothing is declared, and any value may be anywhere."""
    values = Values(seed)
    check_twins(expression, {}, [(values.almost(), values.almost(), values.almost()) for _ in range(SURROUNDINGS)])


@twins(CASES // 3)
@given(WANTED.flatmap(expressions), SEEDS)
def test_expressions_over_declared_arguments_agree_with_the_interpreter(expression: Expr, seed: int) -> None:
    """`args` fits its schema and code relies on it; everything else is anything."""
    values = Values(seed)
    surroundings = [(values.fitting(ARGS), values.almost(), values.almost()) for _ in range(SURROUNDINGS)]
    check_twins(expression, typed_names(expression), surroundings)


@twins(CASES // 3)
@given(WANTED.flatmap(expressions), SEEDS)
def test_expressions_that_pass_the_checker_agree_with_the_interpreter(expression: Expr, seed: int) -> None:
    """As policies are compiled: with the checker's types, narrowed by the tests around an expression."""
    collector = Collector()
    scope = Scope({"args": ARGS, "principal": DYN, "run": DYN}, BY_NAME)
    checked = check_expression(expression, scope, collector)
    values = Values(seed)
    surroundings = [(values.fitting(ARGS), values.almost(), values.almost()) for _ in range(SURROUNDINGS)]
    check_twins(expression, {} if collector.failed else checked.types, surroundings)


def test_what_is_known_of_a_shared_body_holds_for_one_use_only() -> None:
    """A `let` used twice is one tree in two places: its parameter may be a number here and a bool there."""
    body = Binary(">", Name("x", False, AT), Literal(0, AT), AT)
    uses = [Bind("x", Select(Name("args", False, AT), name, False, AT), body, AT) for name in ("n", "b")]
    condition = And(tuple(uses), AT)
    values = Values(1)
    surroundings: list[tuple[Any, Any, Any]] = [(values.fitting(ARGS) | {"n": 5, "b": flag}, {}, {}) for flag in (True, False)]
    check_twins(condition, typed_names(condition), surroundings)


@twins(CASES // 3)
@given(WANTED.flatmap(expressions), SEEDS)
def test_programs_over_bindings_agree_with_the_interpreter(expression: Expr, seed: int) -> None:
    """`policy_engine.cel`: names come from a mapping, or are missing."""
    values = Values(seed)
    program = generate_program(expression, {})
    for names in (("args", "principal", "run"), ("args", "run"), ("args", "v1", "principal", "run")):
        bindings = {name: values.almost() for name in names}
        assert same(answer(lambda: program(bindings)), answer(lambda: interpret(expression, bindings)))  # noqa: B023
