"""One case for each kind of node. Called by `interpret`; a tree is at most `MAX_NESTING` deep, so recursion is safe.

Each node costs a step, each call its function's cost and a step for every so many characters or elements: an evaluation
ends after `MAX_EVALUATION_STEPS`, and no `&&` or `||` can hide that, because nothing is evaluated any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, assert_never

from policy_engine.base.errors import EvaluationError
from policy_engine.base.limits import MAX_EVALUATION_STEPS
from policy_engine.base.values import NONE, Optional
from policy_engine.semantics import operations
from policy_engine.semantics.ast.expressions import (
    And,
    Binary,
    Bind,
    Call,
    Comprehension,
    Conditional,
    Expr,
    Has,
    Index,
    ListExpr,
    Literal,
    MapExpr,
    Name,
    Negate,
    Not,
    OptionalMap,
    Or,
    Select,
)
from policy_engine.semantics.context import FOLDED, EvaluationContext
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.interpreter.comprehensions import COMPREHENSIONS, Walk
from policy_engine.semantics.interpreter.names import Lazy, Resolver, Variable, root, variable
from policy_engine.semantics.operations import MISSING, no_overload, spoken_type

_ELEMENTS_PER_STEP: Final = 8
_CHARS_PER_STEP: Final = 1_024
"""Measured: what one step of this interpreter takes, a microsecond, looks at about so much of a list or text."""
_LAZY: Final = frozenset(("or", "orValue"))
"""Methods of optionals whose argument is evaluated only where the optional is absent."""


def _unequal(left: Any, right: Any) -> bool:
    return not operations.equals(left, right)


BINARY: Final = {
    "+": operations.add, "-": operations.subtract, "*": operations.multiply, "/": operations.divide,
    "%": operations.remainder, "==": operations.equals, "!=": _unequal, "<": operations.less,
    "<=": operations.less_equal, ">": operations.greater, ">=": operations.greater_equal, "in": operations.contains,
}  # fmt: skip
"""The operation of each binary operator."""


class Evaluator:
    """One evaluation: its names, its context, and the steps it has left."""

    def __init__(
        self, resolver: Resolver, context: EvaluationContext | None, functions: Mapping[str, Function]
    ) -> None:
        self._resolver = resolver
        self._context = context
        self._functions = functions
        self._steps = MAX_EVALUATION_STEPS

    def evaluate(self, node: Expr, scope: Variable | None) -> Any:
        """The value of `node` with the macro variables of `scope`; raises `EvaluationError`."""
        self.spend(1)
        match node:
            case Literal():
                return node.value
            case Name():
                bound = None if node.rooted else variable(node.name, scope)
                return self._resolver.name(node) if bound is None else bound.read()
            case Select():
                return self._select(node, scope)
            case Has():
                return operations.has_field(self.evaluate(node.operand, scope), node.field)
            case Index():
                container, key = self.evaluate(node.operand, scope), self.evaluate(node.index, scope)
                return (operations.optional_index if node.optional else operations.index)(container, key)
            case Call():
                return self._call(node, scope)
            case Not():
                return not self.boolean(node.operand, scope, "!")
            case Negate():
                return operations.negate(self.evaluate(node.operand, scope))
            case Binary():
                left, right = self.evaluate(node.left, scope), self.evaluate(node.right, scope)
                self.spend(weight(right) + (weight(left) if node.operator == "+" else 0))
                return BINARY[node.operator](left, right)
            case And():
                return self._absorbing(node.operands, scope, decisive=False)
            case Or():
                return self._absorbing(node.operands, scope, decisive=True)
            case Conditional():
                chosen = node.then if self.boolean(node.condition, scope, "?:") else node.otherwise
                return self.evaluate(chosen, scope)
            case ListExpr():
                return list(self._elements(node, scope))
            case MapExpr():
                return operations.map_of(self._entries(node, scope))
            case Comprehension():
                walk = Walk(self, node, self.evaluate(node.range, scope), scope)
                return COMPREHENSIONS[node.kind](walk)
            case Bind():
                value = Lazy(lambda: self.evaluate(node.value, scope))
                return self.evaluate(node.body, Variable(node.variable, value, scope))
            case OptionalMap():
                return self._optional_map(node, scope)
            case _:
                assert_never(node)

    def boolean(self, node: Expr, scope: Variable | None, operator: str) -> bool:
        """The truth value of `node`; anything else is `no_such_overload` of the operator that asked."""
        value = self.evaluate(node, scope)
        if type(value) is not bool:
            no_overload(operator, value)
        return value

    def spend(self, steps: int) -> None:
        """Counts steps; raises `too_costly` from the moment that none are left."""
        self._steps -= steps
        if self._steps < 0:
            raise EvaluationError("too_costly", f"the evaluation takes more than {MAX_EVALUATION_STEPS} steps")

    def _absorbing(self, operands: tuple[Expr, ...], scope: Variable | None, *, decisive: bool) -> bool:
        """`||` (decisive true) and `&&` (decisive false): one decisive operand decides, even beside errors."""
        error: EvaluationError | None = None
        for operand in operands:
            try:
                if self.boolean(operand, scope, "||" if decisive else "&&") is decisive:
                    return decisive
            except EvaluationError as problem:
                error = error or problem
        if error is not None:
            raise error
        return not decisive

    def _select(self, node: Select, scope: Variable | None) -> Any:
        if node.optional:
            return operations.optional_select(self.evaluate(node.operand, scope), node.field)
        start = root(node)
        if start is not None and (start.rooted or variable(start.name, scope) is None):
            value = self._resolver.select(node)
            if value is not MISSING:
                return value
        return operations.select(self.evaluate(node.operand, scope), node.field)

    def _folded(self, node: Call, scope: Variable | None) -> Any:
        """A question about history. Its arguments may be errors that the answer does not depend on."""
        if self._context is None:
            raise EvaluationError("not_available", "the history is asked about, and there is no run here")
        number, *arguments = (self._later(argument, scope) for argument in node.args)
        return self._context.folded(number(), arguments)

    def _later(self, node: Expr, scope: Variable | None) -> Lazy:
        return Lazy(lambda: self.evaluate(node, scope))

    def _call(self, node: Call, scope: Variable | None) -> Any:
        if node.function == FOLDED:
            return self._folded(node, scope)
        function = self._functions.get(node.function)
        if function is None or not (function.method if node.target else function.both or not function.method):
            how = "method" if node.target else "function"
            raise EvaluationError("no_such_overload", f"there is no {how} `{node.function}`")
        if function.body is None:
            raise EvaluationError("not_available", f"`{node.function}` is declared only: nothing evaluates it yet")
        operands = node.args if node.target is None else (node.target, *node.args)
        arguments = [self.evaluate(operand, scope) for operand in operands[:1]]
        if node.function in _LAZY and len(operands) == 2 and _present(arguments[0]):
            arguments.append(None if node.function == "orValue" else NONE)
        else:
            arguments += [self.evaluate(operand, scope) for operand in operands[1:]]
        self.spend(function.cost + sum(map(weight, arguments)))
        if function.needs_context:
            if self._context is None:
                raise EvaluationError("not_available", f"`{node.function}` asks about a run, and there is none here")
            arguments.insert(0, self._context)
        result = function.body(*arguments)
        self.spend(weight(result))
        return result

    def _elements(self, node: ListExpr, scope: Variable | None) -> Iterator[Any]:
        for element in node.elements:
            value = self.evaluate(element.value, scope)
            if not element.optional:
                yield value
            elif _present(value):
                yield value.value

    def _entries(self, node: MapExpr, scope: Variable | None) -> Iterator[tuple[Any, Any]]:
        for entry in node.entries:
            key, value = self.evaluate(entry.key, scope), self.evaluate(entry.value, scope)
            if not entry.optional:
                yield key, value
            elif _present(value):
                yield key, value.value

    def _optional_map(self, node: OptionalMap, scope: Variable | None) -> Optional:
        operand = self.evaluate(node.operand, scope)
        if not _present(operand):
            return NONE
        value = self.evaluate(node.body, Variable(node.variable, lambda: operand.value, scope))
        if not node.flat:
            return Optional(True, value)
        _present(value)
        return value  # type: ignore[no-any-return]  # `_present` refuses all but optionals


def _present(value: Any) -> bool:
    """Whether an optional is present; any other value has no place here."""
    if type(value) is not Optional:
        raise EvaluationError("no_such_overload", f"an optional is needed here, not {spoken_type(value)}")
    return value.present


def weight(value: Any) -> int:
    """Steps that looking at all of a value takes, beyond the first."""
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value) // _CHARS_PER_STEP
    return len(value) // _ELEMENTS_PER_STEP if kind is list or kind is dict else 0
