"""The clock of the machine, as the engine wants it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from policy_engine.base.values import Timestamp, timestamp_of


def system_clock() -> Timestamp:
    """Now."""
    return Timestamp(time.time_ns())


def clock_from(clock: Callable[[], datetime] | None) -> Callable[[], Timestamp]:
    """The engine's clock from a caller's, which returns aware datetimes; None = the machine's."""
    if clock is None:
        return system_clock
    return lambda: timestamp_of(clock())
