"""Which failures of a tool another try may mend, unless the host knows better."""

from __future__ import annotations

from typing import Final

_PASSING: Final = (TimeoutError, ConnectionError, InterruptedError, BlockingIOError)


def retryable(fault: BaseException) -> bool:
    """What the exception says itself (`fault.retryable`), else whether it is a lost connection or a timeout."""
    said = getattr(fault, "retryable", None)
    return said if isinstance(said, bool) else isinstance(fault, _PASSING)
