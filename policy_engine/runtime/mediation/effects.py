"""What a flow asks of its driver. Nothing else in the mediation touches the world.

A flow is a generator: it yields an effect, and is sent what came of it. It is driven by one thread or task at a time.
Effects are never changed once they are made; they are not frozen, because that costs more than all else of making them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal as OneOf, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Attempt:
    """Call `execute(**args)` once, for at most `seconds` (None = without end), inside `within`. The driver sends an
    `Attempted`."""

    tool: str
    execute: Callable[..., Any]
    args: dict[str, Any]
    seconds: float | None
    within: AbstractContextManager[Any] | None


@dataclass(slots=True, eq=False)
class Attempted:
    """What came of an attempt.

    `busy`: it never began, too many calls of the tool are still going on. `cancelled`: the host's task or thread was
    stopped, by `error`. `timeout`: it may still be going on, as one of `abandoned` such calls of the tool. `duration` is in
    nanoseconds.
    """

    status: OneOf["returned", "error", "timeout", "cancelled", "busy"]
    value: Any = None
    error: BaseException | None = None
    duration: int = 0
    abandoned: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait. The driver sends None, or throws what stopped the waiting."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Check:
    """Work something out within `seconds`. The driver sends what it returns, or throws `Hung`: it is left behind then, and
    must change nothing that anybody looks at."""

    work: Callable[[], Any]
    seconds: float


class Hung(Exception):
    """What was to be worked out did not come to an end in its time."""


Effect: TypeAlias = Attempt | Pause | Check
Flow: TypeAlias = Generator[Effect, Any, T]


def immediate(action: Callable[..., T], *arguments: Any) -> Flow[T]:
    """A flow that needs nothing of the world."""
    yield from ()
    return action(*arguments)
