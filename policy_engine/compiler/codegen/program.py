"""One CEL expression as a Python function over a mapping of names. Called by `policy_engine.cel`.

The same families as for policies; only names are looked up in a mapping. Where their resolution is not simple (a
container, bindings with dotted names) the interpreter evaluates, as it does after anything that raises.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from policy_engine.compiler.codegen import build
from policy_engine.compiler.codegen.emitter import Constants, LeftToTheInterpreter
from policy_engine.compiler.codegen.expression import new_emitter
from policy_engine.compiler.codegen.lines import source_of
from policy_engine.semantics.ast.expressions import Expr
from policy_engine.semantics.evaluation import interpreted
from policy_engine.semantics.functions.catalogue import BY_NAME, TYPE_VALUES
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.linking import link
from policy_engine.semantics.prelude import type_word
from policy_engine.semantics.types import Type


def generate_program(
    expr: Expr, types: Mapping[Expr, Type], *, container: str | None = None, functions: Mapping[str, Function] = BY_NAME
) -> Callable[[Mapping[str, Any]], Any]:
    """A function from bindings (engine values by name) to the expression's value; it raises `EvaluationError`.

    `types` must hold for certain, for any bindings that are ever given; an empty mapping is always right.
    """
    compute = None if container else _generated(expr, types, functions)

    def program(bindings: Mapping[str, Any]) -> Any:
        if compute is not None and not any("." in name for name in bindings):
            try:
                return compute(bindings)
            except Exception:  # whatever it was: the interpreter says what it means
                pass
        return interpreted(expr, bindings, None, container=container, functions=functions)

    return program


def program_source(expr: Expr, types: Mapping[Expr, Type], functions: Mapping[str, Function] = BY_NAME) -> str | None:
    """The text of the generated function; None where the expression is left to the interpreter."""
    definition = _definition(expr, types, functions, Constants())
    return None if definition is None else source_of([definition])


def _generated(
    expr: Expr, types: Mapping[Expr, Type], functions: Mapping[str, Function]
) -> Callable[[Mapping[str, Any]], Any] | None:
    constants = Constants()
    definition = _definition(expr, types, functions, constants)
    if definition is None:
        return None
    tree = ast.fix_missing_locations(ast.Module([definition], []))
    compute: Callable[[Mapping[str, Any]], Any] = link(compile(tree, "<cel>", "exec"), constants.values)["program"]
    return compute


def _definition(
    expr: Expr, types: Mapping[Expr, Type], functions: Mapping[str, Function], constants: Constants
) -> ast.stmt | None:
    emitter = new_emitter(_read_name, constants, types, functions, None)
    try:
        code = emitter.value(expr)
    except LeftToTheInterpreter:
        return None
    parameters = ast.arguments([], [ast.arg("bindings")], None, [], [], None, [])
    return ast.FunctionDef("program", parameters, [ast.Return(code)], [], None, None)


def _read_name(name: str) -> ast.expr:
    bindings = build.load("bindings")
    if name in TYPE_VALUES:
        return build.method(bindings, "get", build.constant(name), build.load(type_word(name)))
    return build.subscript(bindings, build.constant(name))
