"""Ladders move though nobody asks again: people of the next tier are told in time. A thread that looks every few seconds.

Only where somebody is told (a notifier): a call that is asked again moves its own questions.
"""

from __future__ import annotations

import threading
from contextlib import suppress

from policy_engine.runtime.mediation.world import World
from policy_engine.runtime.ports.audit import Record


class Ticker:
    """Looks after the questions of a mediator until it is stopped. What fails is tried again at the next look."""

    def __init__(self, world: World, seconds: float) -> None:
        """`seconds` between two looks."""
        self._world = world
        self._seconds = seconds
        self._stopped = threading.Event()
        threading.Thread(target=self._look, name="policy questions", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def _look(self) -> None:
        while not self._stopped.wait(self._seconds):
            with suppress(Exception):
                tick(self._world)


def tick(world: World) -> None:
    """Move every question whose tier's time is over, and write down what is new. Raises what store and log raise."""
    now = world.clocks.now()
    for event in world.people.tick(now):
        world.log.append(Record("ask" if "tier" in event else "answer", now, "", None, event, {}))
