"""Any Python function, sync or async, behind a policy.

    @guarded(policy, tool="crm.refund", principal=lambda: Principal(id=session.user))
    def refund(order: str, amount: float) -> str: ...

The function runs only if the policy allows the call, with exactly the arguments that were decided.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import GenericAlias
from typing import Any, Literal as OneOf, NotRequired, ParamSpec, TypeVar

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from policy_engine import DeadlineExceeded, Denied, Mediator, Pending, Policy, ToolSchema
from policy_engine_adapters.binding import Binder
from policy_engine_adapters.data import as_data
from policy_engine_adapters.guards import guard_of
from policy_engine_adapters.protocol import (
    AgentOrAsk,
    AnyRun,
    Approvals,
    Asker,
    Asking,
    Caller,
    ContextOrAsk,
    Guard,
    WhoOrAsk,
)

P = ParamSpec("P")
R = TypeVar("R")
REFUSALS = (Denied, Pending, DeadlineExceeded)
"""What a guard raises when a call may not go on, not yet, or not in its time."""


def guarded(
    policy: Policy | Mediator,
    *,
    tool: str | None = None,
    principal: WhoOrAsk = None,
    agent: AgentOrAsk = None,
    context: ContextOrAsk | None = None,
    run: AnyRun | Callable[[], AnyRun | None] | None = None,
    approvals: Approvals | None = None,
    on_refusal: OneOf["raise", "return"] = "raise",
    hide: Sequence[str] = (),
    to_data: Callable[[Any], Any] = as_data,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator that puts `policy` in front of a function or method; a `Mediator` of a policy keeps its limits, times,
    retries and breakers too, asks people and records all of it.

    `tool` is the name in the policy (default: the function's). The policy sees the arguments that were given, by
    parameter name, however they were passed; defaults are not filled in. `self`, `cls` and the parameters in `hide`
    are the host's and not shown. `run` keeps the history: of a policy `policy.run(…)`, of a mediator what `mediator.run(…)`
    gives; that one knows who asks. Without it, each call through a mediator is a run of its own. `to_data` turns arguments
    and results into plain data; a result that no policy can read is withheld.

    A refusal raises `Denied`, an escalation `Pending`, a missed deadline `DeadlineExceeded`, with the decision; with
    `on_refusal="return"` the text for the agent is returned instead. Exceptions of the function are recorded and pass
    through. Raises `TypeError` for generators, whose results no policy could check.
    """
    guard = guard_of(policy, approvals)
    asking = Asking(principal, agent, context)
    if run is not None and asking.given and isinstance(policy, Mediator):
        raise TypeError("a mediator's run knows who asks: give principal, agent and context to `mediator.run(…)`")

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        guarding = _Guarded(guard, asking, function, tool or _name(function), run, hide, to_data)

        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
            try:
                return guarding.call(args, kwargs)
            except REFUSALS as refused:
                return _refusal(refused, on_refusal)

        @functools.wraps(function)
        async def async_wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
            try:
                return await guarding.call_async(args, kwargs)
            except REFUSALS as refused:
                return _refusal(refused, on_refusal)

        return async_wrapper if inspect.iscoroutinefunction(function) else wrapper  # type: ignore[return-value]

    return decorate


def tools_of(functions: Mapping[str, Callable[..., Any]] | Sequence[Callable[..., Any]]) -> tuple[ToolSchema, ...]:
    """The schemas of functions, from their annotations, for `load(…, tools=…)`. A mapping gives them other names.

    Raises `PolicyError`, or pydantic's own error, for annotations that no JSON Schema can say.
    """
    named = functions.items() if isinstance(functions, Mapping) else [(_name(one), one) for one in functions]
    return ToolSchema.from_live([_described(name, inspect.unwrap(function)) for name, function in named])


class _Guarded:
    """The way of a call through one guarded function."""

    def __init__(
        self,
        guard: Guard,
        asking: Asking,
        function: Callable[..., Any],
        tool: str,
        run: AnyRun | Callable[[], AnyRun | None] | None,
        hide: Sequence[str],
        to_data: Callable[[Any], Any],
    ) -> None:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{tool} is a generator: a policy cannot check a result that comes in pieces")
        self._guard = guard
        self._asking = asking
        self._function = function
        self._tool = tool
        self._run = run
        self._binder = Binder(function, hide)
        self._to_data = to_data

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bound, shown, who = self._begun(args, kwargs)

        def execute(**decided: Any) -> Any:
            made = self._binder.rebuilt(bound, decided)
            return self._function(*made.args, **made.kwargs)

        return self._caller().call(who, self._tool, shown, execute, to_data=self._to_data)

    async def call_async(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bound, shown, who = self._begun(args, kwargs)

        async def execute(**decided: Any) -> Any:
            made = self._binder.rebuilt(bound, decided)
            return await self._function(*made.args, **made.kwargs)

        return await self._caller().call_async(who, self._tool, shown, execute, to_data=self._to_data)

    def _begun(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[inspect.BoundArguments, Any, Asker]:
        bound = self._binder.bind(args, kwargs)
        return bound, self._to_data(self._binder.shown(bound)), self._asking()

    def _caller(self) -> Caller:
        return self._guard.caller(self._run() if callable(self._run) else self._run)


def _refusal(refused: Exception, on_refusal: OneOf["raise", "return"]) -> str:
    if on_refusal == "raise":
        raise refused
    return str(refused)


def _name(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", None)
    if not isinstance(name, str) or name == "<lambda>":
        raise TypeError("this callable has no name of its own; give it one with tool=…")
    return name


def _described(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    """One tool as MCP would list it."""
    fields: dict[str, Any] = {}
    opened = False
    for parameter in Binder(function, ()).parameters:
        given = Any if parameter.annotation is parameter.empty else parameter.annotation
        if parameter.kind is parameter.VAR_KEYWORD:
            opened = True
        elif parameter.kind is parameter.VAR_POSITIONAL:
            fields[parameter.name] = NotRequired[GenericAlias(list, (given,))]
        else:
            fields[parameter.name] = given if parameter.default is parameter.empty else NotRequired[given]
    schema = TypeAdapter(TypedDict(name, fields)).json_schema()  # type: ignore[operator]
    if opened:
        schema["additionalProperties"] = True
    made = {"name": name, "description": inspect.getdoc(function) or "", "inputSchema": schema}
    returned = inspect.signature(function, eval_str=True).return_annotation
    if returned is not inspect.Signature.empty:
        made["outputSchema"] = TypeAdapter(returned).json_schema()
    return made
