"""How long counters are remembered that nobody asks for."""

from __future__ import annotations

from typing import Final

DAY: Final = 86_400 * 10**9
GRACE: Final = DAY
"""Nanoseconds for which a counter is kept after all of it has left its window: a clock may go back by less than this."""
FORGET_AFTER: Final = 400 * DAY
"""Nanoseconds after which a counter without a window, such as one of a run that never ended, is forgotten."""
