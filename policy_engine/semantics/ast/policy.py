"""The syntax tree of a policy file, as written: names unresolved, `let` unexpanded. One class a production.

Shared by parser, formatter, compiler and the test oracle. Spans cover the words a diagnostic should underline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as OneOf, TypeAlias

from policy_engine.base.source import Span
from policy_engine.semantics.ast.expressions import Expr


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """A name or a piece of text where it stands: identifiers, rule names, file names, notes (`text` unescaped)."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class DurationWord:
    """A duration literal such as `1h30m` where the grammar asks for one; `nanos` is its length."""

    nanos: int
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class CountWord:
    """A whole number where the grammar asks for one."""

    value: int
    span: Span


# ------------------------------------------------------------------ types as written
@dataclass(frozen=True, slots=True, eq=False)
class TypeExpr:
    """`string`, `list(int)`, `"a" | "b"` (then `options` is filled and `name` is `enum`)."""

    name: str
    arguments: tuple[TypeExpr, ...]
    options: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class FieldDeclaration:
    """`clearance: int?` inside `principal { … }`."""

    name: Word
    type: TypeExpr
    optional: bool


# ------------------------------------------------------------------ targets and paths
@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One target. `kind`: `name` (a tool or a group, resolved later), `glob` (holds a `*`), `quoted`, `event` (`@answer`)."""

    kind: OneOf["name", "glob", "quoted", "event"]
    text: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """`a, b except c`."""

    included: tuple[Target, ...]
    excluded: tuple[Target, ...]
    span: Span


PathStep: TypeAlias = str | int | None
"""A field name, a list index, or None for `[*]`."""


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """`result.items[*].subject`: root `result`, steps `("items", None, "subject")`."""

    root: str
    steps: tuple[PathStep, ...]
    span: Span


# ------------------------------------------------------------------ parts of rules
@dataclass(frozen=True, slots=True, eq=False)
class Guards:
    """`when` (at most one) and each `unless`, one exception each."""

    when: Expr | None
    unless: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Notes:
    """What a rule says: `because` to the agent, `detail` to operator and approver, `tags` to auditors."""

    because: Word | None
    detail: Word | None
    tags: tuple[Word, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Tier:
    """`to 2 of managers where … within 2h`."""

    count: int
    queue: Word
    where: Expr | None
    within: DurationWord
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ElseDeny:
    """`else deny`."""

    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ElseWithhold:
    """`else withhold`."""

    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ElseReply:
    """`else reply EXPR`."""

    value: Expr
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ElseSet:
    """`else set PATH to EXPR set …`."""

    changes: tuple[SetChange, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ElseCall:
    """`else call TOOL with EXPR`; without `with` the arguments stay."""

    tool: Target
    arguments: Expr | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ElseRetry:
    """`else retry up to 2 times else …`."""

    times: CountWord
    otherwise: Otherwise | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ElseEscalate:
    """`else escalate to …`."""

    ladder: Ladder
    span: Span


Otherwise: TypeAlias = ElseDeny | ElseWithhold | ElseReply | ElseSet | ElseCall | ElseRetry | ElseEscalate


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """Tiers asked one after the other, then the degradation; None = deny."""

    tiers: tuple[Tier, ...]
    otherwise: Otherwise | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class SetChange:
    """`set PATH to EXPR`."""

    path: Path
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class RedactChange:
    """`redact PATH, PATH with EXPR`; `replacement is None` = each value becomes the empty one of its type."""

    paths: tuple[Path, ...]
    replacement: Expr | None
    span: Span


Change: TypeAlias = SetChange | RedactChange


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """`per 1h` (sliding), `per day in "Europe/Berlin"` (calendar), `per run`, `at once`."""

    kind: OneOf["sliding", "calendar", "run", "at_once"]
    duration: DurationWord | None
    unit: OneOf["day", "week", "month"] | None
    zone: Word | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Backoff:
    """`backoff 200ms..5s`."""

    first: DurationWord
    last: DurationWord


# ------------------------------------------------------------------ rules
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RuleHead:
    """What every rule has. `keyword_span` is the kind, `span` the whole rule, `observe` = decided, not enforced."""

    name: Word
    targets: Targets
    guards: Guards
    notes: Notes
    observe: bool
    keyword_span: Span
    span: Span


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Permission(RuleHead):
    """`allow` or `deny`."""

    effect: OneOf["allow", "deny"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Escalation(RuleHead):
    """`escalate`."""

    ladder: Ladder


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Rewriting(RuleHead):
    """`rewrite`."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Labelling(RuleHead):
    """`label`; no paths = the whole result or event."""

    labels: tuple[Word, ...]
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Declassification(RuleHead):
    """`declassify`."""

    labels: tuple[Word, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Validation(RuleHead):
    """`validate`; every requirement must hold. `otherwise is None` = fail."""

    requirements: tuple[Expr, ...]
    otherwise: Otherwise | None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Limit(RuleHead):
    """`limit`."""

    bound: Expr
    of: Expr | None
    distinct: bool
    reserve: Expr | None
    window: Window
    by: tuple[Expr, ...]
    otherwise: Otherwise | None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Timeout(RuleHead):
    """`timeout`."""

    after: DurationWord
    otherwise: Otherwise | None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Retry(RuleHead):
    """`retry`."""

    times: CountWord
    backoff: Backoff | None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Breaker(RuleHead):
    """`breaker`."""

    failures: CountWord
    within: DurationWord
    probe_after: DurationWord
    otherwise: Otherwise | None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Invariant(RuleHead):
    """`invariant … never allow`."""

    quantifier: OneOf["never", "always", "sometimes"]
    effect: OneOf["allow", "deny", "escalate"]


Rule: TypeAlias = (
    Permission | Escalation | Rewriting | Labelling | Declassification | Validation | Limit | Timeout | Retry | Breaker
    | Invariant
)  # fmt: skip

KEYWORDS = {
    Escalation: "escalate", Rewriting: "rewrite", Labelling: "label", Declassification: "declassify",
    Validation: "validate", Limit: "limit", Timeout: "timeout", Retry: "retry", Breaker: "breaker",
    Invariant: "invariant",
}  # fmt: skip


def kind_of(rule: Rule) -> str:
    """The word a rule begins with: `allow`, `escalate`, `validate` …"""
    return rule.effect if isinstance(rule, Permission) else KEYWORDS[type(rule)]


# ------------------------------------------------------------------ declarations
@dataclass(frozen=True, slots=True, eq=False)
class UseTools:
    """`use tools "crm.tools.json" as crm`."""

    file: Word
    alias: Word | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class UseRules:
    """`use rules "shared/pii.policy"`."""

    file: Word
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class UseData:
    """`use data "limits.yaml" as limits: map(string, double)`; no type = `dyn`."""

    file: Word
    name: Word
    type: TypeExpr | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Param:
    """`param cap: double = 100.0`."""

    name: Word
    type: TypeExpr
    default: Expr | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Queues:
    """`queues finance, ops`."""

    names: tuple[Word, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """`labels untrusted, payee`."""

    names: tuple[Word, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """`history customer by args.customer for 30d`."""

    name: Word
    key: Expr
    keep: DurationWord
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """`principal { … }`, `context`, `agent`, `approver`."""

    subject: OneOf["principal", "context", "agent", "approver"]
    fields: tuple[FieldDeclaration, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Let:
    """`let verified(id) on crm.* = …`; `parameters` empty for a plain name, `targets` None for everywhere."""

    name: Word
    parameters: tuple[Word, ...]
    targets: Targets | None
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """`group reads = crm.lookup_*, crm.search except crm.lookup_secret`."""

    name: Word
    targets: Targets
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Default:
    """`default deny | abstain | escalate …`; `ladder` only for escalate."""

    effect: OneOf["deny", "abstain", "escalate"]
    ladder: Ladder | None
    span: Span


Declaration: TypeAlias = (
    UseTools | UseRules | UseData | Param | Queues | Labels | History | Shape | Let | Group | Default
)
Item: TypeAlias = Declaration | Rule


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """`policy support.refunds under "org/baseline.policy" version "3.2.0" owner "payments" edition "2026" hint off`."""

    name: Word
    under: tuple[Word, ...]
    version: Word | None
    owner: Word | None
    edition: Word | None
    hint: bool
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class PolicyFile:
    """One parsed file: its header and its items in the order written."""

    header: Header
    items: tuple[Item, ...]
    span: Span
