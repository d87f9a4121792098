"""Values of functions that are not pure: asked once a decision, then remembered, so that a decision stays repeatable.

Called by the bodies of such functions through `EvaluationContext.once`. Whatever evaluates a condition again - the
interpreter after an error, a hint, an explanation - meets the value that was recorded; after `seal` nobody is asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from policy_engine.base.decision import Recorded
from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import inward, outward

ACTIVE: ContextVar[Recordings | None] = ContextVar("recordings of the decision that is being made", default=None)
"""Where functions that are pure, and so know of no decision, leave what they answered."""


class Recordings:
    """The recordings of one decision. `given` are those of an earlier one, to decide it again: then nobody is asked, unless
    `more` says that what was not asked then may be asked now."""

    __slots__ = ("_answers", "_lock", "_order", "_sealed")

    def __init__(self, given: Iterable[Recorded] | None = None, *, more: bool = False) -> None:
        self._answers: dict[Any, Any] = {}
        self._order: list[Recorded] = []
        self._lock = threading.Lock()
        self._sealed = given is not None and not more
        for one in given or ():
            answer = inward(one.value) if one.error is None else EvaluationError("not_available", one.error)
            self._answers[one.function, _key([inward(argument) for argument in one.args])] = answer
            self._order.append(one)

    def once(self, function: str, arguments: tuple[Any, ...], ask: Callable[[], Any]) -> Any:
        """What `ask` answers, or answered before for these arguments; its `EvaluationError` is remembered too."""
        key = (function, _key(list(arguments)))
        with self._lock:
            if key not in self._answers:
                if self._sealed:
                    raise EvaluationError("not_available", f"`{function}` was not asked about this when it was decided")
                self._answers[key] = self._asked(function, arguments, ask)
            answer = self._answers[key]
        if isinstance(answer, EvaluationError):
            raise EvaluationError(answer.kind, answer.message)
        return answer

    def _asked(self, function: str, arguments: tuple[Any, ...], ask: Callable[[], Any]) -> Any:
        given = tuple(outward(argument) for argument in arguments)
        try:
            value = ask()
        except EvaluationError as error:
            self._order.append(Recorded(function, given, None, error.message))
            return error
        self._order.append(Recorded(function, given, outward(value), None))
        return value

    def note(self, recorded: Recorded) -> None:
        """Keep what a pure function answered, once for each of its arguments. Nobody reads it while this is decided."""
        key = (recorded.function, _key([inward(argument) for argument in recorded.args]))
        with self._lock:
            if not self._sealed and key not in self._answers:
                self._answers[key] = None
                self._order.append(recorded)

    def seal(self) -> tuple[Recorded, ...]:
        """End the questions; what was recorded, in the order it was asked."""
        with self._lock:
            self._sealed = True
            return tuple(self._order)


def _key(value: Any) -> Any:
    """A hashable stand-in for an engine value; no two different values share one (1 and 1.0 and true are different)."""
    kind = type(value)
    if kind is list:
        return (kind, tuple(map(_key, value)))
    if kind is dict:
        return (kind, frozenset((_key(key), _key(item)) for key, item in value.items()))
    return (kind, repr(value) if kind is float else value)
