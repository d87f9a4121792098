"""`cel.bind`, parameters of `let`, and `optMap`: a value under a name, evaluated at most once and only when needed.

Three forms, the cheapest that keeps that promise: put in where it is read; assigned before the body, when the body
reads it for certain; else a function that keeps what it made. Evaluating too early could only raise.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from policy_engine.compiler.codegen import build
from policy_engine.compiler.codegen.emitter import Emitter, Local
from policy_engine.semantics.ast.expressions import (
    And,
    Bind,
    Comprehension,
    Conditional,
    Expr,
    Literal,
    Name,
    OptionalMap,
    Or,
    Select,
    children,
)  # fmt: skip
from policy_engine.semantics.types import DYN, OptionalType


def binding(node: Bind, emitter: Emitter) -> ast.expr:
    """`cel.bind(variable, value, body)`."""
    reads = list(_reads(node.body, node.variable, certain=True, looped=False))
    type_, outer = emitter.known(node.value), emitter.scope

    def put_in() -> ast.expr:
        with emitter.within(outer):
            return emitter.value(node.value)

    if _trivial(node.value) or (len(reads) <= 1 and not any(looped for _, looped in reads)):
        with emitter.bound({node.variable: Local(put_in, type_)}):
            return emitter.value(node.body)
    held = emitter.fresh(node.variable)
    if any(certain for certain, _ in reads):
        local, value = Local(lambda: build.load(held), type_), emitter.value(node.value)
    else:
        local = Local(lambda: build.call(held), type_)
        value = build.call("once", build.thunk(emitter.value(node.value)))
    with emitter.bound({node.variable: local}):
        body = emitter.value(node.body)
    return build.choose(build.tuple_of(build.bind(held, value)), body, build.constant(None))


def optional_map(node: OptionalMap, emitter: Emitter) -> ast.expr:
    """`operand.optMap(variable, body)` and `optFlatMap`."""
    operand = emitter.value(node.operand)
    name = emitter.fresh(f"{node.variable}_")
    known = emitter.known(node.operand)
    inner = known.inner if isinstance(known, OptionalType) else DYN
    with emitter.bound({node.variable: Local(lambda: build.load(name), inner)}):
        body = build.function((name,), emitter.value(node.body))
    return build.call("optional_flat_map" if node.flat else "optional_map", operand, body)


def _trivial(value: Expr) -> bool:
    """Whether reading it again costs less than keeping it: a literal, a name, a field or two of one."""
    depth = 0
    while isinstance(value, Select) and not value.optional and depth < 3:
        value, depth = value.operand, depth + 1
    return isinstance(value, Name | Literal)


def _reads(node: Expr, variable: str, *, certain: bool, looped: bool) -> Iterator[tuple[bool, bool]]:
    """For each place that reads the variable: whether it is certainly reached, and whether it is inside a loop."""
    match node:
        case Name():
            if node.name == variable and not node.rooted:
                yield certain, looped
        case And() | Or():
            for place, operand in enumerate(node.operands):
                yield from _reads(operand, variable, certain=certain and place == 0, looped=looped)
        case Conditional():
            yield from _reads(node.condition, variable, certain=certain, looped=looped)
            for branch in (node.then, node.otherwise):
                yield from _reads(branch, variable, certain=False, looped=looped)
        case Comprehension():
            yield from _reads(node.range, variable, certain=certain, looped=looped)
            if variable not in node.variables:
                for body in node.bodies:
                    yield from _reads(body, variable, certain=False, looped=True)
        case Bind():
            yield from _reads(node.value, variable, certain=False, looped=looped)
            if variable != node.variable:
                yield from _reads(node.body, variable, certain=certain, looped=looped)
        case OptionalMap():
            yield from _reads(node.operand, variable, certain=certain, looped=looped)
            if variable != node.variable:
                yield from _reads(node.body, variable, certain=False, looped=looped)
        case _:
            for child in children(node):
                yield from _reads(child, variable, certain=certain, looped=looped)
