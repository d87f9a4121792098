"""What the engine answers: a decision with its reasons, errors and obligations. Immutable; every field can be kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal as OneOf, Protocol, TypeAlias

from policy_engine.base.errors import ErrorKind
from policy_engine.base.values import outward

Phase: TypeAlias = OneOf["call", "result", "event"]
CallEffect: TypeAlias = OneOf["allow", "deny", "escalate"]
ResultEffect: TypeAlias = OneOf["pass", "redact", "withhold", "retry", "reply", "escalate", "fail"]
Effect: TypeAlias = OneOf["allow", "deny", "escalate", "pass", "redact", "withhold", "retry", "reply", "fail"]


@dataclass(frozen=True, slots=True)
class RuleError:
    """A condition that came to an error, and so fell to the safe side of its rule. `place` is `file:line:column`.

    `rule` is the rule's full id, or `request` where the request itself did not fit. Never holds values.
    """

    rule: str
    kind: ErrorKind | OneOf["unknown_tool", "misfit"]
    message: str
    place: str


@dataclass(frozen=True, slots=True)
class Tier:
    """One step of a ladder: `count` people of `queue` must approve within `within`."""

    queue: str
    count: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class Ask:
    """A person must answer before the call may pass; one for each rule that asks, with its tier in force.

    `count` people of `queue` must approve within `within`; an `Approval` must repeat `digest` and `expires`.
    """

    rule: str
    queue: str
    count: int
    within: timedelta
    digest: str
    expires: datetime
    detail: str | None
    binding: str = ""
    """The digest without the expiry: the same for the same question, however often it is asked."""
    because: str | None = None
    """What the rule says to the agent."""
    later: tuple[Tier, ...] = ()
    """The tiers that follow if nobody answers."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label to be put on (`add`) or taken off the part of the result at `path`, such as `result.items[2].subject`."""

    rule: str
    label: str
    path: str
    add: bool


@dataclass(frozen=True, slots=True)
class Window:
    """Over which time a limit counts: the last `nanos` nanoseconds (`sliding`), the day, week or month (`calendar`,
    `unit` in `zone`), one run with those it began (`run`), or what runs at this moment (`at_once`)."""

    kind: OneOf["sliding", "calendar", "run", "at_once"]
    nanos: int = 0
    unit: OneOf["day", "week", "month"] | None = None
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class Reserve:
    """An amount of a limit to be held before the call, so that all held and spent in its window stays within `bound`.

    `keys` are what it is counted by, each as text that names kind and value (`text:u1`, `number:7`), so that no two
    values meet. `item` is the value that `of distinct` counts, in the same form: it takes `amount` only where it is new.
    `settles` = what was really used is known after the call only; `Policy.bounds.settle` tells it. `observe` = it is
    counted, and nobody is refused when it is over: only told.
    """

    rule: str
    amount: float
    keys: tuple[str, ...]
    bound: float
    window: Window
    item: str | None = None
    settles: bool = False
    observe: bool = False


@dataclass(frozen=True, slots=True)
class Timeout:
    """The longest time one attempt may take. The shortest of all that apply; `observe timeout` makes none."""

    rule: str
    after: timedelta


Obligation: TypeAlias = Ask | Label | Reserve | Timeout


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a function of the host, one that is not pure, answered while this was decided; `error` = it came to none.

    `args` and `value` are plain Python. Given to `decide(…, recorded=…)`, they make the same decision again.
    """

    function: str
    args: tuple[Any, ...]
    value: Any
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Degradation:
    """What happens instead, once a ladder ended in silence or a validation failed: a text for the agent, or another call."""

    rule: str
    kind: OneOf["reply", "set", "call", "retry"]
    text: str | None = None
    tool: str | None = None
    args: dict[str, Any] | None = None
    times: int | None = None


class DecisionDetails(Protocol):
    """Works out the parts of a decision that few callers read. Pure: asked twice, it answers the same."""

    def reason(self) -> str:
        """Said to the agent."""
        ...

    def detail(self) -> str:
        """Said to operator and approver only."""
        ...

    def hint(self) -> str | None:
        """The nearest call that would pass."""
        ...

    def errors(self) -> tuple[RuleError, ...]:
        """Conditions that came to an error."""
        ...


class DecidingRules(Protocol):
    """Where a decision finds the ids of its rules, sorted, when somebody reads them."""

    @property
    def rules(self) -> tuple[str, ...]:
        """The ids."""
        ...


class _Fields:
    """The fields of a decision while it is made: a class that can still be assigned to, and fast."""

    __slots__ = (
        "_rules", "degradation", "details", "effect", "engine_args", "engine_result", "obligations", "observed", "phase",
        "policy_digest", "recorded", "tool",
    )  # fmt: skip

    effect: Effect
    phase: Phase
    tool: str
    observed: tuple[str, ...]
    obligations: tuple[Obligation, ...]
    degradation: Degradation | None
    policy_digest: str
    recorded: tuple[Recorded, ...]
    engine_args: dict[str, Any] | None
    engine_result: Any
    details: DecisionDetails
    _rules: tuple[str, ...] | DecidingRules


class Decision(_Fields):
    """The engine's answer to one call, result or event. Immutable.

    `effect` is what to do; `rules` the ids of all matching rules of that effect, sorted; `observed` the ids of
    `observe` rules that matched; `obligations` what the host owes; `degradation` what happens instead of a refused
    call or a failed output. `reason`, `detail`, `hint` and `errors` are worked out when first read.
    `policy_digest` names the exact policy that decided, `recorded` holds what functions of the host answered meanwhile.

    For the engine's own use, never to be changed: `engine_args` and `engine_result`, what `args` and `result` are in the
    engine's own terms, and `details`, which works out what is read late.
    """

    __slots__ = ()

    def __new__(
        cls,
        effect: Effect,
        phase: Phase,
        tool: str,
        *,
        args: dict[str, Any] | None,
        rules: tuple[str, ...] | DecidingRules,
        details: DecisionDetails,
        policy_digest: str,
        observed: tuple[str, ...] = (),
        obligations: tuple[Obligation, ...] = (),
        degradation: Degradation | None = None,
        result: Any = None,
        recorded: tuple[Recorded, ...] = (),
    ) -> Decision:
        """A decision; made by the engine."""
        return decision_of(
            effect, phase, tool, args, rules, details, policy_digest, observed, obligations, degradation, result, recorded
        )

    def with_bounds(
        self, obligations: tuple[Obligation, ...], observed: tuple[str, ...], details: DecisionDetails | None = None
    ) -> Decision:
        """The same decision with these obligations, observed rules and details instead; for the engine's own use."""
        return Decision(
            self.effect, self.phase, self.tool, args=self.engine_args, rules=self._rules, details=details or self.details,
            policy_digest=self.policy_digest, observed=observed, obligations=obligations,
            degradation=self.degradation, result=self.engine_result, recorded=self.recorded,
        )  # fmt: skip

    def with_degradation(self, degradation: Degradation) -> Decision:
        """The same decision as one that stands in for another; for the engine's own use."""
        return Decision(
            self.effect, self.phase, self.tool, args=self.engine_args, rules=self._rules, details=self.details,
            policy_digest=self.policy_digest, observed=self.observed, obligations=self.obligations,
            degradation=degradation, result=self.engine_result, recorded=self.recorded,
        )  # fmt: skip

    def with_recorded(self, recorded: tuple[Recorded, ...]) -> Decision:
        """The same decision with what was recorded while it was made; for the engine's own use."""
        return Decision(
            self.effect, self.phase, self.tool, args=self.engine_args, rules=self._rules, details=self.details,
            policy_digest=self.policy_digest, observed=self.observed, obligations=self.obligations,
            degradation=self.degradation, result=self.engine_result, recorded=recorded,
        )  # fmt: skip

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a decision cannot be changed")

    @property
    def rules(self) -> tuple[str, ...]:
        """The ids of all matching rules of the effect, sorted."""
        return self._rules if type(self._rules) is tuple else self._rules.rules  # type: ignore[union-attr]

    @property
    def allowed(self) -> bool:
        """Whether the call or event may go on as in `args` (`allow`), or the output as in `result` (`pass`, `redact`)."""
        return self.effect in ("allow", "pass", "redact")

    @property
    def args(self) -> dict[str, Any] | None:
        """The decided arguments, validated, normalised and rewritten: execute with exactly these. A fresh copy each time.

        None where the request did not fit and there is nothing to execute.
        """
        return None if self.engine_args is None else outward(self.engine_args)

    @property
    def result(self) -> Any:
        """The output as the agent may see it (result and event phases). A fresh copy each time; None when withheld."""
        return outward(self.engine_result)

    @property
    def reason(self) -> str:
        """Why, in words the agent may read: the `because` of the deciding rules. Leaks neither policy nor data."""
        return self.details.reason()

    @property
    def detail(self) -> str:
        """Why, for operators and approvers: rule ids and their `detail` notes, and how to permit what no rule allows."""
        return self.details.detail()

    @property
    def hint(self) -> str | None:
        """On a refusal, the nearest call that would pass («args.amount at most 100.0»), if the policy tells."""
        return self.details.hint()

    @property
    def errors(self) -> tuple[RuleError, ...]:
        """Conditions of targeted rules that came to an error, and what did not fit. Never holds values."""
        return self.details.errors()

    @property
    def asks(self) -> tuple[Ask, ...]:
        """Those of the obligations that ask a person."""
        return tuple(obligation for obligation in self.obligations if isinstance(obligation, Ask))

    @property
    def reserves(self) -> tuple[Reserve, ...]:
        """Those of the obligations that hold an amount of a limit."""
        return tuple(obligation for obligation in self.obligations if isinstance(obligation, Reserve))

    @property
    def timeout(self) -> Timeout | None:
        """The obligation to end what takes too long, if there is one."""
        return next((one for one in self.obligations if isinstance(one, Timeout)), None)

    @property
    def labels(self) -> tuple[Label, ...]:
        """Those of the obligations that put labels on the result or take them off."""
        return tuple(obligation for obligation in self.obligations if isinstance(obligation, Label))

    def __repr__(self) -> str:
        return f"Decision({self.effect}, {self.tool}, rules={list(self.rules)})"


def decision_of(
    effect: Effect,
    phase: Phase,
    tool: str,
    args: dict[str, Any] | None,
    rules: tuple[str, ...] | DecidingRules,
    details: DecisionDetails,
    policy_digest: str,
    observed: tuple[str, ...] = (),
    obligations: tuple[Obligation, ...] = (),
    degradation: Degradation | None = None,
    result: Any = None,
    recorded: tuple[Recorded, ...] = (),
) -> Decision:
    """The decision of these fields, by position: what `Decision(…)` makes, at half its cost. For the engine's own use."""
    made: Any = _Fields()
    made.effect = effect
    made.phase = phase
    made.tool = tool
    made.engine_args = args
    made._rules = rules
    made.details = details
    made.policy_digest = policy_digest
    made.observed = observed
    made.obligations = obligations
    made.degradation = degradation
    made.engine_result = result
    made.recorded = recorded
    made.__class__ = Decision  # from now on nothing can be assigned
    return made  # type: ignore[no-any-return]
