"""What generated code looks like where speed matters, and what it promises around the conditions themselves."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from policy_engine.base.errors import EvaluationError
from policy_engine.base.source import NOWHERE, Source, Span
from policy_engine.compiler.cel.parser import parse_expression
from policy_engine.compiler.codegen.module import ModuleBuilder
from policy_engine.compiler.codegen.program import generate_program, program_source
from policy_engine.diagnostics.model import Collector
from policy_engine.semantics.ast.expressions import And, Expr, Literal, Name, Not, children
from policy_engine.semantics.evaluation import batch_errors, run_value
from policy_engine.semantics.functions.catalogue import BY_NAME
from policy_engine.semantics.functions.declaration import Function, Overload
from policy_engine.semantics.linking import link
from policy_engine.semantics.types import (
    BOOL,
    DOUBLE,
    INT,
    STRING,
    EnumType,
    ListType,
    RecordField,
    RecordType,
    Type,
)

ARGS = RecordType(
    "args",
    (
        RecordField("amount", INT, True), RecordField("price", DOUBLE, True), RecordField("role", EnumType(("a", "b")), True),
        RecordField("tags", ListType(STRING), True), RecordField("to", STRING, True),
    ),
)  # fmt: skip


def parsed(text: str) -> Expr:
    """The expression that `text` says."""
    collector = Collector()
    expression = parse_expression(Span(Source("test", text), 0, len(text)), collector)
    assert expression is not None, text
    return expression


def declared(expression: Expr) -> Mapping[Expr, Type]:
    """`args` fits `ARGS`; nothing else is known."""
    found: dict[Expr, Type] = {expression: ARGS} if isinstance(expression, Name) and expression.name == "args" else {}
    for child in children(expression):
        found.update(declared(child))
    return found


def test_code_of(text: str, *, typed: bool = True) -> str:
    """The test that the code makes of a condition."""
    expression = parsed(text)
    builder = ModuleBuilder("<form>")
    builder.batch("form", [expression], [True], declared(expression) if typed else {})
    line = next(line for line in builder.source().splitlines() if "if " in line)
    return re.sub("_[a-z2-7]{26}", "_…", line).strip().removeprefix("if ").removesuffix(":")


test_code_of.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("args.amount > 100", "args['amount'] > 100"),
        ("args.amount == 1", "args['amount'] == 1"),
        ("args.price <= 1.5", "args['price'] <= 1.5"),
        ("args.amount <= 100.0", "args['amount'] <= 100.0"),
        ("args.role == 'a'", "args['role'] == 'a'"),
        ("args.to in ['x', 'y', 'x']", "args['to'] in {'x', 'y'}"),
        ("!(args.to in ['x', 'y'])", "args['to'] not in {'x', 'y'}"),
        ("'x' in args.tags", "'x' in args['tags']"),
        ("args.tags.all(t, t in ['x'])", "among_….issuperset(args['tags'])"),
        ("args.tags.exists(t, t == 'x')", "not among_….isdisjoint(args['tags'])"),
        ("!args.tags.exists(t, t in ['x'])", "among_….isdisjoint(args['tags'])"),
        ("args.to.contains('x')", "'x' in args['to']"),
        ("args.to.startsWith('x')", "(text_1 := args['to']).removeprefix('x') != text_1"),
        ("args.to.matches(r'@corp\\.com$')", "(text_1 := args['to']).removesuffix('@corp.com') != text_1"),
        ("args.to.matches('^(a|b|c|d)')", "args['to'].startswith(('a', 'b', 'c', 'd'))"),
        ("args.to.matches('^(a|b)$')", "args['to'] in {'a', 'b'}"),
        ("args.to.matches('a+')", "pattern_…(args['to']) is not None"),
        ("size(args.tags) < 3", "len(args['tags']) < 3"),
    ],
)
def test_declared_arguments_need_no_guards(condition: str, code: str) -> None:
    """Where the schema settles it, the code is what a careful person would write."""
    assert test_code_of(condition) == code


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("args.x > 0", True), ("args.x == 1", True), ("args.x in [1, 2]", True), ("has(args.x)", None), ("'a' in args.x", "abc"),
        ("args.x.all(t, t in ['a'])", "a"), ("args.x[0] == 1", [True]), ("args.x.exists(t, t == 'a')", "a"),
        ("args.x + 1 > 0", 2**63 - 1), ("args.x", 1), ("!args.x", 0), ("args.x < [2]", [1]), ("args.x in [0]", False),
    ],
)  # fmt: skip
def test_what_python_would_take_for_an_answer_is_decided_as_cel_does(condition: str, value: Any) -> None:
    """Bools as numbers, texts as lists, overflow, truthiness: false or an error, never what Python says."""
    expression = parsed(condition)
    builder = ModuleBuilder("<traps>")
    batch = builder.batch("traps", [expression, Not(expression, NOWHERE)], [False, False], {})
    mask = link(*builder.build())[batch.function]({"x": value} if condition != "has(args.x)" else value, {}, None)
    assert mask & 1 == 0
    assert bool(mask & 0b1000) == bool(mask & 0b0100), "an error stays one under `!`"


def test_an_error_touches_only_its_own_condition() -> None:
    """Each condition has its own `try`; bits of errors and their messages come from the interpreter."""
    conditions = [parsed(text) for text in ("args.a == 1", "args.missing == 1", "args.missing == 1", "args.a == 2")]
    builder = ModuleBuilder("<errors>")
    batch = builder.batch("errors", conditions, [False, True, False, False], {})
    mask = link(*builder.build())[batch.function]({"a": 1}, {}, None)
    assert mask == 0b0110_0011
    errors = batch_errors(batch, mask, {"a": 1}, {}, None)
    assert [(index, error.kind) for index, error in errors] == [(1, "no_such_field"), (2, "no_such_field")]


def test_cel_absorbs_the_error_beside_a_false() -> None:
    """`error && false` is false and `error || true` is true, though Python's code raises first."""
    builder = ModuleBuilder("<absorbing>")
    conditions = [parsed("args.missing && false"), parsed("args.missing || true")]
    batch = builder.batch("absorbing", conditions, [True, True], {})
    assert link(*builder.build())[batch.function]({}, {}, None) == 0b10


def test_conditions_that_are_literally_true_or_false_cost_nothing() -> None:
    """They are part of the mask that the function starts from."""
    builder = ModuleBuilder("<literal>")
    batch = builder.batch(
        "literal", [Literal(True, NOWHERE), Literal(False, NOWHERE), Literal(True, NOWHERE)], [True] * 3, {}
    )
    assert "mask = 5\n    return mask" in builder.source()
    assert link(*builder.build())[batch.function]({}, {}, None) == 5


def test_the_same_input_makes_the_same_source() -> None:
    """Twice the same calls: byte for byte the same text."""
    texts = ("args.to in ['b', 'a', 'c']", "args.tags.all(t, t in ['z', 'y'])", "args.a.map(x, x + 1).exists(y, y > 2)")

    def source() -> str:
        builder = ModuleBuilder("<same>")
        builder.batch("crm.refund", [parsed(text) for text in texts], [True] * 3, {})
        return builder.source()

    assert source() == source()


def test_a_traceback_points_at_the_statement_that_failed() -> None:
    """Generated functions are found by `linecache`, line by line."""
    builder = ModuleBuilder("<traced>")
    builder.batch("first", [parsed("args.a == 1"), parsed("args.b == 1")], [True, True], {})
    value = builder.value("second", parsed("args.missing"), {})
    try:
        link(*builder.build())[value.function]({}, {}, None)
    except KeyError as error:
        assert traceback.extract_tb(error.__traceback__)[-1].line == "return args['missing']"
    else:
        raise AssertionError("a missing field raises")


def test_generated_code_reaches_nothing_but_the_prelude() -> None:
    """Python's own functions are not in the namespace."""
    builder = ModuleBuilder("<sealed>")
    builder.value("v", parsed("args.a"), {})
    namespace = link(*builder.build())
    assert namespace["__builtins__"] == {} and "open" not in namespace and "__import__" not in namespace


def test_very_long_conditions_compile() -> None:
    """A conjunction of thousands is flat code, not deep code."""
    operands = tuple(parsed("args.amount != 5") for _ in range(3_000))
    condition = And(operands, NOWHERE)
    builder = ModuleBuilder("<long>")
    batch = builder.batch("long", [condition], [True], declared(condition))
    assert link(*builder.build())[batch.function]({"amount": 6}, {}, None) == 1


def test_what_is_nested_too_deeply_is_left_to_the_interpreter() -> None:
    """A tree that no parser makes still gets an answer or an error, never a crash."""
    condition: Expr = parsed("args.a")
    for _ in range(5_000):
        condition = Not(condition, NOWHERE)
    builder = ModuleBuilder("<deep>")
    batch = builder.batch("deep", [condition], [True], {})
    assert link(*builder.build())[batch.function]({"a": True}, {}, None) == 0b11


def counted(calls: list[Any]) -> Mapping[str, Function]:
    """The language and a function of the host's that notes when it is called."""

    def seen(value: Any) -> bool:
        calls.append(value)
        return value is not None

    own = Function("seen", (Overload((INT,), BOOL),), "Whether it was seen.", (), seen, source="host")
    return {**BY_NAME, "seen": own}


@pytest.mark.parametrize(
    ("condition", "times"),
    [
        ("cel.bind(x, seen(1), x && x && !x)", 1),
        ("cel.bind(x, seen(1), args.a == 2 && x)", 0),
        ("cel.bind(x, seen(1), args.a == 1 || (x && x))", 0),
        ("cel.bind(x, seen(1), args.a == 2 || (x && x))", 1),
        ("cel.bind(x, seen(1), [1, 2, 3].all(y, x || y > 0))", 1),
    ],
)
def test_a_bound_value_is_evaluated_at_most_once_and_only_when_needed(condition: str, times: int) -> None:
    """Functions of the host are called as often as the policy says."""
    calls: list[Any] = []
    builder = ModuleBuilder("<bound>", counted(calls))
    value = builder.value("bound", parsed(condition), {})
    run_value(link(*builder.build()), value, {"a": 1}, {}, None)
    assert len(calls) == times


def test_functions_of_the_host_are_known_to_the_interpreter_too() -> None:
    """A condition that is diverted still finds them."""
    builder = ModuleBuilder("<host>", counted([]))
    batch = builder.batch("host", [parsed("args.missing == 1 || seen(1)")], [False], {})
    assert link(*builder.build())[batch.function]({}, {}, None) == 1


def test_functions_of_the_run_are_given_the_environment() -> None:
    """`said` asks the provenance of the environment it stands in."""
    builder = ModuleBuilder("<context>")
    value = builder.value("said", parsed("said(args.a)"), {})
    environment = SimpleNamespace(provenance=SimpleNamespace(said=lambda value: value == "x"))
    assert run_value(link(*builder.build()), value, {"a": "x"}, {}, environment) is True


def test_exhausted_memory_and_stack_are_errors_of_the_condition() -> None:
    """Whatever a function of the host does, the condition is an error and the others stand."""

    def fails(value: Any) -> Any:
        raise {1: RecursionError, 2: MemoryError, 3: ValueError}[value]

    function = Function("fails", (Overload((INT,), BOOL),), "Fails.", (), fails, source="host")
    builder = ModuleBuilder("<exhausted>", {**BY_NAME, "fails": function})
    conditions = [parsed(f"fails({number})") for number in (1, 2, 3)] + [parsed("args.a")]
    batch = builder.batch("exhausted", conditions, [True, True, False, False], {})
    mask = link(*builder.build())[batch.function]({"a": True}, {}, None)
    assert mask == 0b0111_1011
    kinds = [error.kind for _, error in batch_errors(batch, mask, {"a": True}, {}, None)]
    assert kinds == ["too_deep", "too_costly", "internal"]


def test_programs_resolve_dotted_bindings_and_containers_through_the_interpreter() -> None:
    """Where names are not simple, the interpreter looks them up."""
    assert generate_program(parsed("x.y"), {})({"x.y": 1, "x": {"y": 2}}) == 1
    assert generate_program(parsed("y"), {}, container="x")({"x.y": 1}) == 1
    assert generate_program(parsed("type(1) == int"), {})({}) is True
    with pytest.raises(EvaluationError) as caught:
        generate_program(parsed("nowhere"), {})({})
    assert caught.value.kind == "undeclared"
    assert "removeprefix" in (program_source(parsed("x.startsWith('a')"), {}) or "")


@pytest.mark.parametrize(
    ("condition", "bound"),
    [
        ("args.xs.all(x, x > args.n)", 35_714),
        ("args.xs.all(x, x in ['a', 'b'] && args.n in x)", 19_230),
        ("args.xs.all(x, x in args.ys)", 1_000),
        ("args.xs.exists(x, args.text.contains(x))", 1_000),
        ("args.xs.exists(x, x.startsWith(args.text))", 35_714),
        ("args.xs.exists(x, args.ys.exists(y, x == y))", 166),
    ],
)
def test_loops_that_could_take_long_are_short_or_left_to_the_interpreter(condition: str, bound: int) -> None:
    """The interpreter counts steps; generated loops only run where their length bounds their work."""
    assert f"walk(args['xs'], {bound})" in test_code_of(condition, typed=False)


def test_the_elements_since_the_latest_are_found_natively() -> None:
    """`last` and `after` over the calls of a run need no interpreter."""
    builder = ModuleBuilder("<latest>")
    after = builder.value("after", parsed("run.calls.after(c, c.tool == 'a')"), {})
    last = builder.value("last", parsed("run.calls.last(c, c.tool != 'a').n"), {})
    namespace = link(*builder.build())
    environment = SimpleNamespace(run={"calls": [{"tool": name, "n": n} for n, name in enumerate("babb")]})
    assert [call["n"] for call in namespace[after.function]({}, {}, environment)] == [2, 3]
    assert namespace[last.function]({}, {}, environment) == 3
