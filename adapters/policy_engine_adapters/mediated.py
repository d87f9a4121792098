"""A mediator as adapters use it: every call, input, step and answer goes through one mediated run a conversation."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from threading import Lock
from typing import Any

from policy_engine import AsyncRun, Denied, Mediator, Pending, Run, SyncRun
from policy_engine_adapters.protocol import AnyRun, Asker, GuardedRun, Past


class Mediated:
    """Implements `protocol.Guard`."""

    def __init__(self, mediator: Mediator) -> None:
        self._mediator = mediator

    def begin(self, who: Asker, *, key: str | None, attended: bool, past: Sequence[Past]) -> GuardedRun:
        """Its id is its own, so that no two runs share one; limits per run count over the conversation."""
        stack = ExitStack()
        run = stack.enter_context(
            self._mediator.run(**_told(who), attended=attended, conversation=key, past=past)
        )
        return _Conversation(run, who, stack)

    @contextmanager
    def passing(self, given: AnyRun | None, who: Asker) -> Iterator[GuardedRun]:
        """The host's run, or one for this call alone."""
        if given is not None:
            yield _Conversation(_threads(given), who)
            return
        with self._mediator.run(**_told(who)) as run:
            yield _Conversation(run, who)
            run.complete()

    @asynccontextmanager
    async def passing_async(self, given: AnyRun | None, who: Asker) -> AsyncIterator[GuardedRun]:
        """The same in a task."""
        if given is not None:
            yield _Conversation(_threads(given), who)
            return
        async with self._mediator.run(**_told(who)) as run:
            yield _Conversation(run.for_threads, who)
            run.complete()


def _told(who: Asker) -> dict[str, Any]:
    return {"principal": who.principal, "agent": who.agent, "context": who.context}


def _threads(given: AnyRun) -> SyncRun:
    if isinstance(given, Run):
        raise TypeError("a mediator keeps its own history: give a run of `mediator.run(…)`, not one of the policy")
    return given.for_threads if isinstance(given, AsyncRun) else given


class _Conversation:
    """Implements `protocol.GuardedRun`.

    A model that asks again for what waits for people does so under a new id; it is still the call that waits, and what that
    holds of its limits is not held twice.
    """

    def __init__(self, run: SyncRun, who: Asker, stack: ExitStack | None = None) -> None:
        self._run = run
        self._who = who
        self._stack = stack
        self._waiting: dict[str, str] = {}
        self._lock = Lock()

    def serves(self, who: Asker) -> bool:
        """A run is for one principal, agent and context, and for so long."""
        left = self._run.deadline
        return who == self._who and (left is None or left > timedelta(0))

    def call(
        self, who: Asker, tool: str, args: Any, execute: Callable[..., Any], *, to_data: Callable[[Any], Any],
        id: str | None = None, annotations: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        """Through `SyncRun.call`."""
        with self._resuming(tool, args, id) as known:
            return self._run.call(tool, args, execute=execute, id=known, annotations=annotations, to_data=to_data)

    async def call_async(
        self, who: Asker, tool: str, args: Any, execute: Callable[..., Any], *, to_data: Callable[[Any], Any],
        id: str | None = None, annotations: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        """Through `AsyncRun.call`."""
        with self._resuming(tool, args, id) as known:
            tasks = self._run.for_tasks
            return await tasks.call(tool, args, execute=execute, id=known, annotations=annotations, to_data=to_data)

    def input(self, who: Asker, text: str, *, users: bool) -> str:
        """Through `SyncRun.input`."""
        return self._run.input(text, source="user" if users else "agent", verified=users)

    def step(self, who: Asker, text: str, tokens: int) -> None:
        """Through `SyncRun.step`."""
        self._run.step("model", text=text, tokens=tokens)

    def answer(self, who: Asker, text: str, data: Any) -> Any:
        """Through `SyncRun.answer`."""
        said = self._run.answer(text, data=data)
        return {"text": said, "data": None} if data is None else said

    def close(self) -> None:
        """The run ends in the record."""
        if self._stack is not None:
            self._stack.close()

    @contextmanager
    def _resuming(self, tool: str, args: Any, id: str | None) -> Iterator[str | None]:
        """The id under which the call is known: that of the same call which waits, if one does."""
        same = None if id is None else _same(tool, args)
        if id is None or same is None:
            yield id
            return
        with self._lock:
            known = self._waiting.get(same, id)
        try:
            yield known
        except Pending:
            with self._lock:
                self._waiting.setdefault(same, known)
            raise
        except Denied:  # what people refused stays refused
            raise
        except BaseException:
            self._made(same)
            raise
        self._made(same)

    def _made(self, same: str) -> None:
        with self._lock:
            self._waiting.pop(same, None)


def _same(tool: str, args: Any) -> str | None:
    """A name for all calls with these arguments; None where they have none."""
    try:
        return json.dumps([tool, args], sort_keys=True)
    except (TypeError, ValueError):
        return None
