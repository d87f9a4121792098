"""The oracle's CEL: one function a node, errors as values, nothing shared with the engine but the syntax tree.

`Evaluator(names, lets, words).of(expr, locals)` gives a value or an `Err`. `names` maps each name to a value, an `Err`
or a `Later` (worked out when first read); `lets` are the policy's words with parameters; `words` functions of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from policy_engine.base.values import NONE, Optional, TypeValue
from policy_engine.semantics.ast import expressions as tree
from tests.oracle import functions
from tests.oracle.values import Err, arithmetic, equal, find, integer, kind, order

TYPES = (
    "bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type", "optional_type",
    "google.protobuf.Timestamp", "google.protobuf.Duration",
)  # fmt: skip


OF_A_RUN = ("said", "origins", "labels", "pointed", "coverage", "carried")


class Later:
    """A value worked out when first read, and once."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._known = False
        self._value: Any = None

    def value(self) -> Any:
        if not self._known:
            self._value = self._work()
            self._known = True
        return self._value


Locals = Mapping[str, Any]


class Evaluator:
    """Evaluates expressions over one set of names."""

    def __init__(
        self,
        names: Mapping[str, Any],
        lets: Callable[[str, list[Later]], Any] | None = None,
        words: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        self.names = names
        self.lets = lets
        self.words = dict(words or {})

    def of(self, node: tree.Expr, local: Locals | None = None) -> Any:
        """The value of an expression, or an `Err`."""
        return getattr(self, f"_{type(node).__name__.lower()}")(node, local or {})

    def truth(self, node: tree.Expr, local: Locals | None = None) -> bool | Err:
        """True, false, or an error, as a condition is."""
        return truth(self.of(node, local))

    # ------------------------------------------------------------------ leaves and logic
    def _literal(self, node: tree.Literal, local: Locals) -> Any:
        return node.value

    def _name(self, node: tree.Name, local: Locals) -> Any:
        found = None
        if not node.rooted and node.name in local:
            found = (local[node.name],)
        elif node.name in self.names:
            found = (self.names[node.name],)
        elif node.name in TYPES:
            return TypeValue(node.name)
        if found is None:
            return Err(f"no name {node.name}")
        return found[0].value() if isinstance(found[0], Later) else found[0]

    def _not(self, node: tree.Not, local: Locals) -> Any:
        value = self.truth(node.operand, local)
        return value if isinstance(value, Err) else not value

    def _negate(self, node: tree.Negate, local: Locals) -> Any:
        value = self.of(node.operand, local)
        if isinstance(value, Err):
            return value
        if kind(value) == "double":
            return -value
        return integer(-value) if kind(value) == "int" else Err("no negative of this")

    def _and(self, node: tree.And, local: Locals) -> Any:
        return conjunction([self.of(operand, local) for operand in node.operands])

    def _or(self, node: tree.Or, local: Locals) -> Any:
        return disjunction([self.of(operand, local) for operand in node.operands])

    def _conditional(self, node: tree.Conditional, local: Locals) -> Any:
        condition = self.truth(node.condition, local)
        if isinstance(condition, Err):
            return condition
        return self.of(node.then if condition else node.otherwise, local)

    def _binary(self, node: tree.Binary, local: Locals) -> Any:
        left, right = self.of(node.left, local), self.of(node.right, local)
        for side in (left, right):
            if isinstance(side, Err):
                return side
        if node.operator == "==":
            return equal(left, right)
        if node.operator == "!=":
            return not equal(left, right)
        if node.operator == "in":
            return membership(left, right)
        if node.operator in ("<", "<=", ">", ">="):
            place = order(left, right)
            if isinstance(place, Err):
                return place
            allowed = {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (1, 0)}[node.operator]
            return place in allowed
        return arithmetic(node.operator, left, right)

    # ------------------------------------------------------------------ access
    def _select(self, node: tree.Select, local: Locals) -> Any:
        operand = self.of(node.operand, local)
        if isinstance(operand, Err):
            return operand
        return access(operand, node.optional, lambda value: field(value, node.field))

    def _index(self, node: tree.Index, local: Locals) -> Any:
        operand, index = self.of(node.operand, local), self.of(node.index, local)
        for part in (operand, index):
            if isinstance(part, Err):
                return part
        return access(operand, node.optional, lambda value: item_at(value, index))

    def _has(self, node: tree.Has, local: Locals) -> Any:
        operand = self.of(node.operand, local)
        if isinstance(operand, Err):
            return operand
        if kind(operand) == "optional":
            if not operand.present:
                return False
            operand = operand.value
        found = field(operand, node.field)
        return found if isinstance(found, Err) else found is not None

    # ------------------------------------------------------------------ containers
    def _listexpr(self, node: tree.ListExpr, local: Locals) -> Any:
        made = []
        for element in node.elements:
            value = self.of(element.value, local)
            if isinstance(value, Err):
                return value
            if element.optional:
                if kind(value) != "optional":
                    return Err("`?` before what is no optional")
                if value.present:
                    made.append(value.value)
            else:
                made.append(value)
        return made

    def _mapexpr(self, node: tree.MapExpr, local: Locals) -> Any:
        made: dict[Any, Any] = {}
        for entry in node.entries:
            key, value = self.of(entry.key, local), self.of(entry.value, local)
            for part in (key, value):
                if isinstance(part, Err):
                    return part
            if kind(key) not in ("bool", "int", "uint", "string"):
                return Err("no key of a map")
            if entry.optional:
                if kind(value) != "optional":
                    return Err("`?` before what is no optional")
                if not value.present:
                    continue
                value = value.value
            if key in made:
                return Err("two entries with one key")
            made[key] = value
        return made

    # ------------------------------------------------------------------ binding, calls, macros
    def _bind(self, node: tree.Bind, local: Locals) -> Any:
        return self.of(node.body, {**local, node.variable: Later(lambda: self.of(node.value, local))})

    def _optionalmap(self, node: tree.OptionalMap, local: Locals) -> Any:
        operand = self.of(node.operand, local)
        if isinstance(operand, Err):
            return operand
        if kind(operand) != "optional":
            return Err("no optional")
        if not operand.present:
            return NONE
        value = self.of(node.body, {**local, node.variable: operand.value})
        if isinstance(value, Err):
            return value
        if node.flat:
            return value if kind(value) == "optional" else Err("optFlatMap gives an optional")
        return Optional(True, value)

    def _call(self, node: tree.Call, local: Locals) -> Any:
        if node.target is None and self.lets is not None:
            later = [Later(lambda arg=arg: self.of(arg, local)) for arg in node.args]  # type: ignore[misc]
            expanded = self.lets(node.function, later)
            if expanded is not None:
                return expanded
        written = node.args if node.target is None else (node.target, *node.args)
        if node.function in ("or", "orValue") and len(written) == 2:
            return self._otherwise(node.function, written, local)
        values = [self.of(part, local) for part in written]
        for value in values:
            if isinstance(value, Err):
                return value
        if node.function in self.words:
            return self.words[node.function](*values)
        if node.function in OF_A_RUN:
            return Err("no run")
        return functions.call(node.function, node.target is not None, values)

    def _otherwise(self, name: str, written: tuple[tree.Expr, ...], local: Locals) -> Any:
        """`x.or(y)` and `x.orValue(y)`: `y` is read only where `x` is absent."""
        first = self.of(written[0], local)
        if isinstance(first, Err):
            return first
        if kind(first) != "optional":
            return Err("no optional")
        if first.present:
            return first if name == "or" else first.value
        second = self.of(written[1], local)
        if name == "or" and not isinstance(second, Err) and kind(second) != "optional":
            return Err("no optional")
        return second

    def _comprehension(self, node: tree.Comprehension, local: Locals) -> Any:
        container = self.of(node.range, local)
        if isinstance(container, Err):
            return container
        if kind(container) not in ("list", "map"):
            return Err("a macro over what is neither list nor map")
        if node.kind in ("last", "after", "sortBy") and kind(container) != "list":
            return Err("what comes last is a question for lists")
        return macro(self, node, container, local)


def truth(value: Any) -> bool | Err:
    """A condition is true, false or an error."""
    if isinstance(value, bool | Err):
        return value
    return Err("neither true nor false")


def conjunction(values: list[Any]) -> bool | Err:
    """One false decides, beside any error."""
    known = [truth(value) for value in values]
    if any(value is False for value in known):
        return False
    return next((value for value in known if isinstance(value, Err)), True)


def disjunction(values: list[Any]) -> bool | Err:
    """One true decides, beside any error."""
    known = [truth(value) for value in values]
    if any(value is True for value in known):
        return True
    return next((value for value in known if isinstance(value, Err)), False)


def membership(item: Any, container: Any) -> Any:
    """`in`: an element of a list, a key of a map."""
    if kind(container) == "list":
        return any(equal(item, element) for element in container)
    if kind(container) == "map":
        if kind(item) not in ("bool", "int", "uint", "double", "string"):
            return Err("no key of a map")
        return find(container, item) is not None
    return Err("`in` what is neither list nor map")


def access(operand: Any, optional: bool, look: Callable[[Any], tuple[Any] | None | Err]) -> Any:
    """Selection and index: plain, optional, and along a chain that is already optional."""
    chained = kind(operand) == "optional"
    if chained and not operand.present:
        return NONE
    found = look(operand.value if chained else operand)
    if isinstance(found, Err):
        return found
    if chained or optional:
        return NONE if found is None else Optional(True, found[0])
    return Err("nothing there") if found is None else found[0]


def field(value: Any, name: str) -> tuple[Any] | None | Err:
    """A field of a map, None where it is absent, an error on what has no fields."""
    return find(value, name) if kind(value) == "map" else Err("no fields")


def item_at(value: Any, index: Any) -> tuple[Any] | None | Err:
    """An element of a list or a map."""
    if kind(value) == "map":
        if kind(index) not in ("bool", "int", "uint", "double", "string"):
            return Err("no key of a map")
        return find(value, index)
    if kind(value) == "list":
        if kind(index) not in ("int", "uint", "double") or index != index or index in (float("inf"), float("-inf")):
            return Err("no index of a list")
        if int(index) != index:
            return Err("no index of a list")
        return (value[int(index)],) if 0 <= index < len(value) else None
    return Err("nothing to index")


def macro(evaluator: Evaluator, node: tree.Comprehension, container: Any, local: Locals) -> Any:
    """Every macro over a list, or over the keys of a map."""
    steps = []
    for place, element in enumerate(container):
        if len(node.variables) == 1:
            bound = {node.variables[0]: element}
        else:
            first, second = (element, container[element]) if isinstance(container, dict) else (place, element)
            bound = {node.variables[0]: first, node.variables[1]: second}
        steps.append((element, place, {**local, **bound}))
    tests: list[Callable[[], bool | Err]] = [partial(evaluator.truth, node.bodies[0], scope) for _, _, scope in steps]
    if node.kind == "all":
        return conjunction([test() for test in tests])
    if node.kind == "exists":
        return disjunction([test() for test in tests])
    if node.kind in ("exists_one", "filter"):
        answers = [test() for test in tests]
        wrong = next((answer for answer in answers if isinstance(answer, Err)), None)
        if wrong is not None:
            return wrong
        kept = [element for (element, _, _), answer in zip(steps, answers, strict=True) if answer is True]
        return len(kept) == 1 if node.kind == "exists_one" else kept
    if node.kind in ("last", "after"):
        return _latest(node.kind, steps, tests)
    if node.kind == "sortBy":
        return functions.sort_by([element for element, _, _ in steps], [evaluator.of(node.bodies[0], s[2]) for s in steps])
    return _transformed(evaluator, node, steps, isinstance(container, dict))


def _latest(which: str, steps: list[Any], tests: list[Any]) -> Any:
    """From the end: the latest element that passes, or those after it."""
    for index in range(len(steps) - 1, -1, -1):
        answer = tests[index]()
        if isinstance(answer, Err):
            return answer
        if answer:
            return steps[index][0] if which == "last" else [element for element, _, _ in steps[index + 1 :]]
    return Err("no element passes") if which == "last" else [element for element, _, _ in steps]


def _transformed(evaluator: Evaluator, node: tree.Comprehension, steps: list[Any], over_map: bool) -> Any:
    entries: list[tuple[Any, Any]] = []
    for element, place, scope in steps:
        if len(node.bodies) == 2:
            kept = evaluator.truth(node.bodies[0], scope)
            if isinstance(kept, Err):
                return kept
            if not kept:
                continue
        value = evaluator.of(node.bodies[-1], scope)
        if isinstance(value, Err):
            return value
        entries.append((element if over_map else place, value))
    if node.kind in ("map", "transformList"):
        return [value for _, value in entries]
    if node.kind == "transformMap":
        return dict(entries)
    merged: dict[Any, Any] = {}
    for _, value in entries:
        if kind(value) != "map":
            return Err("transformMapEntry needs a map")
        for key, item in value.items():
            if key in merged:
                return Err("two entries with one key")
            merged[key] = item
    return merged
