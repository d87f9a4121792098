"""`&&`, `||`, `!` and `?:`: Python stops where CEL stops.

An error before that point raises, and the interpreter, which absorbs what CEL absorbs, decides.
"""

from __future__ import annotations

import ast

from policy_engine.compiler.codegen import build
from policy_engine.compiler.codegen.emitter import Emitter
from policy_engine.semantics.ast.expressions import And, Conditional, Not, Or


def conjunction(node: And, emitter: Emitter) -> ast.expr:
    """`a and b and …` of tests."""
    return build.both(*(emitter.test(operand) for operand in node.operands))


def disjunction(node: Or, emitter: Emitter) -> ast.expr:
    """`a or b or …` of tests."""
    return build.either(*(emitter.test(operand) for operand in node.operands))


def negation(node: Not, emitter: Emitter) -> ast.expr:
    """`not a` of a test."""
    return build.negate(emitter.test(node.operand))


def conditional(node: Conditional, emitter: Emitter) -> ast.expr:
    """`then if test else otherwise`."""
    return build.choose(emitter.test(node.condition), emitter.value(node.then), emitter.value(node.otherwise))
