"""One call on its way: what the stages know of it, and how a stage refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from policy_engine.base.decision import Decision, Reserve, RuleError
from policy_engine.base.records import Cause
from policy_engine.base.request import Approval, Outcome, Request
from policy_engine.runtime.details import FixedDetails
from policy_engine.runtime.engine import Policy
from policy_engine.runtime.mediation.effects import Attempted
from policy_engine.runtime.mediation.runs import KnownCall, MediatedRun
from policy_engine.runtime.mediation.world import Mode, World
from policy_engine.runtime.ports.telemetry import Span

_NONE: Final[frozenset[int]] = frozenset()
UNREAD: Final = object()
"""In place of a result that was not made plain data yet."""


class Refused(Exception):
    """A stage refuses. `wait` = nanoseconds until it may be different, None = nobody knows."""

    def __init__(self, decision: Decision, cause: Cause, wait: int | None = None, *, started: bool = False) -> None:
        super().__init__(cause)
        self.decision = decision
        self.cause: Cause = cause
        self.wait = wait
        self.started = started


class Waiting(Exception):
    """People were asked, and the host wants to be told so."""

    def __init__(self, decision: Decision) -> None:
        super().__init__("waiting")
        self.decision = decision


class Call:
    """`name` is one that no other call has; `args` are as the agent sent them. The rest is filled in by the stages."""

    __slots__ = (
        "answers", "attempt", "attempted", "beyond", "breakers", "cause", "checked", "counters", "data", "decided", "decision",
        "digest", "ended", "enforced", "entry", "execute", "given", "held", "identity", "limits", "mode", "name", "named",
        "noted", "outcome", "output", "policy", "record", "request", "reserves", "run", "seen", "span", "state", "to_data",
        "took", "tries", "world",
    )  # fmt: skip

    def __init__(
        self, world: World, run: MediatedRun, policy: Policy, mode: Mode, request: Request, name: str,
        execute: Callable[..., Any] | None, named: bool = False, to_data: Callable[[Any], Any] | None = None,
        given: Decision | None = None,
    ) -> None:  # fmt: skip
        """`named` = the host gave the call an id of its own, under which it may ask again. `to_data` makes plain data of this
        call's results; None = as the host wants it for all. `given` is the decision, of a call that stands in for another: its
        own degradations deny.
        """
        self.world = world
        self.run = run
        self.policy = policy
        self.mode: Mode = mode
        self.enforced = mode == "enforce"
        """Whether what is decided counts."""
        self.request = request
        self.name = name
        self.execute = execute
        self.named = named
        self.to_data = to_data
        self.given = given
        self.took: dict[str, int] = {}
        self.span: Span | None = None
        self.identity: KnownCall | None = None
        self.digest = ""
        """Of tool and arguments, with the run's salt."""
        # deciding
        self.decision: Decision | None = None
        self.decided: Decision
        """The same, for stages after `decide`."""
        self.cause: Cause = "policy"
        """Who made the decision."""
        self.seen = self.entry = 0
        self.state = ""
        self.answers: tuple[Approval, ...] = ()
        self.record = ""
        """Digest of the decision record, once it is kept."""
        # limits and breakers
        self.reserves: Sequence[Reserve] = ()
        self.counters: Sequence[str] = ()
        self.beyond: frozenset[int] = _NONE
        self.held = False
        self.breakers: tuple[str, ...] = ()
        self.limits: tuple[tuple[Any, ...], ...] = ()
        # what came of it
        self.attempted: Attempted | None = None
        self.tries = 0
        self.outcome: Outcome | None = None
        """What came of the last attempt, as data."""
        self.data: Any = UNREAD
        """What it returned, as data."""
        self.attempt = 0
        """How often the result was sent back, as the output's decision was told."""
        self.checked: tuple[Approval, ...] = ()
        """Answers about the result."""
        self.output: Decision | None = None
        self.noted = self.ended = False
        """Whether its outcome is noted in the run, and not recorded yet; whether it was recorded."""

    def spent(self, stage: str, begun: int) -> None:
        """A stage is done that began then (monotonic, nanoseconds)."""
        self.took[stage] = self.took.get(stage, 0) + self.world.clocks.monotonic() - begun

    def settle(self, decision: Decision, cause: Cause) -> None:
        """This is what is decided from now on, and who decided it."""
        self.decision = self.decided = decision
        self.cause = cause


def refusal(policy: Policy, tool: str, kind: Any, said: str, told: str, args: Mapping[str, Any] | None = None) -> Decision:
    """A deny that no rule made. `said` is for the agent, `told` for the operator."""
    details = FixedDetails(said, told, (RuleError("mediator", kind, told, "mediator"),))
    return Decision(
        "deny", "call", tool, args=None if args is None else dict(args), rules=(), details=details,
        policy_digest=policy.digest,
    )  # fmt: skip
