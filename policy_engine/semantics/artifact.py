"""The compiled policy: what the compiler hands to the runtime, complete and immutable. The two meet nowhere else.

A *batch* is a row of conditions that one generated function evaluates together; bit `i` of its answer means condition
`i` holds (or was an error whose safe side is to hold), bit `len(batch) + i` that it was an error.
Generated functions take `(args, principal, environment)`, see `semantics/activation.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any, ClassVar, Final, Literal as OneOf, TypeAlias

from policy_engine.base.source import Span
from policy_engine.semantics.ast.expressions import Expr
from policy_engine.semantics.ast.policy import PathStep
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.types import RecordType, Type


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """An expression evaluated on its own. `function` names its generated twin in the policy's code.

    `functions` are those it may call; None = the language's own, without any of the host's.
    """

    expression: Expr
    function: str
    functions: Mapping[str, Function] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Conditions evaluated together. `on_error[i]` is the bit that an error of condition `i` sets.

    `functions` are those they may call; None = the language's own, without any of the host's.
    """

    conditions: tuple[Expr, ...]
    on_error: tuple[bool, ...]
    function: str
    functions: Mapping[str, Function] | None = None


IndexFamily: TypeAlias = OneOf[
    "equal", "whole", "begins", "ends", "pattern", "above", "reaches", "below", "within", "present", "test",
]
"""How a table finds the rules whose tested conjunct may be true. `equal`: by the value. `whole begins ends`: by a text
that it is, begins or ends with. `pattern`: by RE2. `above reaches below within`: by a bound (`>  >=  <  <=`).
`present`: all rules, once the path can be read. `test`: all rules, once the test they share holds."""
IndexBucket: TypeAlias = "int | tuple[int, int] | IndexNode"
"""The rules at one key: one by its number, with nothing left to test; one with the part that tests the rest; several."""


@dataclass(frozen=True, slots=True, eq=False)
class IndexTable:
    """One conjunct each of many rules, found by what stands at `path` (its root and fields).

    A key that is not in `rows` makes that conjunct *false*. Where the conjuncts come to an *error* (nothing can be read
    at `path`, or it has no such operation) the rules are those of `failing`. `encoded` = half a surrogate pair in the
    text is such an error, because a pattern reads it. `part` and `expression` are the test of family `test`.
    """

    family: IndexFamily
    path: tuple[str, ...]
    rows: tuple[tuple[Any, IndexBucket], ...]
    failing: IndexNode
    encoded: bool = False
    part: int = -1
    expression: Expr | None = None


@dataclass(frozen=True, slots=True, eq=False)
class IndexNode:
    """Rules of which some conjuncts are decided already: all of those true, or (`failed`) one of them an error.

    `entries` are (rule, part that tests the rest, or -1 = nothing is left); `blocks` are parts that test several rules
    and give a batch's mask. In a failed node a rule whose rest is true is an error, and false where its rest is.
    """

    failed: bool
    tables: tuple[IndexTable, ...]
    blocks: tuple[int, ...]
    entries: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Index:
    """The index of a batch with many conditions, as plain data; `semantics/index` makes it ready and keeps it so."""

    batch: Batch
    root: IndexNode
    ready: ClassVar[Any] = None


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """A `because` or `detail`: literal pieces and `{…}` values in turn. Only values that leak nothing were let in."""

    parts: tuple[str | Value, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PlainPath:
    """Where a rewrite, redaction or label acts: root `args`, `result`, `answer` …; a step None is `[*]`."""

    root: str
    steps: tuple[PathStep, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SetStep:
    """`set PATH to VALUE`."""

    path: PlainPath
    value: Value


@dataclass(frozen=True, slots=True, eq=False)
class RedactStep:
    """`redact PATH with VALUE`; no replacement = the empty value of its kind."""

    path: PlainPath
    replacement: Value | None


Step: TypeAlias = SetStep | RedactStep


@dataclass(frozen=True, slots=True, eq=False)
class CompiledTier:
    """`to COUNT of QUEUE where … within …`; `where` reads `approver` besides the names of the call."""

    count: int
    queue: str
    where: Value | None
    within_nanos: int


@dataclass(frozen=True, slots=True, eq=False)
class CompiledOtherwise:
    """What follows silence or failure. Which fields are filled follows from `kind`.

    reply: `value`; set: `steps`; call: `tool`, `value` (a map of arguments, or None = the same); retry: `times`, `then`;
    escalate: `ladder`.
    """

    kind: OneOf["deny", "withhold", "reply", "set", "call", "retry", "escalate"]
    value: Value | None = None
    steps: tuple[SetStep, ...] = ()
    tool: str | None = None
    times: int = 0
    then: CompiledOtherwise | None = None
    ladder: CompiledLadder | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CompiledLadder:
    """Tiers in the order they are asked; `otherwise` None = deny."""

    tiers: tuple[CompiledTier, ...]
    otherwise: CompiledOtherwise | None


@dataclass(frozen=True, slots=True, eq=False)
class CompiledWindow:
    """Over which time a limit counts: the last `nanos` (sliding), a calendar `unit` in `zone`, a run, or at once."""

    kind: OneOf["sliding", "calendar", "run", "at_once"]
    nanos: int = 0
    unit: OneOf["day", "week", "month"] | None = None
    zone: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CompiledLimit:
    """`to BOUND of AMOUNT … by KEYS`; without `of` each call counts one, with `distinct` each new value does.

    `settles` = `of` reads what is known after the call, so that `reserve` is held before and the amount set after.
    """

    bound: Value
    of: Value | None
    distinct: bool
    reserve: Value | None
    settles: bool
    window: CompiledWindow
    by: tuple[Value, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CompiledTimeout:
    """`after D`: the longest time of one attempt, of a run, or of the check of an event."""

    after_nanos: int


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRetry:
    """`up to N times backoff FIRST..LAST`: that many tries after the first; pauses grow from first to last."""

    times: int
    first_nanos: int
    last_nanos: int


@dataclass(frozen=True, slots=True, eq=False)
class CompiledBreaker:
    """`open after N failures in D probe after E`. One state for all the tools that the rule targets."""

    failures: int
    within_nanos: int
    probe_nanos: int


Execution: TypeAlias = CompiledLimit | CompiledTimeout | CompiledRetry | CompiledBreaker
"""What a mediator has to do beside deciding."""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRule:
    """One rule as it stands for one tool or event. Its condition sits in the plan's batch at the same index.

    `condition` is `when && !unless && …` with `let` expanded, and `param`, data and groups put in as literals; a rule
    without guards has the literal true. For `validate` it is the *failure*: guards hold and a requirement does not.
    `execution` is what limit, timeout, retry and breaker ask of a mediator; the `ladder` of a limit is its `else escalate`.
    """

    id: str
    kind: OneOf[
        "allow", "deny", "escalate", "rewrite", "label", "declassify", "validate", "limit", "timeout", "retry", "breaker",
    ]
    layer: int
    observe: bool
    condition: Expr
    span: Span
    because: Message | None = None
    detail: Message | None = None
    tags: tuple[str, ...] = ()
    ladder: CompiledLadder | None = None
    steps: tuple[Step, ...] = ()
    labels: tuple[str, ...] = ()
    paths: tuple[PlainPath, ...] = ()
    otherwise: CompiledOtherwise | None = None
    execution: Execution | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """Rules of one plan that are evaluated together, sorted by (id, place), and their batch."""

    rules: tuple[CompiledRule, ...]
    batch: Batch


NO_RULES: Final = Section((), Batch((), (), ""))
"""The one empty section. Its batch names no function."""


@dataclass(frozen=True, slots=True, eq=False)
class ToolPlan:
    """Everything the runtime needs for one tool.

    `input` None = no schema: any arguments within the limits. `rewrites` act on `args` before `decide`
    (allow, deny, escalate); `result` holds validate, label, declassify and rewrites of `result`. A call that passes is
    held to `limits` and `timeouts`; one that failed is judged by `errors` (retry, breaker).
    """

    name: str
    input: RecordType | None
    output: Type
    annotations: Mapping[str, Any]
    rewrites: Section
    decide: Section
    result: Section
    limits: Section = NO_RULES
    timeouts: Section = NO_RULES
    errors: Section = NO_RULES


@dataclass(frozen=True, slots=True, eq=False)
class EventPlan:
    """The same for an event such as `@answer`: `rewrites` of its fields, `decide` (deny, escalate), `result` (validate …).

    The timeouts of `@run` bound the run, those of another event the time in which it is decided.
    """

    name: str
    rewrites: Section
    decide: Section
    result: Section
    limits: Section = NO_RULES
    timeouts: Section = NO_RULES


@dataclass(frozen=True, slots=True, eq=False)
class CompiledLayer:
    """One layer: the policy itself (index 0) or one above it. `default` says what a call is that no rule grants."""

    name: str
    default: OneOf["deny", "abstain", "escalate"]
    ladder: CompiledLadder | None
    hint: bool


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """State kept of the calls of a run (or of a history) as they come, so that nobody goes through them later.

    A call counts where `test` holds; with `rows` each element of that list of it on its own, where `row_test` holds.
    The expressions read the call as `args`, the row as `principal`, and nothing else. `keys` are what a question
    compares with its own values (`row_keys` tells which are of the row); `value` is what `reduce` takes together, from
    `start`. `tools` None = of all tools. `keeps` tells what questions need beside the first call: `count`, `last`,
    `window`. `text` is what it says to people.
    """

    source: str
    attempts: bool
    tools: tuple[str, ...] | None
    test: Value | None
    rows: Value | None
    row_test: Value | None
    keys: tuple[Value, ...]
    row_keys: tuple[bool, ...]
    value: Value | None
    reduce: OneOf["sum", "max", "min"] | None
    start: Value | None
    keeps: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """`moment - call.at < span` (or `<=`): the positions of both among a question's arguments."""

    moment: int
    span: int
    inclusive: bool


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """A question that conditions put to a track by its number, with arguments evaluated at that moment.

    `keys` are the positions of the values for the track's keys; `after` is the question that finds the call since which
    to look. `template` is what was written, with `$calls` for the list and `$0` … for the arguments: its meaning, and
    what is evaluated where the state cannot know.
    """

    kind: OneOf["exists", "uniform", "count", "last", "reduce"]
    track: int
    keys: tuple[int, ...]
    window: Window | None
    after: Fold | None
    template: Expr
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class FoldPlan:
    """All tracks of a policy, and the questions by number. `scanned` are the places of history that is gone through."""

    tracks: tuple[Track, ...] = ()
    folds: tuple[Fold, ...] = ()
    scanned: tuple[tuple[Span, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class CompiledHistory:
    """`history NAME by KEY for D`: `name` with its layer, and for how long calls count."""

    name: str
    key: Value
    keep_nanos: int


@dataclass(frozen=True, slots=True, eq=False)
class CompiledPolicy:
    """A whole policy with its layers. `code` defines every generated function; `constants` is the namespace it runs in.

    `records` maps principal, context, agent, approver to the records each declared shape demands (a value must fit
    all). `digest` is the SHA-256 (hex) of all sources, data, schemas, params and the engine's version. `mediated` = some
    rule is a limit, timeout, retry or breaker, which deciding alone does not keep.
    """

    name: str
    version: str | None
    digest: str
    layers: tuple[CompiledLayer, ...]
    tools: Mapping[str, ToolPlan]
    events: Mapping[str, EventPlan]
    records: Mapping[str, tuple[RecordType, ...]]
    labels: tuple[str, ...]
    queues: tuple[str, ...]
    params: Mapping[str, Any]
    code: CodeType
    constants: Mapping[str, Any]
    folds: FoldPlan = FoldPlan()
    histories: tuple[CompiledHistory, ...] = ()
    mediated: bool = False
