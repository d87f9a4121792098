"""CEL on its own: `evaluate("a + b", {"a": 1, "b": 2})`, or `compile` once and evaluate often.

Values are plain Python: `int float str bytes bool None list dict`, aware `datetime`, `timedelta`, and `UInt` for CEL's
unsigned integers. Promises: text that is not CEL raises `PolicyError` with every diagnostic; an expression that comes
to no value raises `EvaluationError`; nothing given is changed, nothing returned is shared; safe to use from threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal as OneOf, TypeAlias

from policy_engine.base.errors import EvaluationError
from policy_engine.base.limits import MAX_ARGS_NODES, MAX_EVALUATION_STEPS
from policy_engine.base.source import Source, Span
from policy_engine.base.values import MAX_INT, MIN_INT, Optional, TypeValue, UInt, inward, outward
from policy_engine.compiler.cel.checker import Scope, check_expression
from policy_engine.compiler.cel.parser import parse_expression
from policy_engine.compiler.cel.type_text import read_type
from policy_engine.compiler.codegen.program import generate_program
from policy_engine.diagnostics.model import Collector, PolicyError
from policy_engine.semantics.ast.expressions import Expr
from policy_engine.semantics.evaluation import interpreted
from policy_engine.semantics.functions.catalogue import BY_NAME
from policy_engine.semantics.types import DYN, Type

__all__ = ["EvaluationError", "PolicyError", "Program", "TypeValue", "UInt", "compile", "evaluate"]

Backend: TypeAlias = OneOf["generated", "interpreter"]


class Program:
    """A compiled expression. `type` is what it evaluates to, as far as the checker can tell."""

    __slots__ = ("_expression", "_run", "container", "text", "type")

    def __init__(self, text: str, expression: Expr, kind: Type, container: str | None) -> None:
        self.text = text
        self.type = kind
        self.container = container
        self._expression = expression
        self._run = generate_program(expression, {}, container=container)

    def evaluate(self, bindings: Mapping[str, Any] | None = None, *, backend: Backend = "generated") -> Any:
        """The value for these bindings (name to plain Python value; names may be qualified, `"x.y"`).

        `backend="interpreter"` asks the reference interpreter instead of generated code; the answer is the same.
        Raises `EvaluationError`, and `TypeError` or `ValueError` for a binding that CEL has no value for.
        """
        return _guarded(lambda: self._evaluate(bindings or {}, backend))

    def _evaluate(self, bindings: Mapping[str, Any], backend: Backend) -> Any:
        names = {name: inward(value) for name, value in bindings.items()}
        for value in names.values():
            _check(value, [MAX_ARGS_NODES])
        if backend == "interpreter":
            result = interpreted(self._expression, names, None, container=self.container)
        else:
            result = self._run(names)
        _check(result, [MAX_EVALUATION_STEPS])
        return outward(result)

    def __repr__(self) -> str:
        return f"Program({self.text!r}: {self.type})"


def compile(text: str, variables: Mapping[str, str | Type] | None = None, *, container: str | None = None) -> Program:
    """Reads and checks an expression; raises `PolicyError` with its diagnostics.

    `variables` declares each name it may read with its type, `"int"`, `"list(string)"`, `"map(string, dyn)"` …; without
    it any name may be read. `container` is the namespace that names are looked up in first.
    """
    collector = Collector()
    expression = _parse(text, "<expression>", collector)
    if variables is None:
        return Program(text, expression, DYN, container)
    types = {name: read_type(kind) if isinstance(kind, str) else kind for name, kind in variables.items()}
    checked = check_expression(expression, Scope(types, BY_NAME, container=container), collector)
    if collector.failed:
        raise PolicyError(collector.diagnostics)
    return Program(text, expression, checked.type, container)


def evaluate(
    text: str,
    bindings: Mapping[str, Any] | None = None,
    container: str | None = None,
    *,
    backend: Backend = "generated",
) -> Any:
    """Compiles and evaluates once. Raises as `compile` and `Program.evaluate` do."""
    return compile(text, container=container).evaluate(bindings, backend=backend)


def _parse(text: str, name: str, collector: Collector) -> Expr:
    expression = parse_expression(Span(Source(name, text), 0, len(text)), collector)
    if expression is None or collector.failed:
        raise PolicyError(collector.diagnostics)
    return expression


def _guarded(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except RecursionError:
        raise EvaluationError("too_deep", "a value is nested too deeply") from None


def _check(value: Any, budget: list[int]) -> None:
    """Refuses integers beyond 64 bits, and values that would be enormous once what they share is copied."""
    budget[0] -= 1
    if budget[0] < 0:
        raise EvaluationError("too_costly", "a value has too many parts")
    kind = type(value)
    if kind is int and not MIN_INT <= value <= MAX_INT:
        raise EvaluationError("overflow", "a whole number does not fit an int of 64 bits")
    if kind is list:
        for item in value:
            _check(item, budget)
    elif kind is dict:
        for key, item in value.items():
            _check(key, budget)
            _check(item, budget)
    elif kind is Optional and value.present:
        _check(value.value, budget)
