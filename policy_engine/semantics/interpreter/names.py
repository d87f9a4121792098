"""What a name means: a macro's variable, a binding (the longest qualified one), or a type. Called by the evaluator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from policy_engine.base.errors import EvaluationError
from policy_engine.semantics.activation import Names
from policy_engine.semantics.ast.expressions import Name, Select
from policy_engine.semantics.functions.catalogue import TYPE_VALUES
from policy_engine.semantics.operations import MISSING, select

_UNREAD: Final = object()
_TYPE_NAMESPACES: Final = frozenset(name.partition(".")[0] for name in TYPE_VALUES if "." in name)


@dataclass(frozen=True, slots=True)
class Variable:
    """A macro's variable with those around it; the innermost of a name counts."""

    name: str
    read: Callable[[], Any]
    outer: Variable | None


def variable(name: str, scope: Variable | None) -> Variable | None:
    """The macro's variable of that name that is visible in `scope`."""
    while scope is not None and scope.name != name:
        scope = scope.outer
    return scope


class Lazy:
    """A value that is worked out when first asked for, and then kept; so is the error it may come to."""

    __slots__ = ("_compute", "_error", "_value")

    def __init__(self, compute: Callable[[], Any]) -> None:
        self._compute = compute
        self._value: Any = _UNREAD
        self._error: EvaluationError | None = None

    def __call__(self) -> Any:
        """The value; raises its `EvaluationError`."""
        if self._error is not None:
            raise self._error
        if self._value is _UNREAD:
            try:
                self._value = self._compute()
            except EvaluationError as error:
                self._error = error
                raise
        return self._value


class Resolver:
    """Finds bindings by name, trying the container's namespaces from the inside out."""

    def __init__(self, names: Mapping[str, Any], container: str | None) -> None:
        self._names = names
        parts = container.split(".") if container else []
        self._prefixes = tuple(".".join((*parts[:length], "")) for length in range(len(parts), 0, -1))
        self._qualified = bool(parts) or (not isinstance(names, Names) and any("." in name for name in names))

    def name(self, node: Name) -> Any:
        """The value of a name that is no macro's variable; raises `undeclared`."""
        value = self._find(node.name, node.rooted)
        if value is MISSING:
            raise EvaluationError("undeclared", f"nothing here is called `{node.name}`")
        return value

    def select(self, node: Select) -> Any:
        """The value of `a.b.c`, where the longest part that is bound under its own dotted name counts.

        `MISSING` where no part of it is bound as a name with a dot, so that it is ordinary selection.
        """
        fields: list[str] = []
        inner: Any = node
        while isinstance(inner, Select) and not inner.optional:
            fields.append(inner.field)
            inner = inner.operand
        if not isinstance(inner, Name) or not (self._qualified or inner.name in _TYPE_NAMESPACES):
            return MISSING
        words = (inner.name, *reversed(fields))
        for length in range(len(words), 1, -1):
            value = self._find(".".join(words[:length]), inner.rooted)
            if value is not MISSING:
                for field in words[length:]:
                    value = select(value, field)
                return value
        return MISSING

    def _find(self, name: str, rooted: bool) -> Any:
        for candidate in (name,) if rooted else self._candidates(name):
            try:
                return self._names[candidate]
            except KeyError:
                if candidate in TYPE_VALUES:
                    return TYPE_VALUES[candidate]
        return MISSING

    def _candidates(self, name: str) -> Iterator[str]:
        for prefix in self._prefixes:
            yield prefix + name
        yield name


def root(node: Select) -> Name | None:
    """The name a chain of selections starts at, if it starts at one."""
    inner: Any = node
    while isinstance(inner, Select):
        inner = inner.operand
    return inner if isinstance(inner, Name) else None
