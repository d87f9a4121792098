"""The macros over lists and maps, one function each. Called by the evaluator.

With one variable a macro walks over elements or keys, with two over (index, element) or (key, value), in the order
they are stored. `all` and `exists` absorb errors as `&&` and `||` do; every other macro stops at its first error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cmp_to_key
from typing import Any, Final, Protocol

from policy_engine.base.errors import EvaluationError
from policy_engine.semantics.ast.expressions import Comprehension, ComprehensionKind, Expr
from policy_engine.semantics.interpreter.names import Variable
from policy_engine.semantics.operations import less, map_of, no_overload, spoken_type
from policy_engine.semantics.operations.bounds import bound_elements


class Evaluates(Protocol):
    """What macros need of the evaluator."""

    def evaluate(self, node: Expr, scope: Variable | None) -> Any:
        """The value of `node`."""
        ...

    def boolean(self, node: Expr, scope: Variable | None, operator: str) -> bool:
        """The truth value of `node`."""
        ...

    def spend(self, steps: int) -> None:
        """Counts steps."""
        ...


class Walk:
    """A macro and what it walks over: `items` are the values its variables take, one tuple for each round."""

    def __init__(self, evaluator: Evaluates, node: Comprehension, values: Any, scope: Variable | None) -> None:
        self.kind: ComprehensionKind = node.kind
        self._evaluator = evaluator
        self._variables = node.variables
        self._scope = scope
        self._filters = node.bodies[:-1]
        self._body = node.bodies[-1]
        self.is_map = type(values) is dict
        if not self.is_map and type(values) is not list:
            problem = f"`{node.kind}` walks over a list or map, not {spoken_type(values)}"
            raise EvaluationError("no_such_overload", problem)
        self.items: list[tuple[Any, ...]]
        if len(node.variables) == 1:
            self.items = [(value,) for value in values]
        else:
            self.items = list(values.items() if self.is_map else enumerate(values))

    def holds(self, item: tuple[Any, ...]) -> bool:
        """The predicate's truth for one item."""
        self._evaluator.spend(1)
        return self._evaluator.boolean(self._body, self._inside(item), self.kind)

    def value(self, item: tuple[Any, ...]) -> Any:
        """What the body makes of one item."""
        return self._evaluator.evaluate(self._body, self._inside(item))

    def chosen(self) -> Iterator[tuple[Any, ...]]:
        """The items that pass the filter, where the macro has one."""
        for item in self.items:
            self._evaluator.spend(1)
            if all(self._evaluator.boolean(test, self._inside(item), self.kind) for test in self._filters):
                yield item

    def elements(self) -> list[Any]:
        """The list itself, for macros that maps do not have."""
        if self.is_map:
            no_overload(self.kind, {})
        return [item[0] for item in self.items]

    def _inside(self, item: tuple[Any, ...]) -> Variable | None:
        scope = self._scope
        for name, value in zip(self._variables, item, strict=True):
            scope = Variable(name, _constant(value), scope)
        return scope


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value


def _quantified(walk: Walk, *, decisive: bool) -> bool:
    error: EvaluationError | None = None
    for item in walk.items:
        try:
            if walk.holds(item) is decisive:
                return decisive
        except EvaluationError as problem:
            error = error or problem
    if error is not None:
        raise error
    return not decisive


def _all(walk: Walk) -> bool:
    return _quantified(walk, decisive=False)


def _exists(walk: Walk) -> bool:
    return _quantified(walk, decisive=True)


def _exists_one(walk: Walk) -> bool:
    return sum([walk.holds(item) for item in walk.items]) == 1


def _filter(walk: Walk) -> list[Any]:
    return [item[0] for item in walk.items if walk.holds(item)]


def _map(walk: Walk) -> list[Any]:
    return [walk.value(item) for item in walk.chosen()]


def _transform_map(walk: Walk) -> dict[Any, Any]:
    return map_of((item[0], walk.value(item)) for item in walk.chosen())


def _transform_entries(walk: Walk) -> dict[Any, Any]:
    return map_of(entry for item in walk.chosen() for entry in _map_entries(walk.value(item)))


def _map_entries(value: Any) -> Iterator[tuple[Any, Any]]:
    if type(value) is not dict:
        raise EvaluationError("no_such_overload", f"`transformMapEntry` makes maps, not {spoken_type(value)}")
    bound_elements(len(value))
    yield from value.items()


def _latest(walk: Walk) -> int | None:
    """The position of the latest element that passes, seen from the end: what lies before it cannot be an error."""
    elements = walk.elements()
    return next((place for place in reversed(range(len(elements))) if walk.holds(walk.items[place])), None)


def _last(walk: Walk) -> Any:
    place = _latest(walk)
    if place is None:
        raise EvaluationError("no_such_key", "`last` finds no element that passes")
    return walk.elements()[place]


def _after(walk: Walk) -> list[Any]:
    place = _latest(walk)
    return walk.elements() if place is None else walk.elements()[place + 1 :]


def _sort_by(walk: Walk) -> list[Any]:
    keyed = [(walk.value(item), element) for item, element in zip(walk.items, walk.elements(), strict=True)]
    for key, _ in keyed:
        less(key, keyed[0][0])
        if key != key:
            raise EvaluationError("invalid_argument", "NaN is neither less nor greater than other numbers")
    by_key = cmp_to_key(lambda a, b: less(b, a) - less(a, b))
    return [element for _, element in sorted(keyed, key=lambda pair: by_key(pair[0]))]


COMPREHENSIONS: Final[Mapping[ComprehensionKind, Callable[[Walk], Any]]] = {
    "all": _all, "exists": _exists, "exists_one": _exists_one, "filter": _filter, "map": _map, "transformList": _map,
    "transformMap": _transform_map, "transformMapEntry": _transform_entries, "last": _last, "after": _after,
    "sortBy": _sort_by,
}  # fmt: skip
"""What each macro does."""
