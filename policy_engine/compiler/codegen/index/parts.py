"""The generated functions that an index speaks of by number: tests of what is left, and blocks that test several rules.

Made for one batch; `definition` is the function `NAME_parts()` that gives them all. An index evaluates conjuncts in an
order of its own, and after others that came to an error. So code here relies on the types of names alone, never on
what the checker learned from one conjunct about the next.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from policy_engine.compiler.codegen import build
from policy_engine.compiler.codegen.emitter import Emitter, LeftToTheInterpreter
from policy_engine.compiler.codegen.index.sharing import Group, Rule, groups
from policy_engine.semantics.ast.expressions import Expr, Name
from policy_engine.semantics.functions.catalogue import BY_NAME
from policy_engine.semantics.types import RecordType, Type

PARAMETERS = ("args", "principal", "env")


class TypesOfNames(Mapping[Expr, Type]):
    """Of the types that are certain, those of names of records."""

    def __init__(self, types: Mapping[Expr, Type]) -> None:
        self._types = types

    def __getitem__(self, node: Expr) -> Type:
        type_ = self._types[node] if isinstance(node, Name) else None
        if not isinstance(type_, RecordType):
            raise KeyError(node)
        return type_

    def __iter__(self) -> Iterator[Expr]:
        return (node for node in self._types if node in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class IndexParts:
    """Implements `planning.Parts`."""

    def __init__(self, emitter: Emitter, batch: str, on_error: Sequence[bool]) -> None:
        self._emitter = emitter
        self._batch = batch
        self._on_error = on_error
        self._blocks: list[ast.stmt] = []
        self._parts: list[ast.expr] = []
        self._numbers: dict[tuple[int, ...], int] = {}

    def test(self, tests: Sequence[Expr]) -> int:
        """A function that gives whether all of these hold."""
        key = tuple(map(id, tests))
        if key not in self._numbers:
            try:
                code = build.both(*(self._emitter.test(test) for test in tests))
            except LeftToTheInterpreter:
                code = build.divert()
            self._numbers[key] = len(self._parts)
            self._parts.append(build.function(PARAMETERS, code))
        return self._numbers[key]

    def block(self, rules: Sequence[tuple[int, Sequence[Expr]]], *, failed: bool) -> int:
        """A function that gives the mask of these rules."""
        body: list[ast.stmt] = [_assign("mask", build.constant(0))]
        functions = self._emitter.functions
        for group in groups(rules, lambda name: functions.get(name) is BY_NAME.get(name)):
            body += self._sharing(group, failed=failed) if group.shared else self._each(group.rules, failed=failed)
        body.append(ast.Return(build.load("mask")))
        name = f"block_{len(self._blocks)}"
        self._blocks.append(function(name, PARAMETERS, body))
        self._parts.append(build.load(name))
        return len(self._parts) - 1

    def _each(self, rules: Sequence[Rule], *, failed: bool) -> list[ast.stmt]:
        """One test after another."""
        body: list[ast.stmt] = []
        for number, tests in rules:
            recovery = add_bits(diverted(self._batch, number))
            try:
                test = build.both(*(self._emitter.test(one) for one in tests))
            except LeftToTheInterpreter:
                body.append(recovery)
            else:
                bits = self._error(number) if failed else bit(number)
                body.append(attempt(ast.If(test, [add_bits(bits)], []), recovery))
        return body

    def _sharing(self, group: Group, *, failed: bool) -> list[ast.stmt]:
        """What the group shares, then one test after another; all by the interpreter where what they share is an error."""
        names: dict[Expr, str] = {}
        assigned: list[ast.stmt] = []
        try:
            for nodes in group.shared:
                name = self._emitter.fresh("shared")
                assigned.append(_assign(name, self._emitter.value(nodes[0])))
                names |= dict.fromkeys(nodes, name)
        except LeftToTheInterpreter:
            return self._each(group.rules, failed=failed)
        with self._emitter.sharing(names):
            tests = self._each(group.rules, failed=failed)
        numbers = build.tuple_of(*(build.constant(number) for number, _ in group.rules))
        recovery = build.call("all_diverted", build.load(self._batch), numbers, *map(build.load, PARAMETERS))
        return [ast.Try(assigned, [ast.ExceptHandler(build.load("Exception"), None, [add_bits(recovery)])], tests, [])]

    def definition(self, name: str) -> ast.FunctionDef:
        """`def name(): …; return (part, part, …)`."""
        return function(name, (), [*self._blocks, ast.Return(build.tuple_of(*self._parts))])

    def _error(self, number: int) -> ast.expr:
        bits = bit(len(self._on_error) + number)
        return build.binary(bit(number), ast.BitOr(), bits) if self._on_error[number] else bits


def function(name: str, parameters: Sequence[str], body: list[ast.stmt]) -> ast.FunctionDef:
    """`def name(parameters…): body`."""
    arguments = ast.arguments([], [ast.arg(parameter) for parameter in parameters], None, [], [], None, [])
    return ast.FunctionDef(name, arguments, body, [], None, None)


def bit(number: int) -> ast.expr:
    """`1 << number`; as one constant where that is short."""
    if number < 256:
        return build.constant(1 << number)
    return build.binary(build.constant(1), ast.LShift(), build.constant(number))


def diverted(batch: str, number: int) -> ast.expr:
    """What the interpreter says of a condition, as bits."""
    return build.call("diverted", build.load(batch), build.constant(number), *map(build.load, PARAMETERS))


def _assign(name: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Name(name, ast.Store())], value)


def add_bits(bits: ast.expr) -> ast.stmt:
    """`mask |= bits`."""
    return ast.AugAssign(ast.Name("mask", ast.Store()), ast.BitOr(), bits)


def attempt(body: ast.stmt, recovery: ast.stmt) -> ast.stmt:
    """`try: body`, and `recovery` after whatever it raises."""
    return ast.Try([body], [ast.ExceptHandler(build.load("Exception"), None, [recovery])], [], [])
