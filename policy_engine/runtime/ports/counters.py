"""Counters behind limits and breakers, shared by all runs and processes that use the same store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal as OneOf, Protocol


@dataclass(frozen=True, slots=True)
class Demand:
    """What one call wants of one counter.

    `counter` names rule, window and keys; two that differ anywhere never share it. What is held, and what was spent after
    `since` (None = ever), together with `amount` may reach `bound` and not pass it. `until` is when a calendar window ends
    (None: it slides by `span` nanoseconds, or never ends). `item`: the amount is taken only where that value was not counted
    in the window yet, and its amount stays what it was first. `place`: counts only while its call runs.

    Amounts and bounds are the numbers that people write for them (`0.1` is a tenth) and are added exactly. `since` lies before
    the moment at which is asked; `runtime/windows.py` makes demands of what a policy says.
    """

    counter: str
    bound: float
    amount: float
    since: int | None = None
    span: int | None = None
    until: int | None = None
    item: str | None = None
    place: bool = False


@dataclass(frozen=True, slots=True)
class Full:
    """The demand at `index` does not fit. `wait` = nanoseconds until it may, if nothing else comes; None = nobody knows
    (others run, or it never fits)."""

    index: int
    wait: int | None


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a breaker lets a call through: `closed` yes, `probe` yes and all hangs on it, `open` no, for `wait` nanoseconds."""

    state: OneOf["closed", "probe", "open"]
    wait: int = 0


class CounterStore(Protocol):
    """Limits: reserve before, commit the actual amount after, refund what provably did not run. Thread- and process-safe.

    `call` is a name that no other call has in any process. A reservation is *held* (the call has not begun) or *running*.
    One that is not ended by its process expires: held, it is given back at its `until`; running, its amounts count as spent
    from the moment they were reserved and its places are free once its `lease` has passed, or its process is gone. A store that
    knows whether a process lives needs no lease: what it holds it keeps while it lives. The rest is in
    `docs/decisions/0019-counters.md`.
    """

    blocking: bool

    def reserve(
        self, call: str, demands: Sequence[Demand], *, now: int, lease: int, beyond: frozenset[int] = frozenset()
    ) -> Full | None:
        """Hold everything or, where something does not fit, change nothing. What is held is *running* from now on.

        `beyond`: indices that are counted although they do not fit (a person said so). The same `call` again replaces what it
        held or spent before, so that one call counts once. `lease` = nanoseconds for which places are kept without a sign of
        life. Raises `ValueError` for amounts that are negative, infinite or NaN, a bound that is NaN, two demands of one counter.
        """
        ...

    def hold(self, call: str, *, until: int, now: int) -> None:
        """A person thinks: places are free, amounts stay held until `until`. What has run, or was held too long, is not."""
        ...

    def commit(self, call: str, amounts: Mapping[str, float], *, now: int) -> None:
        """The call has run. `amounts`: what it really used, by counter; a counter not named keeps what was held. It counts
        even where it passes the bound, also after its hold was over; the first commit stays. Unknown calls are none."""
        ...

    def refund(self, call: str, *, now: int) -> None:
        """The call provably did not run: as if it had never been reserved (what it spent before that stays). Unknown calls and
        those that were committed are none."""
        ...

    def forget(self, counters: Sequence[str]) -> None:
        """Nobody will ask for these counters again (their run has ended): nothing of them needs to be kept."""
        ...

    def admit(self, breaker: str, call: str, *, now: int, probe_after: int, lease: int) -> Admission:
        """Ask a breaker. Of an open one, one call after `probe_after` nanoseconds is a probe; its place is free for another
        probe once it was reported, or `lease` nanoseconds have passed."""
        ...

    def report(
        self, breaker: str, call: str, failed: bool | None, *, now: int, failures: int, within: int
    ) -> OneOf["closed", "open"]:
        """What came of an admitted call. `failures` failed calls within `within` nanoseconds open the breaker, so does a
        failed probe; a probe that did not fail closes it and forgets all failures. None = nobody knows (it was cancelled)."""
        ...
