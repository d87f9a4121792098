"""Telling people that a question waits for them. Implemented in `policy_engine/notify`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Notice:
    """A question is asked in a queue, until then (nanoseconds). It says nothing of what is asked: who wants to know, looks."""

    question: str
    queue: str
    count: int
    tier: int
    asked: int
    until: int


class Notifier(Protocol):
    """Never waits and never raises: a notice that cannot be sent is counted by the notifier, and the question stays."""

    def tell(self, notice: Notice) -> None:
        """Send it, some time soon."""
        ...
