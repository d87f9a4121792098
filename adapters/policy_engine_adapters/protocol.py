"""What adapters know of whatever stands between a framework and its tools: a bare policy (`gate.py`) or a mediator
(`mediated.py`), told apart in `guards.py` and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from policy_engine import Agent, Approval, AsyncRun, Event, Outcome, Principal, Request, Run, SyncRun

Who: TypeAlias = Principal | Mapping[str, Any] | None
WhoOrAsk: TypeAlias = Who | Callable[..., Who]
Actor: TypeAlias = Agent | Mapping[str, Any] | str | None
AgentOrAsk: TypeAlias = Actor | Callable[..., Actor]
ContextOrAsk: TypeAlias = Mapping[str, Any] | Callable[..., Mapping[str, Any]]
Approvals: TypeAlias = Callable[[Request], Sequence[Approval]]
"""Gives the answers that people have given about a call so far."""
Past: TypeAlias = Event | tuple[Request, Outcome]
"""Something that happened in a conversation before this process knew of it."""
AnyRun: TypeAlias = Run | SyncRun | AsyncRun


@dataclass(frozen=True)
class Asker:
    """On whose behalf something happens, as the host says at this moment."""

    principal: Who = None
    agent: Actor = None
    context: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Asking:
    """The host's answers to who asks: values, or functions of what the framework knows."""

    principal: WhoOrAsk = None
    agent: AgentOrAsk = None
    context: ContextOrAsk | None = None

    def __call__(self, *knows: Any) -> Asker:
        """Ask now. Raises what the host's functions raise."""
        return Asker(_asked(self.principal, knows), _asked(self.agent, knows), _asked(self.context, knows))

    @property
    def given(self) -> bool:
        """Whether the host said anything."""
        return (self.principal, self.agent, self.context) != (None, None, None)


def _asked(given: Any, knows: tuple[Any, ...]) -> Any:
    return given(*knows) if callable(given) else given


class Caller(Protocol):
    """Makes calls. Refusals are raised as `Denied`, `Pending` or `DeadlineExceeded`, worded for the agent.

    `execute(**args)` gets exactly the decided arguments; what it raises is recorded and raised, `Suspended` is no failure.
    `to_data` makes plain data of its result, which comes back as it is where it passes, else as data or as text. A call that
    waits for people goes on when it is made again with the same arguments.
    """

    def call(
        self, who: Asker, tool: str, args: Any, execute: Callable[..., Any], *, to_data: Callable[[Any], Any],
        id: str | None = None, annotations: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        """Decide a call, run it, judge its result. Where `execute` gives an awaitable, a bare policy gives one too."""
        ...

    async def call_async(
        self, who: Asker, tool: str, args: Any, execute: Callable[..., Any], *, to_data: Callable[[Any], Any],
        id: str | None = None, annotations: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        """The same for a coroutine function."""
        ...


class GuardedRun(Caller, Protocol):
    """One run behind a guard: the calls of a conversation and what is said in it. Refuses as `Caller` does."""

    def serves(self, who: Asker) -> bool:
        """Whether this run may go on for whoever asks now."""
        ...

    def input(self, who: Asker, text: str, *, users: bool) -> str:
        """What was asked, as it may go on. `users`: in the user's own words, as the host knows."""
        ...

    def step(self, who: Asker, text: str, tokens: int) -> None:
        """The model has said something."""
        ...

    def answer(self, who: Asker, text: str, data: Any) -> Any:
        """Its last word: a record of `text` and `data` as they may be said, or the text that is said instead."""
        ...

    def close(self) -> None:
        """Nothing more will happen here."""
        ...


class Guard(Protocol):
    """A policy or a mediator with what an adapter needs of it. Thread-safe; one an adapter."""

    def begin(self, who: Asker, *, key: str | None, attended: bool, past: Sequence[Past]) -> GuardedRun:
        """A run of the conversation `key`, which has had this past. Raises `Denied` where it may not begin."""
        ...

    def caller(self, given: AnyRun | None) -> Caller:
        """Calls within the run that the host gave, or without one. Raises `TypeError` for a run of the other kind."""
        ...
