"""One checked rule as the runtime reads it: expressions expanded and generated, paths plain, ladders resolved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal as OneOf, TypeAlias, assert_never, cast

from policy_engine.compiler.analysis.checking import LayerTools
from policy_engine.compiler.analysis.defaults import ANY_TOOL
from policy_engine.compiler.analysis.draft import Subject
from policy_engine.compiler.analysis.execution import execution_of
from policy_engine.compiler.analysis.histories import qualified, with_histories
from policy_engine.compiler.analysis.limits import AFTER_THE_CALL
from policy_engine.compiler.analysis.rules import CheckedRule
from policy_engine.compiler.codegen.module import ModuleBuilder
from policy_engine.semantics.artifact import (
    CompiledHistory,
    CompiledLadder,
    CompiledOtherwise,
    CompiledRule,
    CompiledTier,
    Message,
    PlainPath,
    RedactStep,
    SetStep,
    Step,
    Value,
)
from policy_engine.semantics.ast.expressions import Expr
from policy_engine.semantics.ast.policy import (
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
    Labelling,
    Ladder,
    Limit,
    Otherwise,
    Path,
    RedactChange,
    Rewriting,
    Rule,
    SetChange,
    Timeout,
    Validation,
    Word,
    kind_of,
)
from policy_engine.semantics.types import Type

RuleKind: TypeAlias = OneOf[
    "allow", "deny", "escalate", "rewrite", "label", "declassify", "validate", "limit", "timeout", "retry", "breaker",
]


class RuleBuilder:
    """Builds rules into one module."""

    def __init__(self, module: ModuleBuilder) -> None:
        self._module = module

    def rule(self, checked: CheckedRule, subject: Subject) -> tuple[CompiledRule, Mapping[Expr, Type]]:
        """The rule as it stands for `subject` and all that read alike, with the certain types of its condition."""
        rule, parts = checked.rule, _Parts(self._module, checked.tools, subject, checked.id)
        condition = checked.tools.expander.expand(checked.tools.conditions.of(rule), subject)
        compiled = CompiledRule(
            id=checked.id,
            kind=cast(RuleKind, kind_of(rule)),
            layer=checked.layer.index,
            observe=rule.observe,
            condition=with_histories(condition.final, checked.tools, subject),
            span=rule.span,
            because=parts.message(rule.notes.because),
            detail=parts.message(rule.notes.detail),
            tags=tuple(tag.text for tag in rule.notes.tags),
            ladder=parts.asked(rule),
            steps=parts.steps(rule) if isinstance(rule, Rewriting) else (),
            labels=tuple(word.text for word in rule.labels) if isinstance(rule, Labelling | Declassification) else (),
            paths=tuple(plain(path) for path in rule.paths) if isinstance(rule, Labelling) else (),
            otherwise=parts.ending(rule),
            execution=execution_of(rule, parts.value, parts.settles),
        )
        return compiled, checked.tools.certain_types(condition, subject)

    def histories(self, tools: LayerTools) -> tuple[CompiledHistory, ...]:
        """The histories of a layer, with the keys under which calls are kept."""
        parts = _Parts(self._module, tools, ANY_TOOL, f"{tools.layer.name}/history")
        return tuple(
            CompiledHistory(qualified(tools.layer, name), parts.value(history.key), history.keep.nanos)
            for name, history in tools.layer.histories.items()
        )

    def default_ladder(self, tools: LayerTools) -> CompiledLadder | None:
        """The ladder of a layer's `default escalate`."""
        default = tools.layer.default
        if default is None or default.ladder is None:
            return None
        return _Parts(self._module, tools, ANY_TOOL, f"{tools.layer.name}/default").ladder(default.ladder)


def plain(path: Path) -> PlainPath:
    """A path without its place."""
    return PlainPath(path.root, path.steps)


class _Parts:
    """Builds the parts of one rule for one subject."""

    def __init__(self, module: ModuleBuilder, tools: LayerTools, subject: Subject, hint: str) -> None:
        self._module = module
        self._tools = tools
        self._subject = subject
        self._hint = hint

    def value(self, expression: Expr) -> Value:
        expanded = self._tools.expander.expand(expression, self._subject)
        types = self._tools.certain_types(expanded, self._subject)
        final = with_histories(expanded.final, self._tools, self._subject)
        return self._module.value(self._hint, final, types)

    def settles(self, expression: Expr) -> bool:
        """Whether it reads what is known only after the call."""
        return bool(self._tools.expander.expand(expression, self._subject).free & AFTER_THE_CALL)

    def asked(self, rule: Rule) -> CompiledLadder | None:
        """Whom the rule asks: an escalation at once, a limit when it is over."""
        if isinstance(rule, Escalation):
            return self.ladder(rule.ladder)
        if isinstance(rule, Limit) and isinstance(rule.otherwise, ElseEscalate):
            return self.ladder(rule.otherwise.ladder)
        return None

    def ending(self, rule: Rule) -> CompiledOtherwise | None:
        """What follows when the rule is not kept, unless somebody is asked first."""
        if isinstance(rule, Validation | Timeout | Breaker):
            return self.otherwise(rule.otherwise)
        if isinstance(rule, Limit) and not isinstance(rule.otherwise, ElseEscalate):
            return self.otherwise(rule.otherwise)
        return None

    def message(self, note: Word | None) -> Message | None:
        if note is None:
            return None
        pieces = self._tools.notes.pieces(note)
        return Message(tuple(piece if isinstance(piece, str) else self.value(piece) for piece in pieces))

    def steps(self, rule: Rewriting) -> tuple[Step, ...]:
        made: list[Step] = []
        for change in rule.changes:
            match change:
                case SetChange():
                    made.append(self.set_step(change))
                case RedactChange():
                    cover = None if change.replacement is None else self.value(change.replacement)
                    made += [RedactStep(plain(path), cover) for path in change.paths]
                case _:
                    assert_never(change)
        return tuple(made)

    def set_step(self, change: SetChange) -> SetStep:
        return SetStep(plain(change.path), self.value(change.value))

    def ladder(self, ladder: Ladder) -> CompiledLadder:
        tiers = tuple(
            CompiledTier(
                tier.count, tier.queue.text, None if tier.where is None else self.value(tier.where), tier.within.nanos
            )
            for tier in ladder.tiers
        )
        return CompiledLadder(tiers, self.otherwise(ladder.otherwise))

    def otherwise(self, otherwise: Otherwise | None) -> CompiledOtherwise | None:
        match otherwise:
            case None:
                return None
            case ElseDeny():
                return CompiledOtherwise("deny")
            case ElseWithhold():
                return CompiledOtherwise("withhold")
            case ElseReply():
                return CompiledOtherwise("reply", value=self.value(otherwise.value))
            case ElseSet():
                return CompiledOtherwise("set", steps=tuple(self.set_step(change) for change in otherwise.changes))
            case ElseCall():
                given = None if otherwise.arguments is None else self.value(otherwise.arguments)
                return CompiledOtherwise("call", value=given, tool=otherwise.tool.text)
            case ElseRetry():
                return CompiledOtherwise("retry", times=otherwise.times.value, then=self.otherwise(otherwise.otherwise))
            case ElseEscalate():
                return CompiledOtherwise("escalate", ladder=self.ladder(otherwise.ladder))
            case _:
                assert_never(otherwise)
