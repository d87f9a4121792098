"""Ladders move though nobody asks again: people of the next tier are told in time. A thread that looks every few seconds.

Only where somebody is told (a notifier): a call that is asked again moves its own questions.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from weakref import ref

from policy_engine.runtime.mediation.world import World
from policy_engine.runtime.ports.audit import Record


class Ticker:
    """Looks after the questions of a mediator until it is stopped, or nobody has the mediator any more."""

    def __init__(self, world: World, seconds: float) -> None:
        """`seconds` between two looks."""
        self._stopped = threading.Event()
        threading.Thread(
            target=_look, args=(ref(world), self._stopped, seconds), name="policy questions", daemon=True
        ).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()


def _look(of: ref[World], stopped: threading.Event, seconds: float) -> None:
    """What fails is tried again at the next look."""
    while not stopped.wait(seconds):
        world = of()
        if world is None:
            return
        with suppress(Exception):
            tick(world)
        del world


def tick(world: World) -> None:
    """Move every question whose tier's time is over, and write down what is new. Raises what store and log raise."""
    now = world.clocks.now()
    for event in world.people.tick(now):
        world.log.append(Record("ask" if "tier" in event else "answer", now, "", None, event, {}))
