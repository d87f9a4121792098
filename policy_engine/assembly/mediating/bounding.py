"""A bound on deciding and checking itself: a part of a flow that hangs is left behind, and the call is refused.

What is left behind can finish its part, but it is never resumed: it cannot run a tool, nor show anything to anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from policy_engine.assembly.mediating.pools import Pool
from policy_engine.runtime.mediation.effects import Hung

T = TypeVar("T")
CHECKS: Final = "the check itself"
"""The name under which parts of flows have their places in a pool."""


class CheckHangs(Hung):
    """A part of a flow did not end in its time, or too many before it did not."""


def bounded(pool: Pool, step: Callable[[], T], seconds: float) -> T:
    """What `step` returns or raises; raises `CheckHangs`."""
    attempted = pool.run(CHECKS, step, seconds)
    if attempted.error is not None:
        raise attempted.error
    if attempted.status != "returned":
        raise CheckHangs("deciding did not end in its time")
    return attempted.value  # type: ignore[no-any-return]
