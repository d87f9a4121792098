"""What an adapter raises when a call may not go on, or not yet: `Denied` and `Pending`, each with the decision."""

from __future__ import annotations

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
