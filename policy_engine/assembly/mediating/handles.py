"""A run as hosts hold it: `with mediator.run(…) as run` gives a `SyncRun`, `async with` an `AsyncRun` with the same methods.

Everything they do is a flow of `runtime/mediation`; they only choose who drives it.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import timedelta
from types import TracebackType
from typing import Any, TypeVar

from policy_engine.assembly.mediating.async_driver import AsyncDriver
from policy_engine.assembly.mediating.bounding import CheckHangs
from policy_engine.assembly.mediating.resuming import resumed
from policy_engine.assembly.mediating.sync_driver import SyncDriver
from policy_engine.base.refusals import Denied
from policy_engine.base.request import Agent, request_of
from policy_engine.runtime.mediation.call import Call, refusal
from policy_engine.runtime.mediation.digests import moment
from policy_engine.runtime.mediation.effects import Flow, immediate
from policy_engine.runtime.mediation.events import happen
from policy_engine.runtime.mediation.lifecycle import (
    Delegation,
    Start,
    asked_for,
    begin,
    delegated,
    end,
    given_up,
    opened,
    planned,
    user_says,
)
from policy_engine.runtime.mediation.pipeline import mediate
from policy_engine.runtime.mediation.runs import MediatedRun
from policy_engine.runtime.mediation.world import World
from policy_engine.runtime.ports.approvals import Question
from policy_engine.runtime.ports.ledger import Ledger

T = TypeVar("T")
_HANGS = "this could not be decided in its time, so it is refused; try again later"


class Drivers:
    """Who drives flows, for sync and for async hosts."""

    def __init__(self, sync: SyncDriver, tasks: AsyncDriver) -> None:
        self.sync = sync
        self.tasks = tasks


class RunHandle:
    """A run that has not begun: enter it with `with` or `async with`."""

    def __init__(
        self, world: World, drivers: Drivers, start: Start, delegation: Delegation | None = None,
        ledger: Ledger | None = None,
    ) -> None:  # fmt: skip
        """`ledger` is where a run that is resumed finds what it was."""
        self._ledger = ledger
        self._world = world
        self._drivers = drivers
        self._start = start if delegation is None else delegation.start
        self._run = None if delegation is None else delegation.run
        self._entered: SyncRun | AsyncRun | None = None
        self._used = False

    def _opening(self) -> Flow[MediatedRun]:
        if self._used:
            raise RuntimeError("a run is entered once; ask the mediator for another")
        self._used = True
        if self._start.resume and self._ledger is not None:
            run = resumed(self._world, self._ledger, self._start)
        else:
            run = opened(self._world, self._start) if self._run is None else self._run
        if not run.resumed:
            yield from begin(run, self._start)
        return run

    def __enter__(self) -> SyncRun:
        try:
            run = self._drivers.sync.drive(self._opening(), "@run")
        except CheckHangs:
            raise hanging(self._world, "@run") from None
        self._entered = entered = SyncRun(run, self._drivers)
        return entered

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        assert isinstance(self._entered, SyncRun)
        with _in_doubt(fault):
            self._entered.close(None if kind is None else kind.__name__)

    async def __aenter__(self) -> AsyncRun:
        try:
            run = await self._drivers.tasks.drive(self._opening(), "@run")
        except CheckHangs:
            raise hanging(self._world, "@run") from None
        self._entered = entered = AsyncRun(run, self._drivers)
        return entered

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert isinstance(self._entered, AsyncRun)
        with _in_doubt(fault):
            await self._entered.close(None if kind is None else kind.__name__)


def _in_doubt(fault: BaseException | None) -> AbstractContextManager[None]:
    """Where a run ends by an exception, that is what its host hears, also if the end could not be recorded."""
    return nullcontext() if fault is None else suppress(Denied)


def hanging(world: World, name: str) -> Denied:
    """The refusal of what was not decided in its time."""
    return Denied(_HANGS, refusal(world.policy, name, "not_available", _HANGS, _HANGS))


class _Held:
    """What both kinds of run know and make. Methods that begin with `_flow` give the flow to be driven."""

    def __init__(self, run: MediatedRun, drivers: Drivers) -> None:
        self._run = run
        self._drivers = drivers

    @property
    def id(self) -> str:
        """The run's id, as it stands in the audit."""
        return self._run.id

    @property
    def deadline(self) -> timedelta | None:
        """How long this run may still take; None = as long as it likes."""
        left = self._run.left()
        return None if left is None else timedelta(microseconds=left // 1000)

    def complete(self, completed: bool = True) -> None:
        """Say whether the task was done, where an answer that passed does not tell."""
        self._run.completed = completed

    def _ended(self, cause: str | None) -> tuple[bool, str | None]:
        done = self._run.answered if self._run.completed is None else self._run.completed
        return done and cause is None, cause

    def _flow_call(
        self, tool: str, args: Mapping[str, Any] | str | bytes, execute: Callable[..., Any] | None, id: str | None,
        annotations: Mapping[str, Any] | None, digest: str | None, to_data: Callable[[Any], Any] | None,
    ) -> Flow[Any]:  # fmt: skip
        run = self._run
        world = run.world
        own = f"#{next(run.numbers)}" if id is None else f"#{id}" if id.startswith("#") else id
        name = run.prefix + own
        at = moment(world.clocks.now())
        mode = world.mode if world.mode_until is None else world.mode_now()
        request = request_of(tool, args, run.principal, run.agent, run.context, own, at, annotations or {}, digest)
        function = execute if execute is not None else world.wishes.tools.get(tool)
        if function is None:
            raise TypeError(f"no function runs {tool}: give execute=…, or tools={{{tool!r}: …}} to the mediator")
        return mediate(Call(world, run, world.policy, mode, request, name, function, id is not None, to_data))

    def _flow_step(self, kind: str, text: str, tokens: int, cost: float) -> Flow[Any]:
        if text:
            self._run.words = text
        return happen(self._run, "@step", {"kind": kind, "text": text, "tokens": tokens, "cost": float(cost)})

    def _flow_input(self, text: str, source: str, verified: bool) -> Flow[Any]:
        return happen(self._run, "@input", {"text": text, "source": source, "verified": verified})

    def _flow_answer(self, text: str, data: Any) -> Flow[Any]:
        return _answering(self._run, text, data)

    def _known(self, name: str) -> str:
        """A tool of the policy, or an event; all that agents invent beside is one, so that it takes no more places."""
        return name if name[:1] == "@" or name in self._run.world.policy.compiled.tools else "*"

def _answering(run: MediatedRun, text: str, data: Any) -> Flow[Any]:
    fields = {"text": text} if data is None else {"text": text, "data": data}
    passed = yield from happen(run, "@answer", fields)
    run.answered = True
    return passed["text"] if data is None and isinstance(passed, dict) else passed


class SyncRun(_Held):
    """A run for threads. Its methods may be called from several at once."""

    @property
    def for_tasks(self) -> AsyncRun:
        """The same run for tasks."""
        return AsyncRun(self._run, self._drivers)

    def _drive(self, flow: Flow[T], name: str = "@run") -> T:
        try:
            return self._drivers.sync.drive(flow, name if self._drivers.sync.bound is None else self._known(name))
        except CheckHangs:
            raise hanging(self._run.world, name) from None

    def call(
        self, tool: str, args: Mapping[str, Any] | str | bytes = {}, *, execute: Callable[..., Any] | None = None,
        id: str | None = None, annotations: Mapping[str, Any] | None = None, digest: str | None = None,
        to_data: Callable[[Any], Any] | None = None,
    ) -> Any:  # fmt: skip
        """Decide a call, run `execute(**args)` with exactly the decided arguments, and return what the agent may see of it.

        `execute` None = the mediator's function of that name. `id` is the host's: the same id and arguments are the same call,
        decided again but run, counted and recorded once. `to_data` makes plain data of the result, None = the mediator's.
        Raises `Denied` (`LimitReached`, `BreakerOpen`), `Pending`,
        `DeadlineExceeded`, or what the tool raised. Messages are for the agent.
        """
        return self._drive(self._flow_call(tool, args, execute, id, annotations, digest, to_data), tool)

    def questions(self, id: str) -> tuple[Question, ...]:
        """The open questions to people that the call with this id waits for; their `id` is what `policy approvals` takes."""
        return self._drive(immediate(asked_for, self._run, id))

    def user_says(self, question: str, approved: bool, *, reason: str = "") -> None:
        """What the user of this conversation, the run's principal, answers to a question in the queue `user`. Raises `NotAsked`
        in any other queue: there people sign with their keys."""
        self._drive(immediate(user_says, self._run, question, approved, reason))

    def withdraw(self, id: str) -> None:
        """Give up a call that waits for people: they need not answer any more. Raises `LookupError` where none waits."""
        self._drive(immediate(given_up, self._run, id))

    def step(self, kind: str = "model", *, text: str = "", tokens: int = 0, cost: float = 0.0) -> None:
        """A reasoning step or a model call. Raises `Denied` where a rule on `@step` stops it."""
        self._drive(self._flow_step(kind, text, tokens, cost), "@step")

    def plan(self, tools: Iterable[str]) -> None:
        """The tools that the agent says it will call, in order; coherence is measured against it."""
        self._drive(immediate(planned, self._run, tuple(tools)))

    def input(self, text: str, *, source: str = "user", verified: bool = True) -> str:
        """Something more was asked in this run. Returns it as it may go on."""
        return _text(self._drive(self._flow_input(text, source, verified), "@input"))

    def answer(self, text: str, *, data: Any = None) -> Any:
        """The answer to the user, as it may be said; with `data`, a record of both `text` and `data`, or the text that the
        policy says instead. Raises `Denied` where it may not: with effect `retry` let the model try again."""
        return self._drive(self._flow_answer(text, data), "@answer")

    def stream(self, pieces: Iterable[str], *, unchecked: bool = False) -> Iterator[str]:
        """An answer in pieces. It is held back until all of it was checked.

        `unchecked=True` passes pieces on as they come: then nothing that rules on `@answer` say can keep them from the user;
        the whole is decided and recorded at the end, and `Denied` then comes too late for what was said.
        """
        if not unchecked:
            yield self.answer("".join(pieces))
            return
        said: list[str] = []
        for piece in pieces:
            said.append(piece)
            yield piece
        self.answer("".join(said))

    def delegate(
        self, agent: str, *, tools: Iterable[str] | None = None, text: str = "", within: timedelta | None = None,
        id: str | None = None, about: Agent | Mapping[str, Any] | None = None,
    ) -> RunHandle:  # fmt: skip
        """Hand work to a sub-agent: `with run.delegate("searcher", tools=["web.search"], text="…") as child`.

        It acts for the same principal, with at most these tools, this run's time and its limits. `about` tells its model.
        """
        start = Start(agent=about, within=within, id=id)
        delegation = self._drive(delegated(self._run, agent, tools, text, start), "@delegate")
        return RunHandle(self._run.world, self._drivers, start, delegation)

    def close(self, cause: str | None = None) -> None:
        """End the run, as leaving `with` does; once is enough. `cause` = why it ends before its time, a name without values."""
        if self._run.open:
            self._drive(immediate(end, self._run, *self._ended(cause)))


class AsyncRun(_Held):
    """A run for tasks, under asyncio or trio. Its methods may be called from several at once."""

    @property
    def for_threads(self) -> SyncRun:
        """The same run for threads."""
        return SyncRun(self._run, self._drivers)

    async def _drive(self, flow: Flow[T], name: str = "@run") -> T:
        try:
            return await self._drivers.tasks.drive(flow, self._known(name))
        except CheckHangs:
            raise hanging(self._run.world, name) from None

    async def call(
        self, tool: str, args: Mapping[str, Any] | str | bytes = {}, *, execute: Callable[..., Any] | None = None,
        id: str | None = None, annotations: Mapping[str, Any] | None = None, digest: str | None = None,
        to_data: Callable[[Any], Any] | None = None,
    ) -> Any:  # fmt: skip
        """As `SyncRun.call`; `execute` may be a coroutine function, and a sync one runs in a thread."""
        return await self._drive(self._flow_call(tool, args, execute, id, annotations, digest, to_data), tool)

    async def questions(self, id: str) -> tuple[Question, ...]:
        """As `SyncRun.questions`."""
        return await self._drive(immediate(asked_for, self._run, id))

    async def user_says(self, question: str, approved: bool, *, reason: str = "") -> None:
        """As `SyncRun.user_says`."""
        await self._drive(immediate(user_says, self._run, question, approved, reason))

    async def withdraw(self, id: str) -> None:
        """As `SyncRun.withdraw`."""
        await self._drive(immediate(given_up, self._run, id))

    async def step(self, kind: str = "model", *, text: str = "", tokens: int = 0, cost: float = 0.0) -> None:
        """As `SyncRun.step`."""
        await self._drive(self._flow_step(kind, text, tokens, cost), "@step")

    async def plan(self, tools: Iterable[str]) -> None:
        """As `SyncRun.plan`."""
        await self._drive(immediate(planned, self._run, tuple(tools)))

    async def input(self, text: str, *, source: str = "user", verified: bool = True) -> str:
        """As `SyncRun.input`."""
        return _text(await self._drive(self._flow_input(text, source, verified), "@input"))

    async def answer(self, text: str, *, data: Any = None) -> Any:
        """As `SyncRun.answer`."""
        return await self._drive(self._flow_answer(text, data), "@answer")

    async def stream(self, pieces: AsyncIterable[str], *, unchecked: bool = False) -> AsyncIterator[str]:
        """As `SyncRun.stream`."""
        said: list[str] = []
        async for piece in pieces:
            said.append(piece)
            if unchecked:
                yield piece
        whole = await self.answer("".join(said))
        if not unchecked:
            yield whole

    async def delegate(
        self, agent: str, *, tools: Iterable[str] | None = None, text: str = "", within: timedelta | None = None,
        id: str | None = None, about: Agent | Mapping[str, Any] | None = None,
    ) -> RunHandle:  # fmt: skip
        """As `SyncRun.delegate`: `async with await run.delegate(…) as child`."""
        start = Start(agent=about, within=within, id=id)
        delegation = await self._drive(delegated(self._run, agent, tools, text, start), "@delegate")
        return RunHandle(self._run.world, self._drivers, start, delegation)

    async def close(self, cause: str | None = None) -> None:
        """As `SyncRun.close`."""
        if self._run.open:
            await self._drive(immediate(end, self._run, *self._ended(cause)))


def _text(passed: Any) -> str:
    return str(passed["text"] if isinstance(passed, dict) else passed)
