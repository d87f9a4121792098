"""Running what was compiled, with the interpreter as the last word. Called by generated code and by the runtime.

Generated code raises *some* exception wherever CEL has an error, or might have one. The interpreter then evaluates that
one expression again: its answer counts, absorbed errors (`false && error`) included. Every promise here holds for any
value and any state: nothing but `EvaluationError` leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from policy_engine.base.errors import EvaluationError
from policy_engine.semantics.activation import Names
from policy_engine.semantics.artifact import Batch, Value
from policy_engine.semantics.ast.expressions import Expr
from policy_engine.semantics.context import EvaluationContext
from policy_engine.semantics.functions.catalogue import BY_NAME
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.index.masks import bits_of
from policy_engine.semantics.interpreter import interpret


def diverted(batch: Batch, index: int, args: Any, principal: Any, environment: Any) -> int:
    """The bits that condition `index` adds to its batch's mask, by the interpreter."""
    try:
        return int(_holds(batch, index, args, principal, environment)) << index
    except EvaluationError:
        return (int(batch.on_error[index]) << index) | (1 << (len(batch.conditions) + index))


def all_diverted(batch: Batch, places: Sequence[int], args: Any, principal: Any, environment: Any) -> int:
    """The bits that several conditions add to their batch's mask, by the interpreter."""
    mask = 0
    for index in places:
        mask |= diverted(batch, index, args, principal, environment)
    return mask


def batch_errors(
    batch: Batch, mask: int, args: Any, principal: Any, environment: Any
) -> list[tuple[int, EvaluationError]]:
    """Which conditions of the batch were errors in `mask`, and what each error is."""
    found = []
    for index in bits_of(mask >> len(batch.conditions)):
        try:
            _holds(batch, index, args, principal, environment)
        except EvaluationError as error:
            found.append((index, error))
        else:
            found.append((index, EvaluationError("internal", "the condition failed once and not again")))
    return found


def run_value(namespace: Mapping[str, Any], value: Value, args: Any, principal: Any, environment: Any) -> Any:
    """The value of an expression as an engine value; raises `EvaluationError`. `namespace` is what `link` returned."""
    try:
        return namespace[value.function](args, principal, environment)
    except Exception:  # whatever it was: the interpreter says what it means
        names = Names(args, principal, environment)
        return interpreted(value.expression, names, environment, functions=value.functions)


def interpreted(
    expression: Expr, names: Mapping[str, Any], context: EvaluationContext | None, *,
    container: str | None = None, functions: Mapping[str, Function] | None = None,
) -> Any:  # fmt: skip
    """The interpreter's answer, with exhaustion of stack or memory turned into an `EvaluationError` too."""
    try:
        return interpret(expression, names, context, container, functions=BY_NAME if functions is None else functions)
    except EvaluationError:
        raise
    except RecursionError:
        raise EvaluationError("too_deep", "values or expression are nested too deeply") from None
    except MemoryError:
        raise EvaluationError("too_costly", "the evaluation needs too much memory") from None
    except Exception as error:
        raise EvaluationError("internal", f"the evaluation failed ({type(error).__name__})") from error


def _holds(batch: Batch, index: int, args: Any, principal: Any, environment: Any) -> bool:
    names = Names(args, principal, environment)
    answer = interpreted(batch.conditions[index], names, environment, functions=batch.functions)
    if answer is True or answer is False:
        return bool(answer)
    raise EvaluationError("no_such_overload", "a condition is true or false, and this is neither")
