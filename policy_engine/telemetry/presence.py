"""Whether an SDK is installed, known for next to nothing: asked now and then, and whoever installs one later is noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

ASK_EVERY_SECONDS: Final = 1.0
"""An SDK that is installed while the program runs is noticed after this long at the latest."""


class Presence:
    """The answer of `installed`, remembered. Yes is remembered for good: nobody takes an SDK away."""

    __slots__ = ("_again", "_clock", "_installed", "_known")

    def __init__(self, installed: Callable[[], bool], clock: Callable[[], float]) -> None:
        self._installed = installed
        self._clock = clock
        self._known = False
        self._again = float("-inf")

    def __call__(self) -> bool:
        """Whether somebody records."""
        if self._known:
            return True
        now = self._clock()
        if now < self._again:
            return False
        self._again = now + ASK_EVERY_SECONDS
        self._known = self._installed()
        return self._known


def of_api(provider: object) -> bool:
    """Whether a provider is one of the API's own: those record nothing, every SDK brings others."""
    return type(provider).__module__.startswith(("opentelemetry.trace", "opentelemetry.metrics"))
