"""Functions that a host gives to its policies: `load(…, functions=[HostFunction("language", ["string"], "string", detect)])`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from policy_engine.assembly.deadlines import Deadlined
from policy_engine.base.decision import Recorded
from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import inward, outward
from policy_engine.compiler.cel.type_text import read_type
from policy_engine.semantics.conforming import conforms
from policy_engine.semantics.context import EvaluationContext
from policy_engine.semantics.functions.declaration import Function, Overload
from policy_engine.semantics.operations import no_overload
from policy_engine.semantics.recording import ACTIVE
from policy_engine.semantics.types import DOUBLE, Type

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_COST: Final = 100


@dataclass(frozen=True, eq=False)
class HostFunction:
    """A Python function that conditions may call by `name`, with types that are checked when the policy is loaded.

    `params` and `result` are types as texts (`"string"`, `"list(double)"`, `"map(string, dyn)"`) or `Type`s. `call` is
    given plain Python values of its own and returns one; an integer is taken for a double.

    A `pure` function depends on nothing but its arguments and is called directly, as often as conditions need it. Any
    other is asked once a decision for the same arguments, in a thread, within `deadline`; its value is kept in
    `Decision.recorded`. A missed deadline, an exception or a value of another type is an error of the condition, hence
    on the safe side of its rule. Raises `ValueError` for a name or type that policies cannot use.
    """

    name: str
    params: Sequence[str | Type]
    result: str | Type
    call: Callable[..., Any]
    pure: bool = field(default=False, kw_only=True)
    deadline: timedelta = field(default=timedelta(seconds=1), kw_only=True)
    meaning: str = field(default="", kw_only=True)
    function: Function = field(init=False, repr=False)
    """What the compiler and the evaluators know of it."""
    _within: Deadlined = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"`{self.name}` is no name that a policy can call: use letters, digits and `_`")
        if self.deadline <= timedelta(0):
            raise ValueError(f"the deadline of `{self.name}` is not a time to come")
        object.__setattr__(self, "_within", Deadlined(self.name, self.call, self.deadline))
        overload = Overload(tuple(map(_type, self.params)), _type(self.result))
        object.__setattr__(self, "function", Function(
            self.name, (overload,), self.meaning or f"The host's function `{self.name}`.", (),
            _body(self, overload), cost=_COST, needs_context=not self.pure, source="host",
        ))  # fmt: skip

    @property
    def missed(self) -> int:
        """How many calls have missed their deadline."""
        return self._within.missed

    @property
    def running(self) -> int:
        """How many calls run now, those beyond their deadline included."""
        return self._within.running


def _type(given: str | Type) -> Type:
    return read_type(given) if isinstance(given, str) else given


def _body(host: HostFunction, overload: Overload) -> Callable[..., Any]:
    def direct(*arguments: Any) -> Any:
        given = _checked(host.name, overload, arguments)
        recordings = ACTIVE.get()
        if recordings is None:
            return answered(given)
        try:
            value = answered(given)
        except EvaluationError as error:
            recordings.note(Recorded(host.name, tuple(map(outward, arguments)), None, error.message))
            raise
        recordings.note(Recorded(host.name, tuple(map(outward, arguments)), outward(value)))
        return value

    def answered(given: list[Any]) -> Any:
        try:
            made = host.call(*given)
        except Exception as fault:
            raise EvaluationError("not_available", f"`{host.name}` failed ({type(fault).__name__})") from None
        return _taken(host.name, overload.result, made)

    def once(context: EvaluationContext, *arguments: Any) -> Any:
        given = _checked(host.name, overload, arguments)
        return context.once(host.name, arguments, lambda: _taken(host.name, overload.result, host._within(*given)))

    return direct if host.pure else once


def _checked(name: str, overload: Overload, arguments: tuple[Any, ...]) -> list[Any]:
    """The arguments as plain Python, private to the function; raises for kinds that it was not declared for."""
    if len(arguments) != len(overload.params) or not all(map(conforms, arguments, overload.params)):
        no_overload(name, *arguments)
    return [outward(argument) for argument in arguments]


def _taken(name: str, wanted: Type, made: Any) -> Any:
    """What a function returned, as an engine value of its declared type."""
    try:
        value = inward(made)
        value = float(value) if wanted == DOUBLE and type(value) is int else value
    except (TypeError, ValueError, RecursionError, OverflowError):
        raise EvaluationError("not_available", f"`{name}` returned no value that a policy can read") from None
    if not conforms(value, wanted):
        raise EvaluationError("not_available", f"`{name}` returned something else than {wanted}")
    return value
