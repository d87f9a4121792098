"""What the families of the code generator share: types, constants, scopes, and the way back for a child expression.

`expression.py` makes one `Emitter` per generated function and gives it the function that picks a family; a family is a
plain function `(node, emitter) -> ast.expr`. Whatever CEL would call an error must *raise* in the expression returned.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from sys import intern
from typing import Any, TypeAlias

from policy_engine.compiler.codegen import build
from policy_engine.compiler.codegen.kinds import BOOLS, Kinds, kinds
from policy_engine.compiler.codegen.naming import Naming, mark_of
from policy_engine.semantics.ast.expressions import Expr
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.types import Type

MAX_DEPTH = 150
"""Nesting beyond which an expression is left to the interpreter: Python's own compiler has a limit too."""


class LeftToTheInterpreter(Exception):
    """This expression is not translated; the interpreter evaluates the condition it stands in, always."""


@dataclass(slots=True)
class Constants:
    """Values that generated code names but Python cannot write: one namespace a module, equal values kept once.

    What has a key is named by it, and everything else by the unit that is generated and its place in it (`naming.py`).
    """

    naming: Naming = field(default_factory=Naming)
    values: dict[str, Any] = field(default_factory=dict)

    def add(self, hint: str, value: Any, key: Any = None) -> str:
        """The name under which code finds `value`; the same name again for the same `key`."""
        name = self.naming.next(hint) if key is None else intern(f"{hint}_{mark_of(key)}")
        self.values.setdefault(name, value)
        return name


@dataclass(frozen=True, slots=True)
class Local:
    """What a macro's variable is in the generated code. `read` makes a fresh expression each time."""

    read: Callable[[], ast.expr]
    type: Type


Translation: TypeAlias = "Callable[[Expr, Emitter], ast.expr]"
Knowledge: TypeAlias = "Callable[[Expr, Emitter], Type]"
ReadName: TypeAlias = Callable[[str], ast.expr]


class Emitter:
    """The state while one function is generated. Made by `expression.new_emitter`."""

    def __init__(
        self, *, translation: Translation, knowledge: Knowledge, read_name: ReadName, constants: Constants,
        types: Mapping[Expr, Type], functions: Mapping[str, Function], context: ast.expr | None,
    ) -> None:  # fmt: skip
        self._translation = translation
        self._knowledge = knowledge
        self.read_name = read_name
        self.constants = constants
        self.types = types
        self.functions = functions
        self.context = context
        self.scope: dict[str, Local] = {}
        self.loops = 0
        self._known: dict[Expr, Type] = {}
        self._counter = 0
        self._depth = 0
        self._shared: Mapping[Expr, str] = {}

    def value(self, node: Expr) -> ast.expr:
        """Code that gives the value of `node`, or raises."""
        if node in self._shared and not self.scope:
            return build.load(self._shared[node])
        if self._depth >= MAX_DEPTH:
            raise LeftToTheInterpreter
        self._depth += 1
        try:
            return self._translation(node, self)
        finally:
            self._depth -= 1

    def test(self, node: Expr) -> ast.expr:
        """Code that gives True or False, or raises: anything but a bool is an error."""
        code = self.value(node)
        if self.kinds(node) == BOOLS:
            return code
        seen = self.fresh("test")
        is_true = build.compare(build.bind(seen, code), ast.Is(), build.constant(True))
        is_not_false = build.compare(build.load(seen), ast.IsNot(), build.constant(False))
        return build.either(is_true, build.both(is_not_false, build.divert()))

    def known(self, node: Expr) -> Type:
        """The type that `node` has for certain, whenever it has a value."""
        if node not in self._known:
            self._known[node] = self._knowledge(node, self)
        return self._known[node]

    def kinds(self, node: Expr) -> Kinds:
        """The kinds that the value of `node` can have."""
        return kinds(self.known(node))

    def fresh(self, hint: str) -> str:
        """A name for a local variable that nothing else in this function uses."""
        self._counter += 1
        return f"{re.sub(r'[^A-Za-z0-9_]', '_', hint)}_{self._counter}"

    @contextmanager
    def sharing(self, names: Mapping[Expr, str]) -> Iterator[None]:
        """Translate where local variables of these names hold the values of these nodes already."""
        before, self._shared = self._shared, names
        try:
            yield
        finally:
            self._shared = before

    @contextmanager
    def bound(self, variables: Mapping[str, Local]) -> Iterator[None]:
        """Macro variables that are visible in a body."""
        with self.within({**self.scope, **variables}):
            yield

    @contextmanager
    def within(self, scope: dict[str, Local]) -> Iterator[None]:
        """Translate where these variables are visible; what is known about nodes holds in one scope only.

        The body of a `let` may stand in one tree several times, with variables of different types.
        """
        before = self.scope, self._known
        self.scope, self._known = scope, {}
        try:
            yield
        finally:
            self.scope, self._known = before
