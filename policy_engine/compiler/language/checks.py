"""What must hold within a file beyond its grammar, before names and types are looked at.

One function a check, listed in `CHECKS`; its code stands beside it. `parse_policy` runs them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from policy_engine.base.source import Span
from policy_engine.diagnostics.model import Code, Collector, Diagnostic, Label
from policy_engine.semantics.ast.expressions import Literal
from policy_engine.semantics.ast.policy import (
    Breaker,
    CountWord,
    Default,
    DurationWord,
    ElseCall,
    ElseDeny,
    ElseEscalate,
    ElseReply,
    ElseRetry,
    ElseSet,
    ElseWithhold,
    Escalation,
    History,
    Invariant,
    Ladder,
    Limit,
    Otherwise,
    PolicyFile,
    Queues,
    Retry,
    RuleHead,
    Timeout,
    Validation,
    kind_of,
)

NOT_POSITIVE: Final = Code(
    "not-positive",
    "A number or a duration is zero where at least one is meant",
    """\
Zero retries, a window of no length or an approval by nobody mean nothing that a rule could do.

```policy
retry lookups on crm.search up to 0 times
```

Mended:

```policy
retry lookups on crm.search up to 3 times
```
""",
)
TWO_DEFAULTS: Final = Code(
    "two-defaults",
    "A file says twice what happens to calls that no rule grants",
    """\
A layer has one default; a second could only contradict it or repeat it.

```policy
default deny
default abstain
```

Mended:

```policy
default deny
```
""",
)
WRONG_OUTCOME: Final = Code(
    "wrong-outcome",
    "`else` names an outcome that its rule cannot have",
    """\
`withhold` and `retry` are about an output that is there already: only `validate` has them. A call that waits for people
or hits a limit ends in deny, reply, set or call; one that timed out or met an open breaker in deny, reply or call.

```policy
escalate big on crm.refund to finance within 30m else withhold
```

Mended:

```policy
escalate big on crm.refund to finance within 30m else deny
```
""",
)
RESERVED_QUEUE: Final = Code(
    "reserved-queue",
    "The queue `user` is declared",
    """\
`user` is the human of the conversation and always there. A queue of that name would let somebody else answer for them.

```policy
queues user, finance
```

Mended:

```policy
queues finance
```
""",
)
OBSERVED_INVARIANT: Final = Code(
    "observed-invariant",
    "`observe` stands before an invariant",
    """\
An invariant is proven about the other rules and decides nothing, so there is nothing to observe.

```policy
observe invariant reviewed on crm.refund when args.amount > 500.0 never allow
```

Mended:

```policy
invariant reviewed on crm.refund when args.amount > 500.0 never allow
```
""",
)
BACKOFF_ORDER: Final = Code(
    "backoff-order",
    "A backoff ends before it begins",
    """\
`backoff FIRST..LAST`: waits grow from the first to the last.

```policy
retry lookups on crm.search up to 3 times backoff 5s..200ms
```

Mended:

```policy
retry lookups on crm.search up to 3 times backoff 200ms..5s
```
""",
)
CODES: Final = (NOT_POSITIVE, TWO_DEFAULTS, WRONG_OUTCOME, RESERVED_QUEUE, OBSERVED_INVARIANT, BACKOFF_ORDER)

_NOT_LOADED: Final = "the policy does not load"
_OF_CALLS: Final = (ElseDeny, ElseReply, ElseSet, ElseCall)
_OF_FAILURES: Final = (ElseDeny, ElseReply, ElseCall)
_OF_OUTPUTS: Final = (ElseDeny, ElseWithhold, ElseRetry, ElseReply, ElseSet, ElseEscalate)
_WORDS: Final = {
    ElseDeny: "deny", ElseWithhold: "withhold", ElseReply: "reply", ElseSet: "set", ElseCall: "call", ElseRetry: "retry",
    ElseEscalate: "escalate",
}  # fmt: skip


def check_positive(file: PolicyFile, collector: Collector) -> None:
    """`up to 0 times`, `per 0s`, `0 of managers`, `within 0m`."""
    for item in file.items:
        for number, span, what in _numbers(item):
            if number <= 0:
                collector.add(
                    Diagnostic(
                        NOT_POSITIVE, f"{what} is zero; it must be more", (Label(span, "zero"),), effect=_NOT_LOADED,
                        suggestion=_one_instead(span),
                    )
                )  # fmt: skip


def _one_instead(span: Span) -> str:
    """The same with a one in place of the zero."""
    return re.sub(r"\b0+", "1", span.text, count=1)


def _numbers(item: object) -> Iterator[tuple[int, Span, str]]:
    match item:
        case Retry():
            yield _count(item.times, "the number of retries")
            if item.backoff:
                yield _time(item.backoff.first, "the first wait of the backoff")
        case Breaker():
            yield _count(item.failures, "the number of failures that opens the breaker")
            yield _time(item.within, "the time in which failures are counted")
            yield _time(item.probe_after, "the time until the breaker probes")
        case Timeout():
            yield _time(item.after, "the time a call may take")
        case History():
            yield _time(item.keep, "the time a history is kept")
        case Limit():
            if item.window.duration is not None:
                yield _time(item.window.duration, "the window of the limit")
            if isinstance(item.bound, Literal) and item.bound.value == 0 and item.window.kind == "at_once":
                yield 0, item.bound.span, "the number of calls at once"
    for ladder in _ladders(item):
        for tier in ladder.tiers:
            yield tier.count, tier.span, "the number of people a tier asks"
            yield _time(tier.within, "the time a tier may take")
    for outcome in _outcomes(item):
        if isinstance(outcome, ElseRetry):
            yield _count(outcome.times, "the number of retries")


def _count(word: CountWord, what: str) -> tuple[int, Span, str]:
    return word.value, word.span, what


def _time(word: DurationWord, what: str) -> tuple[int, Span, str]:
    return word.nanos, word.span, what


def _ladders(item: object) -> Iterator[Ladder]:
    if isinstance(item, Escalation):
        yield item.ladder
    if isinstance(item, Default) and item.ladder is not None:
        yield item.ladder
    for outcome in _outcomes(item):
        if isinstance(outcome, ElseEscalate):
            yield outcome.ladder


def _outcomes(item: object) -> Iterator[Otherwise]:
    """Each outcome in the item, those inside others too."""
    pending: list[Otherwise | None] = []
    if isinstance(item, Escalation):
        pending.append(item.ladder.otherwise)
    elif isinstance(item, Default):
        pending.append(item.ladder.otherwise if item.ladder else None)
    elif isinstance(item, Validation | Limit | Timeout | Breaker):
        pending.append(item.otherwise)
    while pending:
        outcome = pending.pop()
        if outcome is None:
            continue
        yield outcome
        if isinstance(outcome, ElseRetry):
            pending.append(outcome.otherwise)
        elif isinstance(outcome, ElseEscalate):
            pending.append(outcome.ladder.otherwise)


def check_defaults(file: PolicyFile, collector: Collector) -> None:
    """One default a file."""
    defaults = [item for item in file.items if isinstance(item, Default)]
    for again in defaults[1:]:
        collector.add(
            Diagnostic(
                TWO_DEFAULTS, "the file has two defaults; it may have one",
                (Label(again.span, "again here"), Label(defaults[0].span, "first here")),
                effect="nobody can tell what happens to a call that no rule grants", suggestion="keep one of both",
            )
        )  # fmt: skip


def check_outcomes(file: PolicyFile, collector: Collector) -> None:
    """Outcomes fit the kind of rule they stand in."""
    for item in file.items:
        match item:
            case Validation():
                taken: tuple[type, ...] = _OF_OUTPUTS
            case Limit():
                taken = (*_OF_CALLS, ElseEscalate)
            case Timeout() | Breaker():
                taken = _OF_FAILURES
            case _:
                taken = _OF_CALLS
        words = ", ".join(f"`{_WORDS[kind]}`" for kind in taken)
        what = f"{kind_of(item)} {item.name.text}" if isinstance(item, RuleHead) else "the default"
        for outcome in _outcomes(item):
            if not isinstance(outcome, taken):
                collector.add(
                    Diagnostic(
                        WRONG_OUTCOME, f"`else {_WORDS[type(outcome)]}` cannot end `{what}`", (Label(outcome.span, "here"),),
                        effect=_NOT_LOADED, suggestion=f"else with one of {words}",
                    )
                )  # fmt: skip


def check_queues(file: PolicyFile, collector: Collector) -> None:
    """`user` is not for declaring."""
    for item in file.items:
        for name in item.names if isinstance(item, Queues) else ():
            if name.text == "user":
                collector.add(
                    Diagnostic(
                        RESERVED_QUEUE, "`user` cannot be declared as a queue: it is the human of the conversation",
                        (Label(name.span, "reserved"),), effect="someone else could answer for the user",
                        suggestion="leave it out; `to user within 10m` works without",
                    )
                )  # fmt: skip


def check_observed(file: PolicyFile, collector: Collector) -> None:
    """Nothing is observed of an invariant."""
    for item in file.items:
        if isinstance(item, Invariant) and item.observe:
            collector.add(
                Diagnostic(
                    OBSERVED_INVARIANT, f"`observe` has no meaning before the invariant `{item.name.text}`",
                    (Label(item.keyword_span, "decides nothing"),), effect=_NOT_LOADED, suggestion="delete `observe`",
                )
            )  # fmt: skip


def check_backoff(file: PolicyFile, collector: Collector) -> None:
    """Waits grow."""
    for item in file.items:
        if isinstance(item, Retry) and item.backoff and item.backoff.first.nanos > item.backoff.last.nanos:
            first, last = item.backoff.first.span, item.backoff.last.span
            collector.add(
                Diagnostic(
                    BACKOFF_ORDER, f"the backoff goes from {first.text} down to {last.text}",
                    (Label(last, "less than the first"), Label(first, "the first wait")), effect=_NOT_LOADED,
                    suggestion=f"backoff {last.text}..{first.text}",
                )
            )  # fmt: skip


CHECKS: Final[tuple[Callable[[PolicyFile, Collector], None], ...]] = (
    check_positive, check_defaults, check_outcomes, check_queues, check_observed, check_backoff,
)  # fmt: skip
"""Every check, in the order their findings are told."""
