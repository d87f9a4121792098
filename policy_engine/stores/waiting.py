"""How long until a demand fits: amounts leave their windows one after the other, and people's time to answer ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from policy_engine.runtime.ports.counters import Demand
from policy_engine.stores.amounts import Exact, exact, minus, plus

Release: TypeAlias = tuple[int, Exact, str | None]
"""When something leaves, how much it is, and the item it is counted by."""


def wait_for(
    total: Exact, taken: Exact, bound: Exact | float, releases: Iterable[Release], holders: Callable[[str], int],
    *, now: int, demand: Demand,
) -> int | None:  # fmt: skip
    """Nanoseconds until the demand fits, if nothing else comes; None where it never does.

    `total` is what others have, `taken` what it would take now. `releases` come in the order of time; `holders` tells how
    many entries count an item, which leaves with the last of them. An item that is demanded is taken anew once it has left.
    """
    left: dict[str, int] = {}
    for moment, amount, item in releases:
        if item is not None:
            left[item] = left.get(item, holders(item)) - 1
            if left[item] > 0:
                continue
            if item == demand.item:
                taken = exact(demand.amount)
        total = minus(total, amount)
        if plus(total, taken) <= bound:
            return max(0, moment - now)
    return None
