"""One Python module for all conditions and values of a policy. Called by the compiler's pipeline.

`batch` makes a function `(args, principal, env) -> int` whose bits tell which conditions hold (`semantics/artifact`),
`value` one that gives an expression's value. Each condition has its own `try`, free until something raises, and its
handler lets the interpreter decide that condition alone. The same calls in the same order make the same source.
"""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Mapping, Sequence
from types import CodeType
from typing import Any

from policy_engine.compiler.codegen import build
from policy_engine.compiler.codegen.emitter import Constants, LeftToTheInterpreter
from policy_engine.compiler.codegen.expression import new_emitter
from policy_engine.compiler.codegen.lines import source_of
from policy_engine.semantics.activation import ENVIRONMENT_NAMES
from policy_engine.semantics.artifact import Batch, Value
from policy_engine.semantics.ast.expressions import Expr, Literal
from policy_engine.semantics.functions.catalogue import BY_NAME, TYPE_VALUES
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.prelude import type_word
from policy_engine.semantics.types import Type

_PARAMETERS = ("args", "principal", "env")


class ModuleBuilder:
    """Collects generated functions; `build` compiles them.

    `functions` are those that conditions may call: the language's own, and what the host registered.
    """

    def __init__(self, filename: str, functions: Mapping[str, Function] = BY_NAME) -> None:
        self.filename = filename
        self._functions = functions
        self._constants = Constants()
        self._definitions: list[ast.stmt] = []

    def batch(
        self, hint: str, conditions: Sequence[Expr], on_error: Sequence[bool], types: Mapping[Expr, Type]
    ) -> Batch:
        """A function that evaluates `conditions`; `on_error[i]` is the bit that an error of condition `i` sets."""
        batch = Batch(tuple(conditions), tuple(on_error), self._function_name(hint), self._functions)
        constant_name = f"{batch.function}_batch"
        self._constants.values[constant_name] = batch
        always = sum(1 << bit for bit, condition in enumerate(conditions) if _is_literal(condition, True))
        body: list[ast.stmt] = [ast.Assign([ast.Name("mask", ast.Store())], build.constant(always))]
        emitter = new_emitter(_read_name, self._constants, types, self._functions, build.load("env"))
        for bit, condition in enumerate(conditions):
            if _is_literal(condition, True) or _is_literal(condition, False):
                continue
            recovery = _add_bits(_diverted(constant_name, bit))
            try:
                test = emitter.test(condition)
            except LeftToTheInterpreter:
                body.append(recovery)
            else:
                hit = ast.If(test, [_add_bits(build.constant(1 << bit))], [])
                body.append(_attempt(hit, recovery))
        body.append(ast.Return(build.load("mask")))
        self._define(batch.function, body)
        return batch

    def value(self, hint: str, expression: Expr, types: Mapping[Expr, Type]) -> Value:
        """A function that gives the value of `expression`, or raises: `evaluation.run_value` then interprets."""
        value = Value(expression, self._function_name(hint), self._functions)
        emitter = new_emitter(_read_name, self._constants, types, self._functions, build.load("env"))
        try:
            code = emitter.value(expression)
        except LeftToTheInterpreter:
            code = build.divert()
        self._define(value.function, [ast.Return(code)])
        return value

    def build(self) -> tuple[CodeType, dict[str, Any]]:
        """The compiled module and the constants it needs; tracebacks find its source under `filename`."""
        text = self.source()
        lines = text.splitlines(keepends=True)
        linecache.cache[self.filename] = (len(text), None, lines, self.filename)
        tree = ast.Module(self._definitions, [])
        return compile(tree, self.filename, "exec", dont_inherit=True), dict(self._constants.values)

    def source(self) -> str:
        """The module as text, for people: `policy explain`, tracebacks, tests."""
        return source_of(self._definitions)

    def _function_name(self, hint: str) -> str:
        return f"{re.sub(r'[^A-Za-z0-9]+', '_', hint).strip('_') or 'rules'}_{len(self._definitions)}"

    def _define(self, name: str, body: list[ast.stmt]) -> None:
        parameters = ast.arguments([], [ast.arg(parameter) for parameter in _PARAMETERS], None, [], [], None, [])
        self._definitions.append(ast.FunctionDef(name, parameters, body, [], None, None))


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


def _diverted(batch: str, bit: int) -> ast.expr:
    return build.call("diverted", build.load(batch), build.constant(bit), *(build.load(name) for name in _PARAMETERS))


def _add_bits(bits: ast.expr) -> ast.stmt:
    return ast.AugAssign(ast.Name("mask", ast.Store()), ast.BitOr(), bits)


def _attempt(body: ast.stmt, recovery: ast.stmt) -> ast.stmt:
    return ast.Try([body], [ast.ExceptHandler(build.load("Exception"), None, [recovery])], [], [])
