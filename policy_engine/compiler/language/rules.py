"""Builds the nodes of rules from what the parser read, one callback a production. Mixed into `PolicyBuilder`.

The grammar lets guards and notes stand in any order; here they are sorted into `Guards` and `Notes`, and a clause that
stands twice is reported.
"""

from __future__ import annotations

from dataclasses import replace
from sys import intern
from typing import Any, TypedDict, TypeVar, cast

from policy_engine.base.source import Span
from policy_engine.compiler.language.ground import Ground
from policy_engine.compiler.language.parts import (
    AmountPart,
    BackoffPart,
    ByPart,
    GuardPart,
    NotePart,
    RequirePart,
)
from policy_engine.semantics.ast.policy import (
    Backoff,
    Breaker,
    Declassification,
    ElseCall,
    ElseDeny,
    ElseEscalate,
    ElseReply,
    ElseRetry,
    ElseSet,
    ElseWithhold,
    Escalation,
    Guards,
    Invariant,
    Labelling,
    Ladder,
    Limit,
    Notes,
    Otherwise,
    Permission,
    RedactChange,
    Retry,
    Rewriting,
    Rule,
    SetChange,
    Targets,
    Tier,
    Timeout,
    Validation,
    Window,
    Word,
)

_OTHERWISE = (ElseDeny, ElseWithhold, ElseReply, ElseSet, ElseCall, ElseRetry, ElseEscalate)
_T = TypeVar("_T")


class _Head(TypedDict):
    name: Word
    targets: Targets
    guards: Guards
    notes: Notes
    observe: bool
    keyword_span: Span
    span: Span


def _only(parts: list[Any], kind: type[_T]) -> list[_T]:
    return [part for part in parts if isinstance(part, kind)]


class RuleBuilder(Ground):
    """Callbacks of the rule productions; each takes the children its production keeps."""

    def rule(self, children: list[Any]) -> Rule:
        """`observe` and the rule proper."""
        observe, rule = children
        if observe is None:
            return cast(Rule, rule)
        return cast(Rule, replace(rule, observe=True, span=self.stretch(observe, rule)))

    def _head(self, children: list[Any]) -> _Head:
        keyword, name, _, targets, *parts = children
        last = next(child for child in reversed(children) if child is not None)
        return {
            "name": self.word(name),
            "targets": targets,
            "guards": self._guards(parts),
            "notes": self._notes(parts),
            "observe": False,
            "keyword_span": self.stretch(keyword, keyword),
            "span": self.stretch(keyword, last),
        }

    def _guards(self, parts: list[Any]) -> Guards:
        guards = _only(parts, GuardPart)
        whens = [guard for guard in guards if guard.kind == "when"]
        for again in whens[1:]:
            self.duplicate("when", whens[0].span, again.span, "a rule")
        unlesses = tuple(guard.condition for guard in guards if guard.kind == "unless")
        return Guards(whens[0].condition if whens else None, unlesses)

    def _notes(self, parts: list[Any]) -> Notes:
        first: dict[str, NotePart] = {}
        for note in _only(parts, NotePart):
            if note.kind in first:
                self.duplicate(note.kind, first[note.kind].span, note.span, "a rule")
            first.setdefault(note.kind, note)
        because, detail, tags = (first.get(kind) for kind in ("because", "detail", "tags"))
        return Notes(
            because.words[0] if because else None, detail.words[0] if detail else None, tags.words if tags else ()
        )

    def _otherwise(self, parts: list[Any]) -> Otherwise | None:
        return next((part for part in parts if isinstance(part, _OTHERWISE)), None)

    # -------------------------------------------------------------- kinds
    def permission(self, children: list[Any]) -> Permission:
        """`allow` and `deny`."""
        return Permission(**self._head(children), effect=cast(Any, intern(str(children[0]))))

    def escalation(self, children: list[Any]) -> Escalation:
        """`escalate`."""
        return Escalation(**self._head(children), ladder=_only(children, Ladder)[0])

    def rewriting(self, children: list[Any]) -> Rewriting:
        """`rewrite`."""
        changes = tuple(part for part in children if isinstance(part, SetChange | RedactChange))
        return Rewriting(**self._head(children), changes=changes)

    def labelling(self, children: list[Any]) -> Labelling:
        """`label`."""
        return Labelling(**self._head(children), labels=children[5], paths=children[7] or ())

    def declassification(self, children: list[Any]) -> Declassification:
        """`declassify`."""
        return Declassification(**self._head(children), labels=children[5])

    def validation(self, children: list[Any]) -> Validation:
        """`validate`."""
        requirements = tuple(part.condition for part in _only(children, RequirePart))
        return Validation(**self._head(children), requirements=requirements, otherwise=self._otherwise(children))

    def limit(self, children: list[Any]) -> Limit:
        """`limit`."""
        amount = next(iter(_only(children, AmountPart)), None)
        by = next(iter(_only(children, ByPart)), None)
        return Limit(
            **self._head(children),
            bound=children[5],
            of=amount.value if amount else None,
            distinct=amount.distinct if amount else False,
            reserve=amount.reserve if amount else None,
            window=_only(children, Window)[0],
            by=by.keys if by else (),
            otherwise=self._otherwise(children),
        )

    def timeout(self, children: list[Any]) -> Timeout:
        """`timeout`."""
        after = self.duration_word(children[5])
        return Timeout(**self._head(children), after=after, otherwise=self._otherwise(children))

    def retry(self, children: list[Any]) -> Retry:
        """`retry`."""
        backoff = next(iter(_only(children, BackoffPart)), None)
        times = self.count_word(children[6])
        return Retry(**self._head(children), times=times, backoff=backoff.backoff if backoff else None)

    def breaker(self, children: list[Any]) -> Breaker:
        """`breaker`."""
        return Breaker(
            **self._head(children),
            failures=self.count_word(children[6]),
            within=self.duration_word(children[9]),
            probe_after=self.duration_word(children[12]),
            otherwise=self._otherwise(children),
        )

    def invariant(self, children: list[Any]) -> Invariant:
        """`invariant`."""
        words = [str(child) for child in children[4:] if getattr(child, "type", None)]
        quantifier, effect = words
        return Invariant(**self._head(children), quantifier=cast(Any, quantifier), effect=cast(Any, effect))

    # -------------------------------------------------------------- guards, notes
    def when(self, children: list[Any]) -> GuardPart:
        """`when EXPR`."""
        return GuardPart("when", children[1], self.stretch(*children))

    def unless(self, children: list[Any]) -> GuardPart:
        """`unless EXPR`."""
        return GuardPart("unless", children[1], self.stretch(*children))

    def because(self, children: list[Any]) -> NotePart:
        """`because TEXT`."""
        return self._said(children)

    def detail(self, children: list[Any]) -> NotePart:
        """`detail TEXT`."""
        return self._said(children)

    def tags(self, children: list[Any]) -> NotePart:
        """`tags TEXT, TEXT`."""
        return self._said(children)

    def _said(self, children: list[Any]) -> NotePart:
        keyword, *texts = children
        words = tuple(self.text_word(text) for text in texts)
        return NotePart(cast(Any, str(keyword)), words, self.stretch(keyword, texts[-1]))

    # -------------------------------------------------------------- phrases
    def require(self, children: list[Any]) -> RequirePart:
        """`require EXPR`."""
        return RequirePart(children[1], self.stretch(*children))

    def set(self, children: list[Any]) -> SetChange:
        """`set PATH to EXPR`."""
        keyword, path, _, value = children
        return SetChange(path, value, self.stretch(keyword, value))

    def redact(self, children: list[Any]) -> RedactChange:
        """`redact PATH, PATH with EXPR`."""
        keyword, paths, _, value = children
        return RedactChange(paths, value, self.stretch(keyword, value or paths[-1]))

    def amount(self, children: list[Any]) -> AmountPart:
        """`of distinct EXPR reserve EXPR`."""
        keyword, distinct, value, _, reserve = children
        return AmountPart(value, distinct is not None, reserve, self.stretch(keyword, reserve or value))

    def sliding(self, children: list[Any]) -> Window:
        """`per 1h`."""
        return Window("sliding", self.duration_word(children[1]), None, None, self.stretch(*children))

    def per_run(self, children: list[Any]) -> Window:
        """`per run`."""
        return Window("run", None, None, None, self.stretch(*children))

    def calendar(self, children: list[Any]) -> Window:
        """`per day in "Europe/Berlin"`."""
        keyword, unit, _, zone = children
        word = self.text_word(zone) if zone else None
        return Window("calendar", None, cast(Any, str(unit)), word, self.stretch(keyword, zone or unit))

    def at_once(self, children: list[Any]) -> Window:
        """`at once`."""
        return Window("at_once", None, None, None, self.stretch(*children))

    def by(self, children: list[Any]) -> ByPart:
        """`by EXPR, EXPR`."""
        return ByPart(tuple(children[1:]), self.stretch(children[0], children[-1]))

    def backoff(self, children: list[Any]) -> BackoffPart:
        """`backoff 200ms..5s`."""
        keyword, first, last = children
        return BackoffPart(Backoff(self.duration_word(first), self.duration_word(last)), self.stretch(keyword, last))

    # -------------------------------------------------------------- ladders and what else
    def ladder(self, children: list[Any]) -> Ladder:
        """Tiers, then what follows silence."""
        kept = [child for child in children if child is not None and not getattr(child, "type", None)]
        otherwise = self._otherwise(kept)
        tiers = tuple(kept if otherwise is None else kept[:-1])
        return Ladder(tiers, otherwise, self.stretch(kept[0], kept[-1]))

    def tier(self, children: list[Any]) -> Tier:
        """`to 2 of managers where EXPR within 2h`."""
        keyword, count, _, queue, _, where, _, within = children
        number = self.count_word(count).value if count else 1
        return Tier(number, self.word(queue), where, self.duration_word(within), self.stretch(keyword, within))

    def else_deny(self, children: list[Any]) -> ElseDeny:
        """`else deny`."""
        return ElseDeny(self.stretch(children[0], children[-1]))

    def else_withhold(self, children: list[Any]) -> ElseWithhold:
        """`else withhold`."""
        return ElseWithhold(self.stretch(children[0], children[-1]))

    def else_reply(self, children: list[Any]) -> ElseReply:
        """`else reply EXPR`."""
        return ElseReply(children[1], self.stretch(*children))

    def else_set(self, children: list[Any]) -> ElseSet:
        """`else set PATH to EXPR`."""
        return ElseSet(tuple(children), self.stretch(children[0], children[-1]))

    def else_call(self, children: list[Any]) -> ElseCall:
        """`else call TOOL with EXPR`."""
        keyword, tool, _, arguments = children
        return ElseCall(tool, arguments, self.stretch(keyword, arguments or tool))

    def else_retry(self, children: list[Any]) -> ElseRetry:
        """`else retry up to 2 times`."""
        keyword, _, _, times, last, otherwise = children
        return ElseRetry(self.count_word(times), otherwise, self.stretch(keyword, otherwise or last))

    def else_escalate(self, children: list[Any]) -> ElseEscalate:
        """`else escalate to …`."""
        return ElseEscalate(children[1], self.stretch(*children))

    def otherwise(self, children: list[Any]) -> Otherwise:
        """`else` and the outcome; its span takes the `else` in."""
        keyword, outcome = children
        return cast(Otherwise, replace(outcome, span=self.stretch(keyword, outcome)))
