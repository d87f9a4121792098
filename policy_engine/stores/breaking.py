"""What breakers do, whichever store keeps them. Pure: a breaker and a question in, an answer and the new breaker out.

A clock that goes back never makes a breaker wait longer than it would have from now on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal as OneOf

from policy_engine.runtime.ports.counters import Admission


@dataclass(frozen=True, slots=True)
class Breaker:
    """`opened` = when it opened (None: it is closed), `failures` = when calls failed while it was closed, `probe` = the
    call on which all hangs, since `probe_since`."""

    opened: int | None = None
    failures: tuple[int, ...] = ()
    probe: str | None = None
    probe_since: int = 0


CLOSED: Final = Breaker()
_PASS: Final = Admission("closed")
_PROBE: Final = Admission("probe")


def admitted(breaker: Breaker, call: str, *, now: int, probe_after: int, lease: int) -> tuple[Admission, Breaker]:
    """Whether a call goes through. A probe that asks again still is the probe."""
    if breaker.opened is None:
        return _PASS, breaker
    opened, since = min(breaker.opened, now), min(breaker.probe_since, now)
    if breaker.probe is not None and breaker.probe != call and now - since < lease:
        return Admission("open", since + lease - now), replace(breaker, opened=opened, probe_since=since)
    if now - opened < probe_after and breaker.probe is None:
        return Admission("open", opened + probe_after - now), replace(breaker, opened=opened)
    return _PROBE, replace(breaker, opened=opened, probe=call, probe_since=now)


def reported(
    breaker: Breaker, call: str, failed: bool | None, *, now: int, failures: int, within: int
) -> tuple[OneOf["closed", "open"], Breaker]:
    """What comes of an outcome. Of an open breaker only the probe's outcome says anything: the others began before."""
    if breaker.opened is not None:
        if breaker.probe != call:
            return "open", breaker
        if failed is None:
            return "open", replace(breaker, probe=None)
        return ("open", Breaker(opened=now)) if failed else ("closed", CLOSED)
    if not failed:
        return "closed", breaker
    recent = (*(moment for moment in breaker.failures if moment > now - within), now)
    return ("open", Breaker(opened=now)) if len(recent) >= failures else ("closed", Breaker(failures=recent))
