"""The reference interpreter: what an expression means, said as plainly as possible.

Called where generated code met an error, for expressions that are evaluated once, and by tests that compare the two.
Promises the exact answer of cel-spec, error absorption included, or an `EvaluationError`; bounded steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policy_engine.semantics.ast.expressions import Expr
from policy_engine.semantics.context import EvaluationContext
from policy_engine.semantics.functions.catalogue import BY_NAME
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.interpreter.evaluator import Evaluator
from policy_engine.semantics.interpreter.names import Resolver

__all__ = ["interpret"]


def interpret(
    expr: Expr,
    names: Mapping[str, Any],
    context: EvaluationContext | None = None,
    container: str | None = None,
    *,
    functions: Mapping[str, Function] = BY_NAME,
) -> Any:
    """The engine value of `expr`; raises `EvaluationError`.

    `names` binds variables to engine values; a key may be qualified (`"x.y"`). `container` is the namespace that
    names are looked up in first. `context` answers functions that ask about the run; None = there is none.
    """
    return Evaluator(Resolver(names, container), context, functions).evaluate(expr, None)
