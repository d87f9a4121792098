"""`because` and `detail`: the pieces between `{` and `}` are expressions; what the agent is told leaks nothing."""

from __future__ import annotations

from collections.abc import Container

from policy_engine.base.source import Source, Span
from policy_engine.compiler.cel.parser import parse_expression
from policy_engine.diagnostics.model import Code, Collector, Diagnostic, Label
from policy_engine.semantics.ast.expressions import Expr, Literal, Name, Select
from policy_engine.semantics.ast.policy import Word
from policy_engine.semantics.types import BOOL, DOUBLE, INT, NULL, UINT, EnumType, Type, UnionType

BROKEN_NOTE = Code(
    "broken-note",
    "Braces in a note do not pair",
    "In `because` and `detail`, `{…}` holds an expression whose value is shown. A brace that is meant as such is"
    ' doubled.\n\n```\nbecause "up to {cap"           // refused\nbecause "up to {cap}"\n'
    'because "write {{id}} there"   // shows {id}\n```',
)
LEAKING_NOTE = Code(
    "leaking-note",
    "A `because` would show the agent what it must not see",
    "The agent reads `because`, and what it reads can end up anywhere. Numbers, booleans, closed sets of words, params"
    " and fields of `principal` are let in; free text is not, because it may hold data of others or words planted by an"
    " attacker.\n\n```\nbecause \"{args.note} is not allowed\"          // refused: free text\n"
    'because "this note is not allowed"\n  detail "the note was {args.note}"            // operators may see it\n```',
)
CODES = (BROKEN_NOTE, LEAKING_NOTE)

Pieces = tuple[str | Expr, ...]


class Notes:
    """The notes of a policy, each parsed once. A note that does not parse is kept without its expressions."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._kept: dict[int, Pieces] = {}

    def pieces(self, note: Word) -> Pieces:
        """Text and expressions in turn."""
        kept = self._kept.get(id(note))
        if kept is None:
            kept = self._kept[id(note)] = tuple(self._parsed(note))
        return kept

    def _parsed(self, note: Word) -> list[str | Expr]:
        pieces: list[str | Expr] = []
        text, literal, position = note.text, "", 0
        while position < len(text):
            character = text[position]
            if character not in "{}":
                literal, position = literal + character, position + 1
            elif text[position : position + 2] == character * 2:
                literal, position = literal + character, position + 2
            else:
                end = _closing(text, position) if character == "{" else None
                if end is None:
                    self._report_braces(note)
                    return [text]
                expression = parse_expression(_span_of(note, position + 1, end), self._collector)
                if literal:
                    pieces.append(literal)
                pieces.append("…" if expression is None else expression)
                literal, position = "", end + 1
        return [*pieces, literal] if literal else pieces

    def _report_braces(self, note: Word) -> None:
        self._collector.add(
            Diagnostic(
                BROKEN_NOTE, "a brace of this note has no partner", (Label(note.span),),
                effect="nobody could say what it should show",
                suggestion="close it with `}`, or double a brace that is meant as such",
            )
        )


def _closing(text: str, start: int) -> int | None:
    """Where the expression that begins after the brace at `start` ends; braces inside it and in its texts are its own."""
    depth, quote, position = 0, "", start
    while position < len(text):
        character = text[position]
        if quote:
            if character == "\\":
                position += 1
            elif character == quote:
                quote = ""
        elif character in "\"'":
            quote = character
        elif character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    return None


def _span_of(note: Word, start: int, end: int) -> Span:
    """Where a piece of a note's text stands in its file; a text of its own where escapes moved it."""
    offset = note.span.text.find(note.text)
    if offset >= 0:
        return Span(note.span.source, note.span.start + offset + start, note.span.start + offset + end)
    inner = note.text[start:end]
    return Span(Source(f"{note.span} (a note)", inner), 0, len(inner))


def may_be_told(tree: Expr, final: Expr, certain: Type, params: Container[str]) -> bool:
    """Whether the agent may read the value. `certain` is its type as far as somebody validated it."""
    if isinstance(tree, Name) and isinstance(final, Literal) and tree.name in params:
        return True
    root, fields = tree, 0
    while isinstance(root, Select) and not root.optional:
        root, fields = root.operand, fields + 1
    if fields and isinstance(root, Name) and root.name == "principal":
        return True
    return _closed(certain)


def _closed(type_: Type) -> bool:
    if isinstance(type_, UnionType):
        return all(_closed(option) for option in type_.options)
    return type_ in (INT, UINT, DOUBLE, BOOL, NULL) or isinstance(type_, EnumType)
