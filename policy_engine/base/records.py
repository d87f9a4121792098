"""What the audit holds: one shape for each kind of record. Written by the mediation, read by `audit` and `telemetry`.

Every record has a kind, a moment (`at`, nanoseconds), a run and, where it is about a call, the call. The shapes here are
its body: JSON-like, without any value that an agent, a user or a tool chose. Those are *payloads*, kept beside the chain:
`args` (decided), `asked` (as the agent sent them, where they differ), `result`, `shown` (what the agent saw of it, where it
was redacted), `error`, `input`, `fields` (of an event), `principal`, `agent`, `context`, `tool` (annotations and digest that the
host gave), `approvals`, `owed` (values of the obligations that the body's `owes` lists), `recorded` (what functions of the
host answered), `inherited` (what the parent of a run had been asked), `salt` (of the digests `event` and `state` of a run,
which nobody can guess values from once it is erased).

`seen` is how many entries the run's trace held when something was decided, `entry` the number of the one that was made then:
calls that run at the same time are decided again in that order.
"""

from __future__ import annotations

from typing import Any, Literal as OneOf, NotRequired, TypeAlias, TypedDict

RecordKind: TypeAlias = OneOf[
    "run.begun", "run.resumed", "run.ended", "decision", "outcome", "event", "plan", "ask", "answer", "breaker", "leak", "mode",
    "reload", "policy", "erased", "checkpoint",
]
Cause: TypeAlias = OneOf[
    "policy", "limit", "instead", "breaker", "deadline", "busy", "identity", "delegation", "ended", "store", "engine"
]
"""Who decided: the policy's rules or default; a limit that was reached (it may ask, or make the call smaller); the `else call`
of another call. Or who refused: an open breaker; a time that was over; a tool with too many calls that never ended; a call id
used twice; a run to which the tool was not delegated; a run that had ended; a store that failed; a fault of the engine."""
Status: TypeAlias = OneOf["returned", "error", "timeout", "cancelled", "unknown"]


class RunBegun(TypedDict):
    """A run, or one that another run began (`parent`; `root` is the first). `deadline` is nanoseconds from its beginning;
    `task` is the host's name of what is to be done: runs of the same task can be compared. `started` is the moment that
    conditions read as `run.started`."""

    parent: str | None
    root: str
    policy: str
    mode: OneOf["enforce", "observe"]
    agent: str | None
    model: str | None
    prompt_version: str | None
    attended: bool
    deadline: int | None
    task: NotRequired[str]
    started: NotRequired[int]


class RunResumed(TypedDict):
    """Another process goes on with a run, under the policy in force; its history had `seen` entries."""

    policy: str
    mode: OneOf["enforce", "observe"]
    seen: int


class RunEnded(TypedDict):
    """`completed`: an answer was given and passed, and the host did not say otherwise. `parent` as in `RunBegun`: a task is a
    run without one. `resumed`: the same run ended before, in another process, and was not completed then."""

    completed: bool
    cause: str | None
    calls: int
    duration: int
    parent: NotRequired[str | None]
    resumed: NotRequired[bool]


class DecisionBody(TypedDict):
    """The last decision about a call before it runs, or does not. `event` is the digest of the request, `state` that of
    the run before it; `took` is nanoseconds by stage since the call's record before; `approvers` are the ids of those whose
    answers counted; `tries` tells the number of earlier times the same call was decided (a resume).

    `event` leaves out the host's id of the call and the moment: the same request made again has the same, which is how a
    loop is seen. `owes`: its obligations, as the policy says them. `hinted`: the agent was told the nearest call that would
    pass. `wait` (nanoseconds): how long it was told to wait."""

    tool: str
    effect: str
    rules: list[str]
    cause: Cause
    policy: str
    event: str
    state: str
    enforced: bool
    tries: int
    seen: int
    entry: int
    hinted: NotRequired[bool]
    observed: NotRequired[list[str]]
    errors: NotRequired[list[list[str]]]
    limits: NotRequired[list[list[Any]]]
    approvers: NotRequired[list[str]]
    instead: NotRequired[str]
    wait: NotRequired[int]
    owes: NotRequired[list[list[Any]]]
    took: NotRequired[dict[str, int]]


class OutcomeBody(TypedDict):
    """What came of a call that ran. `decision` is the digest of its decision record, `tries` the attempts made, `attempt` how
    often the result was sent back before, `error` the
    class of the failure, `effect` what the agent may see (`pass`, `redact`, `withhold` …), by `rules`; `limits` what went wrong
    with limits and breakers (`commit`, `refund`, a breaker that could not be told)."""

    tool: str
    status: Status
    decision: str
    tries: int
    duration: int
    cost: float
    effect: str
    rules: list[str]
    policy: str
    seen: int
    entry: int
    limits: NotRequired[list[list[Any]]]
    attempt: NotRequired[int]
    error: NotRequired[str]
    observed: NotRequired[list[str]]
    errors: NotRequired[list[list[str]]]
    labels: NotRequired[list[list[Any]]]
    spent: NotRequired[dict[str, float]]
    took: NotRequired[dict[str, int]]


class EventBody(TypedDict):
    """An event and the decision about it. `name` is `@input`, `@step`, `@answer` …; `kind` that of a step; `labels` those that an
    input brought with it; `tries` how often the same output was sent back before."""

    name: str
    effect: str
    rules: list[str]
    cause: Cause
    policy: str
    event: str
    state: str
    enforced: bool
    seen: int
    entry: int
    labels: NotRequired[list[str]]
    kind: NotRequired[str]
    tokens: NotRequired[int]
    cost: NotRequired[float]
    tries: NotRequired[int]
    observed: NotRequired[list[str]]
    errors: NotRequired[list[list[str]]]
    wait: NotRequired[int]
    took: NotRequired[dict[str, int]]


class PlanBody(TypedDict):
    """The tools that the agent says it will call, in order."""

    tools: list[str]


class AskBody(TypedDict):
    """People are asked (`queue`, `count`, until `expires`), or asked in the next tier."""

    request: str
    rule: str
    queue: str
    count: int
    tier: int
    expires: int


class AnswerBody(TypedDict):
    """Somebody answered, or nobody did (`silent`), or the request was withdrawn, or expired."""

    request: str
    rule: str
    queue: str
    answer: OneOf["approved", "refused", "silent", "withdrawn", "expired"]
    approver: str | None
    waited: int


class BreakerBody(TypedDict):
    """A breaker opened or closed."""

    rule: str
    state: OneOf["open", "closed"]


class LeakBody(TypedDict):
    """A sync call went on after its time was over; `abandoned` such calls of the tool run now."""

    tool: str
    abandoned: int


class ModeBody(TypedDict):
    """Somebody switched between enforcing and observing; `by` proved to be who they are."""

    mode: OneOf["enforce", "observe"]
    by: str
    until: int | None


class ReloadBody(TypedDict):
    """A policy took the place of another, or failed to (`problem`)."""

    before: str
    after: str | None
    problem: str | None


class PolicyBody(TypedDict):
    """A policy was kept, to be loaded again: `sources` are the SHA-256 (hex) of what it is made of, by name; the empty name
    is how to load it. Made by the audit log itself, as the next two are."""

    policy: str
    sources: dict[str, str]


class ErasedBody(TypedDict):
    """The payloads of records were erased: those in `ranges` (first and last number, both included), `count` in all."""

    by: OneOf["run", "date", "principal"]
    ranges: list[list[int]]
    count: int


class CheckpointBody(TypedDict):
    """The key `key` (SHA-256 of its public half) signed that record `sequence` of this log had this digest."""

    log: str
    sequence: int
    digest: str
    at: int
    key: str
    signature: str
