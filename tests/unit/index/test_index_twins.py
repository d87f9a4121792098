"""An indexed batch, one without an index and the interpreter are triplets: the same bits, whatever the request.

Batches are drawn so that their conditions share paths, keys and tests, requests so that fields are missing, mistyped and
hostile. `POLICY_CASES` sets how many pairs of a batch and a request (nightly: 100000).
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest

from policy_engine.base.errors import EvaluationError
from policy_engine.base.source import NOWHERE
from policy_engine.base.values import MAX_INT, MAX_UINT, Optional, Timestamp, UInt
from policy_engine.compiler.codegen.module import ModuleBuilder
from policy_engine.runtime.environment import DecisionEnvironment
from policy_engine.semantics.activation import Names
from policy_engine.semantics.artifact import Batch, Index
from policy_engine.semantics.ast.expressions import (
    And,
    Binary,
    Bind,
    Call,
    Comprehension,
    Conditional,
    Expr,
    Has,
    Index as At,
    Literal,
    Name,
    Not,
    Or,
    Select,
    children,
)
from policy_engine.semantics.interpreter import interpret
from policy_engine.semantics.linking import link
from policy_engine.semantics.types import BOOL, DOUBLE, DYN, INT, STRING, ListType, RecordField, RecordType, Type, union

CASES = int(os.environ.get("POLICY_CASES", "2400"))
REQUESTS = 8
SEEDS = 12
TEXTS = ("", "a", "ab", "abc", "/srv/", "/srv/a/", "/srv/a/b", "x@a.com", "@a.com", "größe", "a\n", "1")
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, 1, 2, 5, -3, MAX_INT, 2**53 + 1, UInt(1), UInt(MAX_UINT), 0.0, 1.0, 1.5, math.nan, math.inf,
    *TEXTS, b"a", [], ["a"], {}, {"s": "a"}, Timestamp(0), Optional(True, "a"), Optional(True, {"s": "a"}),
)  # fmt: skip
KEYS: tuple[Any, ...] = (None, True, False, 0, 1, 2, 5, 1.0, 1.5, UInt(1), math.nan, MAX_INT, b"a", *TEXTS)
NUMBERS: tuple[Any, ...] = (-3, 0, 1, 2, 5, 1.5, 1.0, UInt(2), math.nan, math.inf, MAX_INT)
PATTERNS = (
    "^a", "b$", "^ab$", "^/srv/[a-z]+$", "^/srv/a/.*", "a|b", "^a|b", "^(a|b)c?", "^ab*", "@a\\.com$", "[", "", "^/srv/(a|b)/",
    "^[^](]a|b", "^ab+c", "(?i)^A", "b",
)  # fmt: skip
FIELDS = ("s", "n", "d", "b", "u", "x", "r", "xs")
ARGS = RecordType(
    "args",
    (
        RecordField("b", BOOL, True), RecordField("d", DOUBLE, True), RecordField("n", INT, False),
        RecordField("r", RecordType("r", (RecordField("s", STRING, False),)), True), RecordField("s", STRING, False),
        RecordField("u", union(INT, BOOL, STRING), True), RecordField("x", DYN, False), RecordField("xs", ListType(STRING), True),
    ),
)  # fmt: skip
FITTING: Mapping[str, tuple[Any, ...]] = {
    "b": (True, False), "d": (0.0, 1.0, 1.5, math.nan), "n": (0, 1, 2, 5, -3), "r": ({}, {"s": "a"}, {"s": "ab"}),
    "s": TEXTS, "u": (1, 0, True, "a"), "x": HOSTILE, "xs": ([], ["a"], ["a", "ab", "x"]),
}  # fmt: skip


def name(text: str) -> Expr:
    return Name(text, False, NOWHERE)


def literal(value: Any) -> Expr:
    return Literal(value, NOWHERE)


class Drawing:
    """Draws batches of conditions and requests from one number."""

    def __init__(self, seed: int, fields: tuple[str, ...] = FIELDS) -> None:
        self.random = Random(seed)
        self.fields = self.random.sample(fields, self.random.choice((1, 2, 3, len(fields))))

    def path(self) -> Expr:
        if self.random.random() < 0.06:
            return Select(name(self.random.choice(("agent", "run", "input"))), "s", False, NOWHERE)
        root = self.random.choice(("args", "args", "args", "principal"))
        field = self.random.choice(self.fields)
        node: Expr = Select(name(root), field, self.random.random() < 0.02, NOWHERE)
        return Select(node, "s", False, NOWHERE) if field == "r" else node

    def call(self, function: str, subject: Expr, argument: Any) -> Expr:
        return Call(function, subject, (literal(argument),), NOWHERE)

    def simple(self) -> Expr:
        """What a table may decide."""
        random, path = self.random, self.path()
        match random.randrange(9):
            case 0 | 1:
                sides = [path, literal(random.choice(KEYS))]
                if random.random() < 0.3:
                    sides.reverse()
                return Binary("==", sides[0], sides[1], NOWHERE)
            case 2:
                values = random.choices(KEYS, k=random.randrange(4))
                return Binary("in", path, literal(values), NOWHERE)
            case 3:
                return self.call("startsWith", path, random.choice(TEXTS))
            case 4:
                return self.call("endsWith", path, random.choice(TEXTS))
            case 5:
                return self.call("matches", path, random.choice(PATTERNS))
            case 6:
                return Not(Binary("!=", path, literal(random.choice(KEYS)), NOWHERE), NOWHERE)
            case _:
                sides = [path, literal(random.choice(NUMBERS))]
                if random.random() < 0.3:
                    sides.reverse()
                return Binary(random.choice(("<", "<=", ">", ">=")), sides[0], sides[1], NOWHERE)

    def odd(self) -> Expr:
        """What no table decides, but for a test that many share."""
        random, path = self.random, self.path()
        match random.randrange(12):
            case 0:
                return Has(name("args"), random.choice(self.fields), NOWHERE)
            case 1:
                return Not(self.simple(), NOWHERE)
            case 2:
                return Binary(random.choice(("==", "!=", "<", ">")), path, self.path(), NOWHERE)
            case 3:
                total = Binary("+", path, literal(random.choice((1, 2, "a"))), NOWHERE)
                return Binary("==", total, literal(random.choice((2, 3, "ab"))), NOWHERE)
            case 4:
                return Binary(">", Call("size", None, (path,), NOWHERE), literal(random.randrange(3)), NOWHERE)
            case 5:
                body = self.call("startsWith", name("v"), random.choice(TEXTS))
                return Comprehension(random.choice(("exists", "all")), path, ("v",), (body,), NOWHERE)
            case 6:
                return Conditional(self.simple(), self.simple(), self.simple(), NOWHERE)
            case 7:
                return Binary("!=", path, literal(random.choice(KEYS)), NOWHERE)
            case 8:
                return path
            case 9:
                return Bind("v", path, Binary("==", name("v"), literal(random.choice(KEYS)), NOWHERE), NOWHERE)
            case 10:
                return Binary("==", At(path, literal(random.choice((0, "s"))), False, NOWHERE), literal("a"), NOWHERE)
            case _:
                return self.call("contains", path, random.choice(TEXTS))

    def conjunct(self, depth: int = 1) -> Expr:
        random = self.random
        if depth and random.random() < 0.15:
            parts = tuple(self.conjunct(depth - 1) for _ in range(random.choice((2, 3))))
            made: Expr = random.choice((And, Or, Or))(parts, NOWHERE)
            return Not(made, NOWHERE) if random.random() < 0.3 else made
        return self.simple() if random.random() < 0.7 else self.odd()

    def condition(self, shared: list[Expr]) -> Expr:
        random = self.random
        if random.random() < 0.03:
            return literal(random.choice((True, False)))
        parts = [self.conjunct() for _ in range(random.choice((1, 1, 2, 2, 3)))]
        if random.random() < 0.3:
            parts.insert(random.randrange(len(parts) + 1), random.choice(shared))
        return parts[0] if len(parts) == 1 else And(tuple(parts), NOWHERE)

    def batch(self, most: int = 48) -> tuple[list[Expr], list[bool]]:
        shared = [self.odd(), self.simple()]
        conditions = [self.condition(shared) for _ in range(self.random.choice((12, 24, most)))]
        return conditions, [self.random.random() < 0.6 for _ in conditions]

    def hostile(self) -> Any:
        present = [field for field in FIELDS if self.random.random() < 0.75]
        if self.random.random() < 0.04:
            return self.random.choice(HOSTILE)
        pool = [FITTING[field] if self.random.random() < 0.6 else HOSTILE for field in present]
        return {field: self.random.choice(values) for field, values in zip(present, pool, strict=True)}

    def fitting(self) -> Any:
        optional = ("n", "s", "x")
        return {
            field: self.random.choice(values) for field, values in FITTING.items()
            if field not in optional or self.random.random() < 0.7
        }  # fmt: skip


def expected(batch: Batch, args: Any, principal: Any, environment: Any) -> int:
    """The mask, condition by condition, by the interpreter."""
    mask = 0
    for number, condition in enumerate(batch.conditions):
        try:
            answer = interpret(condition, Names(args, principal, environment), environment)
        except EvaluationError:
            answer = None
        if answer is True or (answer is not False and batch.on_error[number]):
            mask |= 1 << number
        if answer is not True and answer is not False:
            mask |= 1 << len(batch.conditions) + number
    return mask


def declared(expression: Expr) -> dict[Expr, Type]:
    """`args` fits `ARGS`; nothing else is known."""
    found: dict[Expr, Type] = {expression: ARGS} if isinstance(expression, Name) and expression.name == "args" else {}
    for child in children(expression):
        found |= declared(child)
    return found


def check(drawing: Drawing, *, typed: bool) -> bool:
    """One batch against several requests; whether it was indexed at all."""
    conditions, on_error = drawing.batch()
    types: dict[Expr, Type] = {}
    for condition in conditions if typed else ():
        types |= declared(condition)
    functions = []
    for index_from in (1, None):
        builder = ModuleBuilder("<twins>", index_from=index_from)
        batch = builder.batch("twin", conditions, on_error, types)
        code, constants = builder.build()
        functions.append(link(code, constants)[batch.function])
        if index_from is not None:
            indexed = any(type(constant) is Index for constant in constants.values())
    for _ in range(REQUESTS):
        args = drawing.fitting() if typed else drawing.hostile()
        principal, environment = drawing.hostile(), DecisionEnvironment(lambda: Timestamp(0), None)
        environment.agent = drawing.hostile()
        right = expected(batch, args, principal, environment)
        for function, kind in zip(functions, ("indexed", "linear"), strict=True):
            wrong = function(args, principal, environment) ^ right
            places = [place for place in range(wrong.bit_length()) if wrong >> place & 1]
            assert not places, (kind, [conditions[place % len(conditions)] for place in places[:2]], args, principal)
    return indexed


@pytest.mark.parametrize("typed", [False, True], ids=["anything", "declared"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_an_index_changes_no_bit(seed: int, typed: bool) -> None:
    """Indexed, not indexed, interpreted: one answer. And most of these batches do have an index."""
    batches = max(1, CASES // (SEEDS * 2 * REQUESTS) + 1)
    indexed = [check(Drawing(seed * 1_000_003 + number), typed=typed) for number in range(batches)]
    assert sum(indexed) > len(indexed) * 0.6


@pytest.mark.parametrize("typed", [False, True], ids=["anything", "declared"])
def test_what_is_worked_out_once_changes_no_bit(typed: bool) -> None:
    """Rules that no table finds and that begin alike share that beginning, and mean what each alone would mean."""
    path, other = Select(name("args"), "n", False, NOWHERE), Select(name("args"), "d", False, NOWHERE)
    conditions: list[Expr] = []
    for number in range(30):
        subject = path if number % 3 else Select(name("principal"), "s", False, NOWHERE)
        total = Binary("+", subject, literal(1), NOWHERE)
        test = Binary(("==", "!=", "<", ">=")[number % 4], total, Binary("-", literal(number), other, NOWHERE), NOWHERE)
        simple = Binary("==", Select(name("args"), "s", False, NOWHERE), literal(TEXTS[number % 5]), NOWHERE)
        conditions.append(And((test, simple), NOWHERE) if number % 5 else simple)
    types: dict[Expr, Type] = {}
    for condition in conditions if typed else ():
        types |= declared(condition)
    builder = ModuleBuilder("<shared>", index_from=1)
    batch = builder.batch("twin", conditions, [number % 2 == 0 for number in range(30)], types)
    assert "shared_" in builder.source()
    function = link(*builder.build())[batch.function]
    drawing = Drawing(7)
    for _ in range(300):
        args, principal = drawing.fitting() if typed else drawing.hostile(), drawing.hostile()
        environment = DecisionEnvironment(lambda: Timestamp(0), None)
        assert function(args, principal, environment) == expected(batch, args, principal, environment)
