"""What a mediator or an adapter raises when a call may not go on, or not yet. Each carries the decision; messages are for
the agent."""

from __future__ import annotations

from datetime import timedelta

from policy_engine.base.decision import Decision


class Denied(Exception):
    """A call was refused, or its result is withheld (then `decision.phase` is `result`, and the call has happened).

    The message is what the agent may read.
    """

    def __init__(self, message: str, decision: Decision) -> None:
        """`message` is for the agent, `decision` for the host."""
        super().__init__(message)
        self.decision = decision


class Pending(Exception):
    """People must answer first; `decision.asks` says who and until when. Where a *result* waits, the call has happened.

    Ask them, then make the same call again with their `Approval`s. The message is what the agent may read.
    """

    def __init__(self, message: str, decision: Decision) -> None:
        """`message` is for the agent, `decision` for the host."""
        super().__init__(message)
        self.decision = decision


class LimitReached(Denied):
    """A limit is used up. `retry_after` = how long until there may be room; None = nobody knows."""

    def __init__(self, message: str, decision: Decision, retry_after: timedelta | None) -> None:
        """`message` is for the agent, `decision` for the host."""
        super().__init__(message, decision)
        self.retry_after = retry_after


class BreakerOpen(Denied):
    """Calls like this failed too often; `retry_after` = until the next one is tried."""

    def __init__(self, message: str, decision: Decision, retry_after: timedelta) -> None:
        """`message` is for the agent, `decision` for the host."""
        super().__init__(message, decision)
        self.retry_after = retry_after


class DeadlineExceeded(Exception):
    """The time of a call, or of the whole run, was over. `started` tells whether the tool was called: then it may have
    acted, and may still be acting."""

    def __init__(self, message: str, decision: Decision | None, *, started: bool) -> None:
        """`message` is for the agent, `decision` for the host."""
        super().__init__(message)
        self.decision = decision
        self.started = started


class NotRun(Exception):
    """Raised by a tool's function to say that provably nothing was done (the connection was refused, say): what the call held
    of its limits is given back."""


class Suspended(BaseException):
    """Raised by a tool's function to say that it stopped half way and that the same call will be made again under its id, as
    frameworks do that ask their user in the middle of a tool. No failure: no breaker counts it, no retry follows, and the
    call has no outcome yet. Use `raise Suspended from cause`; the mediator raises it on as it is."""
