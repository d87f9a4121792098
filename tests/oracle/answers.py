"""What the oracle's decisions are made of: answers, people's replies, histories, and rules with what they came to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from policy_engine.semantics.ast import policy as tree
from policy_engine.semantics.ast.shapes import shape_of
from tests.oracle.cel import Evaluator, conjunction
from tests.oracle.values import Err


@dataclass(frozen=True)
class Answer:
    """A decision, as far as it is compared."""

    effect: str
    rules: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    observed: tuple[str, ...] = ()
    args: Any = None
    asks: frozenset[tuple[str, str, int]] = frozenset()
    labels: frozenset[tuple[str, str, str, bool]] = frozenset()
    instead: tuple[Any, ...] | None = None
    result: Any = None
    owed: tuple[tuple[Any, ...], ...] = ()


@dataclass(frozen=True)
class Reply:
    """One person's answer, already known to be about this very call: `approved`, `refused` or `silent`."""

    rule: str
    queue: str
    who: str
    answer: str


@dataclass(frozen=True)
class History:
    """What a run is to the oracle: the value of `run`, its words (`said`, `labels` …), whether a user takes part."""

    value: Mapping[str, Any]
    words: Mapping[str, Callable[..., Any]]
    attended: bool = True


@dataclass
class Found:
    """One rule that targets the call, with its layer and what its condition came to."""

    id: str
    rule: Any
    layer: int
    holds: bool | Err

    @property
    def error(self) -> bool:
        return isinstance(self.holds, Err)

    @property
    def safe(self) -> bool:
        """Whether it applies, an error falling to the safe side of its kind. `observe` rules: whether they would."""
        if isinstance(self.holds, Err):
            return effect_of(self.rule) != "allow" and not isinstance(self.rule, tree.Declassification | tree.Retry)
        return self.holds


def failed(otherwise: Any) -> str:
    """The effect of a validation that failed, for the ends that the oracle covers."""
    return {tree.ElseWithhold: "withhold", tree.ElseReply: "reply"}.get(type(otherwise), "fail")


def guards(evaluator: Evaluator, written: tree.Guards) -> bool | Err:
    """`when` and not any `unless`, with CEL's absorption across them."""
    parts: list[Any] = [] if written.when is None else [evaluator.truth(written.when)]
    for exception in written.unless:
        value = evaluator.truth(exception)
        parts.append(value if isinstance(value, Err) else not value)
    return conjunction(parts)


def effect_of(rule: Any) -> str | None:
    return rule.effect if isinstance(rule, tree.Permission) else None


def roots_of(rule: tree.Rewriting) -> set[str]:
    """Where the paths of a rewrite begin."""
    paths = [path for step in rule.changes for path in (step.paths if isinstance(step, tree.RedactChange) else (step.path,))]
    return {path.root for path in paths}


def strictest(silent: Mapping[str, Any]) -> tuple[str, Any]:
    """Deny, then reply, then set or call; two different ones of the strictest kind: deny."""
    ordered = sorted(silent.items())
    for rule, end in ordered:
        if end is None:
            return rule, None
    replies = [(rule, end) for rule, end in ordered if isinstance(end, tree.ElseReply)]
    strongest = replies or ordered
    first = strongest[0]
    return first if all(meaning(end) == meaning(first[1]) for _, end in strongest) else (first[0], None)


def meaning(end: Any) -> Any:
    return shape_of(end)


def ids(rules: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(rules)))


