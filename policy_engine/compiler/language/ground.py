"""What the builders of declarations and rules share: spans, words, numbers, targets, paths, and how faults are told."""

from __future__ import annotations

from typing import Any, cast

from lark import Token

from policy_engine.base.source import Span
from policy_engine.compiler.cel import literals
from policy_engine.compiler.cel.builder import ExpressionBuilder
from policy_engine.compiler.cel.codes import BAD_LITERAL
from policy_engine.compiler.cel.literals import LiteralFault
from policy_engine.compiler.language.codes import DUPLICATE_CLAUSE
from policy_engine.diagnostics.model import Diagnostic, Label
from policy_engine.semantics.ast.policy import CountWord, DurationWord, Path, PathStep, Target, Targets, Word

_DUPLICATE_HELP = {
    "when": "join both with && in one `when`; write an exception as `unless`",
    "because": "keep one `because`: it is what the agent is told; say more to the operator in `detail`",
    "detail": "keep one `detail`",
    "tags": 'keep one `tags`, with commas: tags "a", "b"',
}


class Ground(ExpressionBuilder):
    """Helpers of the callbacks. Like its base it holds the state of one parse between `begin` and the end."""

    def stretch(self, first: Any, last: Any) -> Span:
        """From the beginning of `first` to the end of `last`; each is a token, a node with a span, or a row of such."""
        first = first[0] if isinstance(first, tuple) else first
        last = last[-1] if isinstance(last, tuple) else last
        start = first.start_pos if isinstance(first, Token) else first.span.start
        end = last.end_pos if isinstance(last, Token) else last.span.end
        return Span(self._source, cast(int, start), cast(int, end))

    def word(self, token: Token) -> Word:
        """A name as written."""
        return Word(str(token), self.stretch(token, token))

    def text_word(self, token: Token) -> Word:
        """The text a string literal stands for, with the span of the literal."""
        return Word(self._read(token, literals.string, ""), self.stretch(token, token))

    def duration_word(self, token: Token) -> DurationWord:
        """A duration literal."""
        value = self._read(token, literals.duration, None)
        return DurationWord(value.nanos if value is not None else 1, self.stretch(token, token))

    def count_word(self, token: Token) -> CountWord:
        """A whole number."""
        return CountWord(self._read(token, literals.integer, 1), self.stretch(token, token))

    def _read(self, token: Token, reader: Any, instead: Any) -> Any:
        span = self.stretch(token, token)
        try:
            return reader(str(token))
        except LiteralFault as fault:
            place = Span(span.source, span.start + fault.start, span.start + fault.end)
            self._fault(BAD_LITERAL, fault.message, place, fault.suggestion)
            return instead

    def duplicate(self, clause: str, first: Span, again: Span, where: str) -> None:
        """Report a clause that stands twice."""
        self._failed = True
        self._collector.add(
            Diagnostic(
                DUPLICATE_CLAUSE, f"`{clause}` stands twice in {where}; it may stand once",
                (Label(again, "again here"), Label(first, "first here")),
                effect="neither is taken: the policy does not load",
                suggestion=_DUPLICATE_HELP.get(clause, f"keep one `{clause}`"),
            )
        )  # fmt: skip

    # -------------------------------------------------------------- targets and paths
    def targets(self, children: list[Any]) -> Targets:
        """`a, b except c`."""
        included, _, excluded = children
        last = (excluded or included)[-1]
        return Targets(included, excluded or (), self.stretch(included[0], last))

    def target_list(self, children: list[Target]) -> tuple[Target, ...]:
        """`a, b`."""
        return tuple(children)

    def tool(self, children: list[Token]) -> Target:
        """A tool or group, a glob, or a quoted name."""
        (token,) = children
        if token.type == "STRING":
            word = self.text_word(token)
            return Target("quoted", word.text, word.span)
        return Target("glob" if "*" in token else "name", str(token), self.stretch(token, token))

    def event(self, children: list[Token]) -> Target:
        """`@answer`."""
        return Target("event", str(children[0]), self.stretch(children[0], children[0]))

    def paths(self, children: list[Path]) -> tuple[Path, ...]:
        """`result.a, result.b`."""
        return tuple(children)

    def path(self, children: list[Any]) -> Path:
        """`result.items[*].subject`."""
        root, *steps = children
        last = steps[-1][1] if steps else root
        return Path(str(root), tuple(step for step, _ in steps), self.stretch(root, last))

    def field_step(self, children: list[Token]) -> tuple[PathStep, Token]:
        """`.subject`."""
        (name,) = children
        return (str(name)[1:-1] if name.type == "QUOTED_IDENT" else str(name)), name

    def index_step(self, children: list[Token]) -> tuple[PathStep, Token]:
        """`[0]`, `["key"]`, `[*]`."""
        inner, closing = children
        if inner.type == "STAR":
            return None, closing
        return (self.text_word(inner).text if inner.type == "STRING" else self.count_word(inner).value), closing
