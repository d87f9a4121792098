"""A mediator as adapters use it: every call, input, step and answer goes through a mediated run.

A call that waits for people holds what it may use of its limits. Whoever asks for the same again, a model under a new id or a
program that calls a function once more, means the call that waits: it must not be held twice, nor asked twice.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from datetime import timedelta
from threading import Lock
from typing import Any, Final
from uuid import uuid4

from policy_engine import AsyncRun, Denied, Mediator, Pending, Principal, Run, SyncRun
from policy_engine_adapters.protocol import AnyRun, Asker, Caller, GuardedRun, Past

MAX_WAITING: Final = 1_000
"""Calls that wait for people and are known here; an older one is asked for anew."""


class Mediated:
    """Implements `protocol.Guard`."""

    def __init__(self, mediator: Mediator) -> None:
        self._mediator = mediator
        self._waiting = _Waiting()

    def begin(self, who: Asker, *, key: str | None, attended: bool, past: Sequence[Past]) -> GuardedRun:
        """Its id is its own, so that no two runs share one; limits per run count over the conversation."""
        opened = self._mediator.run(**_told(who), attended=attended, conversation=key, past=past)
        return MediatorRun(ExitStack().enter_context(opened), who, self._waiting)

    def caller(self, given: AnyRun | None) -> Caller:
        """Within the host's run, or a run for each call."""
        if isinstance(given, Run):
            raise TypeError("a mediator keeps its own history: give a run of `mediator.run(…)`, not one of the policy")
        if given is None:
            return _RunForEach(self._mediator, self._waiting)
        return MediatorRun(given.for_threads if isinstance(given, AsyncRun) else given, None, self._waiting)


class MediatorRun:
    """Implements `protocol.GuardedRun`. `who` None = the host's run, which knows who asks."""

    def __init__(self, run: SyncRun, who: Asker | None, waiting: _Waiting) -> None:
        self.run = run
        self._who = who
        self._waiting = waiting

    def serves(self, who: Asker) -> bool:
        """A run is for one principal, agent and context, and for so long."""
        left = self.run.deadline
        return who == self._who and (left is None or left > timedelta(0))

    def call(
        self, who: Asker, tool: str, args: Any, execute: Callable[..., Any], *, to_data: Callable[[Any], Any],
        id: str | None = None, annotations: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        """Through `SyncRun.call`."""
        with self._waiting.resuming((self.run.id, _same(tool, args)), id or uuid4().hex) as known:
            return self.run.call(tool, args, execute=execute, id=known, annotations=annotations, to_data=to_data)

    async def call_async(
        self, who: Asker, tool: str, args: Any, execute: Callable[..., Any], *, to_data: Callable[[Any], Any],
        id: str | None = None, annotations: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        """Through `AsyncRun.call`."""
        with self._waiting.resuming((self.run.id, _same(tool, args)), id or uuid4().hex) as known:
            tasks = self.run.for_tasks
            return await tasks.call(tool, args, execute=execute, id=known, annotations=annotations, to_data=to_data)

    def input(self, who: Asker, text: str, *, users: bool) -> str:
        """Through `SyncRun.input`."""
        return self.run.input(text, source="user" if users else "agent", verified=users)

    def step(self, who: Asker, text: str, tokens: int) -> None:
        """Through `SyncRun.step`."""
        self.run.step("model", text=text, tokens=tokens)

    def answer(self, who: Asker, text: str, data: Any) -> Any:
        """Through `SyncRun.answer`."""
        said = self.run.answer(text, data=data)
        return {"text": said, "data": None} if data is None else said

    def close(self) -> None:
        """The run ends in the record."""
        self.run.close()


class _RunForEach:
    """Implements `protocol.Caller`: a run for each call, which stays open while the call waits for people."""

    def __init__(self, mediator: Mediator, waiting: _Waiting) -> None:
        self._mediator = mediator
        self._waiting = waiting

    def call(self, who: Asker, tool: str, args: Any, execute: Callable[..., Any], **options: Any) -> Any:
        """Begin a run or go on with the one that waits, call, end it."""
        name = ("", _same(_record(who), tool, args))
        run = self._waiting.pop(name) or ExitStack().enter_context(self._mediator.run(**_told(who)))
        try:
            result = MediatorRun(run, who, self._waiting).call(who, tool, args, execute, **options)
        except Pending:
            for forgotten in self._waiting.keep(name, run):
                forgotten.close("forgotten")
            raise
        except BaseException as fault:
            run.close(type(fault).__name__)
            raise
        run.complete()
        run.close()
        return result

    async def call_async(self, who: Asker, tool: str, args: Any, execute: Callable[..., Any], **options: Any) -> Any:
        """The same in a task."""
        name = ("", _same(_record(who), tool, args))
        run = self._waiting.pop(name)
        if run is None:
            run = (await AsyncExitStack().enter_async_context(self._mediator.run(**_told(who)))).for_threads
        try:
            result = await MediatorRun(run, who, self._waiting).call_async(who, tool, args, execute, **options)
        except Pending:
            for forgotten in self._waiting.keep(name, run):
                await forgotten.for_tasks.close("forgotten")
            raise
        except BaseException as fault:
            await run.for_tasks.close(type(fault).__name__)
            raise
        run.complete()
        await run.for_tasks.close()
        return result


class _Waiting:
    """Calls that wait for people, by run and by what they ask for: their ids, or the runs that are theirs alone."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._lock = Lock()

    def pop(self, name: tuple[str, str]) -> Any:
        """What is kept under a name, from now on no longer; None if nothing is."""
        with self._lock:
            return self._known.pop(name, None)

    def keep(self, name: tuple[str, str], value: Any) -> list[SyncRun]:
        """Keep it, and give back runs for which there is no room any more: those of others, or its own beside an earlier one."""
        gone = []
        with self._lock:
            gone.append(self._known.pop(name, None))
            self._known[name] = value
            while len(self._known) > MAX_WAITING:
                gone.append(self._known.popitem(last=False)[1])
        return [one for one in gone if isinstance(one, SyncRun)]

    @contextmanager
    def resuming(self, name: tuple[str, str], id: str) -> Iterator[str]:
        """The id under which a call is known: that of the same call which waits, if one does."""
        with self._lock:
            known = self._known.get(name, id)
        try:
            yield known
        except Pending:
            self.keep(name, known)
            raise
        except Denied:  # what people refused stays refused
            raise
        except BaseException:
            self.pop(name)
            raise
        self.pop(name)


def _told(who: Asker) -> dict[str, Any]:
    return {"principal": who.principal, "agent": who.agent, "context": who.context}


def _record(who: Asker) -> list[Any]:
    """Who asks, as plain data."""
    told = (who.principal, who.agent, who.context)
    return [dict(one.fields) if isinstance(one, Principal) else one for one in told]


def _same(*parts: Any) -> str:
    """A name for whatever has these parts; one that nothing else has where they are no data."""
    try:
        return json.dumps(parts, sort_keys=True)
    except (TypeError, ValueError):
        return uuid4().hex
