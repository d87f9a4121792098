"""Pauses between tries, by tenacity: twice as long each time, with jitter so that many agents do not come back at once."""

from __future__ import annotations

from typing import Any, cast

from tenacity import RetryCallState, wait_exponential_jitter


def jittered(tries: int, first: float, last: float) -> float:
    """Seconds to wait after so many tries: from `first` (once) towards `last`, up to `first` more by chance, never above."""
    state = RetryCallState(cast(Any, None), None, (), {})
    state.attempt_number = tries
    return min(last, wait_exponential_jitter(multiplier=first, max=last, jitter=first)(state))
