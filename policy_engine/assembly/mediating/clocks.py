"""The clocks, names and salts of this machine."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import datetime

from policy_engine.assembly.clock import clock_from
from policy_engine.runtime.mediation.world import Clocks


def machine_clocks(
    clock: Callable[[], datetime] | None = None, monotonic: Callable[[], float] | None = None
) -> Clocks:
    """`clock` replaces wall time (aware datetimes), `monotonic` the clock of deadlines (seconds)."""
    now = time.time_ns if clock is None else _nanos(clock)
    steady = time.monotonic_ns if monotonic is None else lambda: round(monotonic() * 1e9)
    return Clocks(now, steady, new_id, lambda: secrets.token_bytes(16))


def _nanos(clock: Callable[[], datetime]) -> Callable[[], int]:
    read = clock_from(clock)
    return lambda: read().nanos


def new_id() -> str:
    """An id that sorts by time and that nobody else has: 12 digits of milliseconds, 10 of chance (hex)."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(5)}"
