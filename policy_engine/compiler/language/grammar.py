"""The parser of headers and items, of `grammar/policy.lark` and `grammar/cel.lark` joined as text."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import Any, Final, Literal as OneOf

from lark import Lark, TextSlice
from lark.lexer import LexerState, LexerThread, LineCounter

from policy_engine.base.source import Span
from policy_engine.compiler.cel.names import DOTTED_FUNCTIONS
from policy_engine.compiler.language.builder import PolicyBuilder
from policy_engine.compiler.tables import Grammar
from policy_engine.diagnostics.model import Collector
from policy_engine.resources import resource

Start = OneOf["header", "item"]
_LOCK: Final = Lock()  # the builder inside the parser holds the state of one parse


def grammar_text() -> str:
    """Both grammar files, joined."""
    return "\n".join(resource(f"grammar/{name}.lark").read_text(encoding="utf-8") for name in ("policy", "cel"))


GRAMMAR: Final = Grammar("policy", grammar_text, ("header", "item"))


@cache
def _parser() -> tuple[Lark, PolicyBuilder]:
    builder = PolicyBuilder()
    return GRAMMAR.parser(builder), builder


def parse_piece(span: Span, start: Start, collector: Collector) -> Any | None:
    """The node of one header or item; None when a fault was found in building it (it is in `collector`).

    Raises Lark's `UnexpectedInput` where the text does not parse; positions in it are those of the whole source.
    """
    lark, builder = _parser()
    with _LOCK:
        builder.begin(span.source, collector, DOTTED_FUNCTIONS)
        node = lark.parser.parser.parse(_input(lark, span), start)
        return None if builder.failed else node


def _input(lark: Lark, span: Span) -> Any:
    """The text of `span` for the lexer. Lark would count the lines before it anew for every item; nobody needs them."""
    counter = LineCounter("\n")  # type: ignore[no-untyped-call]
    counter.char_pos = span.start
    state = LexerState(TextSlice(span.source.text, span.start, span.end), counter)
    return LexerThread(lark.parser.lexer, state)
