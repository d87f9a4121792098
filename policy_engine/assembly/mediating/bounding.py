"""A bound on deciding and checking itself: a part of a flow that hangs is left behind, and the call is refused.

What is left behind can finish its part, but it is never resumed: it cannot run a tool, nor show anything to anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from policy_engine.assembly.mediating.pools import Pool
from policy_engine.runtime.mediation.effects import Flow, Hung

T = TypeVar("T")
_CHECKS: Final = "deciding about "
"""With the name of what is decided: the name under which parts of flows have their places in a pool, so that a tool whose
stores hang takes no place of others."""


class CheckHangs(Hung):
    """A part of a flow did not end in its time, or too many before it did not."""


def bounded(
    pool: Pool, name: str, step: Callable[[], T], seconds: float, flow: Flow[object] | None = None, *, begun: bool = False
) -> T:
    """What `step` returns or raises; raises `CheckHangs`. A `flow` that was left behind in it is closed once it has ended, so
    that it gives back what it holds; one that has `begun` always has a place, so that it can."""
    attempted = pool.run(_CHECKS + name, step, seconds, None if flow is None else flow.close, always=begun)
    if attempted.status == "error" and attempted.error is not None:
        raise attempted.error
    if attempted.status != "returned":
        raise CheckHangs("deciding did not end in its time")
    return attempted.value  # type: ignore[no-any-return]
