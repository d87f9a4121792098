"""Reads one expression: limits, lexing, parsing, tree. The grammar is `grammar/cel.lark`; its parser is made on first use."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from threading import Lock

from lark import Lark, TextSlice, UnexpectedInput

from policy_engine.base.source import Span
from policy_engine.compiler.cel.builder import ExpressionBuilder
from policy_engine.compiler.cel.limits import within_limits
from policy_engine.compiler.cel.messages import syntax_diagnostic
from policy_engine.compiler.cel.names import DOTTED_FUNCTIONS
from policy_engine.compiler.tables import Grammar
from policy_engine.diagnostics.model import Collector
from policy_engine.resources import resource
from policy_engine.semantics.ast.expressions import Expr

_LOCK = Lock()  # the builder inside the parser holds the state of one parse


def parse_expression(span: Span, collector: Collector, functions: Collection[str] = DOTTED_FUNCTIONS) -> Expr | None:
    """The tree of the text in `span`; None when it is not an expression, and `collector` says why.

    `functions`: names of functions with a namespace (`math.greatest`); all other dotted calls are methods. Never
    raises, and takes time linear in the length of the text.
    """
    if not within_limits(span, collector):
        return None
    parser, builder = _parser()
    with _LOCK:
        builder.begin(span.source, collector, functions)
        try:
            tree: Expr = parser.parse(TextSlice(span.source.text, span.start, span.end))  # type: ignore[assignment]
        except UnexpectedInput as error:
            collector.add(syntax_diagnostic(error, span))
            return None
        return None if builder.failed else tree


@cache
def grammar_text() -> str:
    """The text of `grammar/cel.lark`, which the grammar of policies has appended."""
    return resource("grammar/cel.lark").read_text(encoding="utf-8")


GRAMMAR = Grammar("cel", grammar_text, ("expr",))


@cache
def _parser() -> tuple[Lark, ExpressionBuilder]:
    builder = ExpressionBuilder()
    return GRAMMAR.parser(builder), builder
