"""One Python module for all conditions and values of a policy. Called by the compiler's pipeline.

`batch` makes a function `(args, principal, env) -> int` whose bits tell which conditions hold (`semantics/artifact`),
`value` one that gives an expression's value. Each condition has its own `try`, free until something raises, and its
handler lets the interpreter decide that condition alone. The same calls in the same order make the same source.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from sys import intern
from types import CodeType
from typing import Any, Final

from policy_engine.compiler.codegen import build
from policy_engine.compiler.codegen.emitter import Constants, LeftToTheInterpreter
from policy_engine.compiler.codegen.expression import new_emitter
from policy_engine.compiler.codegen.index.parts import (
    PARAMETERS,
    IndexParts,
    TypesOfNames,
    add_bits,
    attempt,
    bit,
    diverted,
    function,
)
from policy_engine.compiler.codegen.index.planning import Planner
from policy_engine.compiler.codegen.lines import placed, source_of
from policy_engine.compiler.codegen.naming import Naming
from policy_engine.semantics.activation import ENVIRONMENT_NAMES
from policy_engine.semantics.artifact import Batch, Index, Value
from policy_engine.semantics.ast.expressions import Expr, Literal
from policy_engine.semantics.functions.catalogue import BY_NAME, TYPE_VALUES
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.prelude import type_word
from policy_engine.semantics.types import Type

MAX_SHOWN_FUNCTIONS: Final = 100
"""Functions of a module whose text is kept for tracebacks; of more, writing and keeping it would cost what the code does."""
INDEX_FROM: Final = 24
"""Conditions in a batch from which an index is worth its own cost (measured: `tests/benchmarks/index.py`)."""


class ModuleBuilder:
    """Collects generated functions; `build` compiles them.

    `functions` are those that conditions may call: the language's own, and what the host registered. Batches of
    `index_from` conditions and more are indexed; None = never.
    """

    def __init__(
        self, filename: str, functions: Mapping[str, Function] = BY_NAME, *, index_from: int | None = INDEX_FROM
    ) -> None:
        self.filename = filename
        self._index_from = index_from
        self._functions = functions
        self._naming = Naming()
        self._constants = Constants(self._naming)
        self._definitions: list[ast.stmt] = []

    def unit(self, mark: str) -> AbstractContextManager[None]:
        """What is generated inside is named after `mark`: a digest of all that can influence it."""
        return self._naming.unit(mark)

    def batch(
        self, hint: str, conditions: Sequence[Expr], on_error: Sequence[bool], types: Mapping[Expr, Type]
    ) -> Batch:
        """A function that evaluates `conditions`; `on_error[i]` is the bit that an error of condition `i` sets."""
        batch = Batch(tuple(conditions), tuple(on_error), self._naming.next(hint), self._functions)
        constant_name = intern(f"{batch.function}_batch")
        self._constants.values[constant_name] = batch
        if (
            self._index_from is None
            or len(conditions) < self._index_from
            or not self._indexed(batch, constant_name, types)
        ):
            self._linear(batch, constant_name, types)
        return batch

    def _linear(self, batch: Batch, batch_name: str, types: Mapping[Expr, Type]) -> None:
        """One test after another."""
        always = sum(1 << number for number, condition in enumerate(batch.conditions) if _is_literal(condition, True))
        body: list[ast.stmt] = [ast.Assign([ast.Name("mask", ast.Store())], build.constant(always))]
        emitter = new_emitter(_read_name, self._constants, types, self._functions, build.load("env"))
        for number, condition in enumerate(batch.conditions):
            if _is_literal(condition, True) or _is_literal(condition, False):
                continue
            recovery = add_bits(diverted(batch_name, number))
            try:
                test = emitter.test(condition)
            except LeftToTheInterpreter:
                body.append(recovery)
            else:
                body.append(attempt(ast.If(test, [add_bits(bit(number))], []), recovery))
        body.append(ast.Return(build.load("mask")))
        self._define(batch.function, body)

    def _indexed(self, batch: Batch, batch_name: str, types: Mapping[Expr, Type]) -> bool:
        """A search of the index and the functions it needs; False where an index would not help."""
        emitter = new_emitter(
            _read_name, self._constants, TypesOfNames(types), self._functions, build.load("env")
        )  # fmt: skip
        parts = IndexParts(emitter, batch_name, batch.on_error)
        root = Planner(self._functions, parts).plan(batch.conditions)
        if root is None:
            return False
        index_name, parts_name = f"{batch.function}_index", f"{batch.function}_parts"
        self._constants.values[index_name] = Index(batch, root)
        self._definitions.append(parts.definition(parts_name))
        words = (index_name, parts_name, *PARAMETERS)
        self._define(batch.function, [ast.Return(build.call("search", *map(build.load, words)))])
        return True

    def value(self, hint: str, expression: Expr, types: Mapping[Expr, Type]) -> Value:
        """A function that gives the value of `expression`, or raises: `evaluation.run_value` then interprets."""
        value = Value(expression, self._naming.next(hint), self._functions)
        emitter = new_emitter(_read_name, self._constants, types, self._functions, build.load("env"))
        try:
            code = emitter.value(expression)
        except LeftToTheInterpreter:
            code = build.divert()
        self._define(value.function, [ast.Return(code)])
        return value

    def build(self) -> tuple[CodeType, dict[str, Any]]:
        """The compiled module and the constants it needs; tracebacks find its source under `filename`, if it is short."""
        if len(self._definitions) <= MAX_SHOWN_FUNCTIONS:
            text = self.source()
            lines = text.splitlines(keepends=True)
            linecache.cache[self.filename] = (len(text), None, lines, self.filename)
        else:
            placed(self._definitions)
        tree = ast.Module(self._definitions, [])
        return compile(tree, self.filename, "exec", dont_inherit=True), dict(self._constants.values)

    def source(self) -> str:
        """The module as text, for people: `policy explain`, tracebacks, tests."""
        return source_of(self._definitions)

    def _define(self, name: str, body: list[ast.stmt]) -> None:
        self._definitions.append(function(name, PARAMETERS, body))


def _read_name(name: str) -> ast.expr:
    if name in ("args", "principal"):
        return build.load(name)
    if name in ENVIRONMENT_NAMES:
        return build.attribute(build.load("env"), name)
    if name in TYPE_VALUES:
        return build.load(type_word(name))
    raise LeftToTheInterpreter


def _is_literal(condition: Expr, value: bool) -> bool:
    return isinstance(condition, Literal) and condition.value is value
