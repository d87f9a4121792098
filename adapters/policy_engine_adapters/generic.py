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

from policy_engine import Decision, Denied, Pending, Policy, Run, ToolSchema, message_of
from policy_engine_adapters.binding import Binder
from policy_engine_adapters.data import as_data
from policy_engine_adapters.gate import AgentOrAsk, Approvals, ContextOrAsk, Gate, Passage, WhoOrAsk

P = ParamSpec("P")
R = TypeVar("R")


def guarded(
    policy: Policy,
    *,
    tool: str | None = None,
    principal: WhoOrAsk = None,
    agent: AgentOrAsk = None,
    context: ContextOrAsk | None = None,
    run: Run | Callable[[], Run | None] | None = None,
    approvals: Approvals | None = None,
    on_refusal: OneOf["raise", "return"] = "raise",
    hide: Sequence[str] = (),
    to_data: Callable[[Any], Any] = as_data,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator that puts `policy` in front of a function or method.

    `tool` is the name in the policy (default: the function's). The policy sees the arguments that were given, by
    parameter name, however they were passed; defaults are not filled in. `self`, `cls` and the parameters in `hide`
    are the host's and not shown. `run` keeps the history. `to_data` turns arguments and results into plain data; a
    result that no policy can read is withheld.

    A refusal raises `Denied`, an escalation `Pending`, both with the decision; with `on_refusal="return"` the text for
    the agent is returned instead. Exceptions of the function are recorded and pass through. Raises `TypeError` for
    generators, whose results no policy could check.
    """
    gate = Gate(policy, principal=principal, agent=agent, context=context, approvals=approvals)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        guard = _Guard(gate, function, tool or _name(function), run, on_refusal, hide, to_data)
        call = guard.call_async if inspect.iscoroutinefunction(function) else guard.call

        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
            return call(args, kwargs)

        @functools.wraps(function)
        async def async_wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
            return await call(args, kwargs)

        return async_wrapper if inspect.iscoroutinefunction(function) else wrapper  # type: ignore[return-value]

    return decorate


def tools_of(functions: Mapping[str, Callable[..., Any]] | Sequence[Callable[..., Any]]) -> tuple[ToolSchema, ...]:
    """The schemas of functions, from their annotations, for `load(…, tools=…)`. A mapping gives them other names.

    Raises `PolicyError`, or pydantic's own error, for annotations that no JSON Schema can say.
    """
    named = functions.items() if isinstance(functions, Mapping) else [(_name(one), one) for one in functions]
    return ToolSchema.from_live([_described(name, inspect.unwrap(function)) for name, function in named])


class _Guard:
    """The way of a call through one guarded function."""

    def __init__(
        self,
        gate: Gate,
        function: Callable[..., Any],
        tool: str,
        run: Run | Callable[[], Run | None] | None,
        on_refusal: OneOf["raise", "return"],
        hide: Sequence[str],
        to_data: Callable[[Any], Any],
    ) -> None:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{tool} is a generator: a policy cannot check a result that comes in pieces")
        self._gate = gate
        self._function = function
        self._tool = tool
        self._run = run
        self._returns = on_refusal == "return"
        self._binder = Binder(function, hide)
        self._to_data = to_data

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        passage, bound = self._begin(args, kwargs)
        if passage.decision.effect != "allow":
            return self._refused(passage.decision)
        try:
            result = self._function(*bound.args, **bound.kwargs)
        except BaseException as fault:
            self._gate.failed(passage, _told(fault))
            raise
        return self._awaited(passage, result) if inspect.isawaitable(result) else self._finish(passage, result)

    async def call_async(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        passage, bound = self._begin(args, kwargs)
        if passage.decision.effect != "allow":
            return self._refused(passage.decision)
        return await self._awaited(passage, self._function(*bound.args, **bound.kwargs))

    async def _awaited(self, passage: Passage, coming: Any) -> Any:
        try:
            result = await coming
        except BaseException as fault:  # cancellation too: the call was begun
            self._gate.failed(passage, _told(fault))
            raise
        return self._finish(passage, result)

    def _begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Passage, inspect.BoundArguments]:
        run = self._run() if callable(self._run) else self._run
        bound = self._binder.bind(args, kwargs)
        passage = self._gate.begin(self._tool, self._to_data(self._binder.shown(bound)), run)
        decided = passage.decision.args
        if passage.decision.effect == "allow":
            bound = self._binder.rebuilt(bound, {} if decided is None else decided)
        return passage, bound

    def _finish(self, passage: Passage, result: Any) -> Any:
        output = self._gate.finish(passage, self._plain(result))
        if output.effect == "pass":
            return result
        if output.effect == "redact":
            return output.result
        if output.effect == "reply" or self._returns:
            return message_of(output)
        raise (Pending if output.effect == "escalate" else Denied)(message_of(output), output)

    def _plain(self, result: Any) -> Any:
        """The result as data, or something that is none, so that the result is withheld: the call has happened."""
        try:
            return self._to_data(result)
        except Exception:
            return object()

    def _refused(self, decision: Decision) -> str:
        pending = decision.effect == "escalate"
        said = message_of(decision)
        if self._returns:
            return said
        raise (Pending if pending else Denied)(said, decision)


def _name(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", None)
    if not isinstance(name, str) or name == "<lambda>":
        raise TypeError("this callable has no name of its own; give it one with tool=…")
    return name


def _told(fault: BaseException) -> str:
    return f"{type(fault).__name__}: {fault}"


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
