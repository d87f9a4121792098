"""Builds the tree of an expression bottom-up while the parser runs: no recursion, whatever the text.

`ExpressionBuilder` has one method for each rule and alias of `grammar/cel.lark` (Lark calls them inline); the policy
builder inherits it. A rule hands its parent a `Piece`: the node with the stretch of text it covers, brackets included,
and its depth. Only the rule `expr` hands out a plain `Expr`. Faults go to the collector given to `begin`; nothing is
raised, and `failed` says whether the tree may be used.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from sys import intern
from typing import Any, Final, cast

from lark import Token, Transformer, v_args

from policy_engine.base.limits import MAX_NESTING
from policy_engine.base.source import NOWHERE, Source, Span
from policy_engine.base.values import MAX_INT
from policy_engine.compiler.cel import literals, macros
from policy_engine.compiler.cel.codes import BAD_LITERAL, BAD_MACRO, RESERVED_WORD, TOO_LARGE
from policy_engine.compiler.cel.literals import LiteralFault
from policy_engine.compiler.cel.macros import MacroFault
from policy_engine.diagnostics.model import Code, Collector, Diagnostic, Label
from policy_engine.semantics.ast.expressions import (
    And,
    Binary,
    BinaryOperator,
    Call,
    Conditional,
    Element,
    Entry,
    Expr,
    Index,
    ListExpr,
    Literal,
    MapExpr,
    Name,
    Negate,
    Not,
    Or,
    Select,
)  # fmt: skip

RESERVED_WORDS: Final = frozenset(
    "as break const continue else for function if import let loop package namespace return var void while".split()
)
_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "INT": literals.integer, "UINT": literals.unsigned, "FLOAT": literals.floating, "DURATION": literals.duration,
    "STRING": literals.string, "RAW": literals.string, "BYTES": literals.byte_string,
    "TRUE": lambda _: True, "FALSE": lambda _: False, "NULL": lambda _: None,
}  # fmt: skip


class Piece:
    """A node on its way up: with the stretch of text it covers, brackets included, and the depth of its tree."""

    __slots__ = ("depth", "end", "node", "start")

    def __init__(self, node: Expr, start: int, end: int, depth: int) -> None:
        """`start` and `end` are offsets in the source."""
        self.node = node
        self.start = start
        self.end = end
        self.depth = depth


class _Member:
    """An element of a list or an entry of a map literal on its way up."""

    __slots__ = ("depth", "key", "optional", "value")

    def __init__(self, value: Piece, optional: bool, key: Piece | None = None) -> None:
        self.value = value
        self.optional = optional
        self.key = key
        self.depth = max(value.depth, key.depth if key else 0)


@v_args(inline=True)
class ExpressionBuilder(Transformer[Token, Any]):
    """Callbacks of the CEL rules. Not thread-safe: `begin`, one parse, then `failed`."""

    def __init__(self) -> None:
        """Not usable before `begin`."""
        super().__init__(visit_tokens=False)
        self._source: Source = NOWHERE.source
        self._collector = Collector()
        self._functions: Collection[str] = ()
        self._oversize: dict[int, Span] = {}
        self._failed = False

    def begin(self, source: Source, collector: Collector, functions: Collection[str]) -> None:
        """Make ready for one parse. `functions` are the known names; those with a dot are called through a namespace."""
        self._source = source
        self._collector = collector
        self._functions = functions
        self._oversize = {}
        self._failed = False

    @property
    def failed(self) -> bool:
        """Whether a fault was found in what was built since `begin`."""
        return self._failed

    # -------------------------------------------------------------- operators
    def expr(self, piece: Piece) -> Expr:
        """A whole expression."""
        for span in self._oversize.values():
            message = "9223372036854775808 does not fit an int"
            self._fault(BAD_LITERAL, message, span, "an int is at most 9223372036854775807")
        self._oversize = {}
        return piece.node

    def conditional(self, condition: Piece, _mark: Token, then: Piece, _colon: Token, otherwise: Piece) -> Piece:
        """`a ? b : c`."""
        span = self._span(condition.start, otherwise.end)
        node = Conditional(condition.node, then.node, otherwise.node, span)
        return self._piece(node, span, max(condition.depth, then.depth, otherwise.depth))

    def disjunction(self, *pieces: Piece) -> Piece:
        """`a || b || …`."""
        return self._flat(Or, pieces)

    def conjunction(self, *pieces: Piece) -> Piece:
        """`a && b && …`."""
        return self._flat(And, pieces)

    def relation(self, left: Piece, operator: Token, right: Piece) -> Piece:
        """`a < b`, `a in b`."""
        span = self._span(left.start, right.end)
        node = Binary(cast(BinaryOperator, intern(str(operator))), left.node, right.node, span)
        return self._piece(node, span, max(left.depth, right.depth))

    def sum(self, left: Piece, operator: Token, right: Piece) -> Piece:
        """`a + b`."""
        return self._binary(left, operator, right)

    def product(self, left: Piece, operator: Token, right: Piece) -> Piece:
        """`a * b`."""
        return self._binary(left, operator, right)

    def negation(self, *parts: Token | Piece) -> Piece:
        """`!a`, `!!a`."""
        piece = cast(Piece, parts[-1])
        for sign in reversed(cast("tuple[Token, ...]", parts[:-1])):
            span = self._span(_start(sign), piece.end)
            piece = self._piece(Not(piece.node, span), span, piece.depth)
        return piece

    def negative(self, *parts: Token | Piece) -> Piece:
        """`-a`; a minus before a number belongs to the number."""
        piece = cast(Piece, parts[-1])
        signs = [_start(sign) for sign in cast("tuple[Token, ...]", parts[:-1])]
        node = piece.node
        if isinstance(node, Literal) and type(node.value) in (int, float) and piece.start == node.span.start:
            span = self._span(signs.pop(), piece.end)
            self._oversize.pop(node.span.start, None)
            piece = Piece(Literal(-node.value, span), span.start, span.end, 1)
        for start in reversed(signs):
            span = self._span(start, piece.end)
            piece = self._piece(Negate(piece.node, span), span, piece.depth)
        return piece

    # -------------------------------------------------------------- members
    def select(self, operand: Piece, _dot: Token, field: Token) -> Piece:
        """`a.b`."""
        return self._select(operand, field, optional=False)

    def select_optional(self, operand: Piece, _dot: Token, field: Token) -> Piece:
        """`a.?b`."""
        return self._select(operand, field, optional=True)

    def index(self, operand: Piece, _open: Token, optional: Token | None, index: Piece, close: Token) -> Piece:
        """`a[b]`, `a[?b]`."""
        span = self._span(operand.start, _end(close))
        node = Index(operand.node, index.node, optional is not None, span)
        return self._piece(node, span, max(operand.depth, index.depth))

    def method(
        self, target: Piece, _dot: Token, name: Token, _open: Token, args: tuple[Piece, ...] | None, close: Token
    ) -> Piece:  # fmt: skip
        """`a.f(b)`: a macro, a function of a namespace, or a method."""
        span, args = self._span(target.start, _end(close)), args or ()
        depth = max(target.depth, *(arg.depth for arg in args)) if args else target.depth
        nodes = tuple(arg.node for arg in args)
        try:
            macro = macros.method(target.node, str(name), nodes, span, self._token_span(name))
        except MacroFault as fault:
            self._fault(BAD_MACRO, fault.message, fault.span, fault.suggestion)
            macro = Literal(True, span)
        if macro is not None:
            return self._piece(macro, span, depth + (len(nodes) if macros.is_block(target.node, str(name)) else 0))
        dotted = _dotted(target.node)
        if dotted is not None and f"{dotted}.{name}" in self._functions:
            return self._piece(Call(f"{dotted}.{name}", None, nodes, span), span, depth)
        return self._piece(Call(intern(str(name)), target.node, nodes, span), span, depth)

    # -------------------------------------------------------------- primaries
    def name(self, name: Token) -> Piece:
        """`a`."""
        span = self._token_span(name)
        self._refuse_reserved(name)
        return Piece(Name(intern(str(name)), False, span), span.start, span.end, 1)

    def root_name(self, dot: Token, name: Token) -> Piece:
        """`.a`."""
        span = self._span(_start(dot), _end(name))
        self._refuse_reserved(name)
        return Piece(Name(intern(str(name)), True, span), span.start, span.end, 1)

    def function_call(self, name: Token, _open: Token, args: tuple[Piece, ...] | None, close: Token) -> Piece:
        """`f(a)`, `has(a.b)`."""
        span, args = self._span(_start(name), _end(close)), args or ()
        depth, nodes = max((arg.depth for arg in args), default=0), tuple(arg.node for arg in args)
        self._refuse_reserved(name)
        try:
            macro = macros.function(str(name), nodes, span)
        except MacroFault as fault:
            self._fault(BAD_MACRO, fault.message, fault.span, fault.suggestion)
            macro = Literal(True, span)
        return self._piece(macro or Call(intern(str(name)), None, nodes, span), span, depth)

    def root_call(
        self, dot: Token, name: Token, _open: Token, args: tuple[Piece, ...] | None, close: Token
    ) -> Piece:  # fmt: skip
        """`.f(a)`."""
        span, args = self._span(_start(dot), _end(close)), args or ()
        node = Call(intern(str(name)), None, tuple(arg.node for arg in args), span)
        self._refuse_reserved(name)
        return self._piece(node, span, max((arg.depth for arg in args), default=0))

    def parenthesised(self, opening: Token, inner: Piece, close: Token) -> Piece:
        """`(a)`: the node stays, the text it covers grows."""
        return Piece(inner.node, _start(opening), _end(close), inner.depth)

    def list_literal(self, opening: Token, items: tuple[_Member, ...] | None, close: Token) -> Piece:
        """`[a, ?b]`."""
        span, items = self._span(_start(opening), _end(close)), items or ()
        node = ListExpr(tuple(Element(item.value.node, item.optional) for item in items), span)
        return self._piece(node, span, max((item.depth for item in items), default=0))

    def map_literal(self, opening: Token, entries: tuple[_Member, ...] | None, close: Token) -> Piece:
        """`{a: b, ?c: d}`."""
        span, entries = self._span(_start(opening), _end(close)), entries or ()
        pairs = tuple(Entry(cast(Piece, entry.key).node, entry.value.node, entry.optional) for entry in entries)
        return self._piece(MapExpr(pairs, span), span, max((entry.depth for entry in entries), default=0))

    def arguments(self, *pieces: Piece) -> tuple[Piece, ...]:
        """`a, b` between the brackets of a call."""
        return pieces

    def list_items(self, *items: _Member) -> tuple[_Member, ...]:
        """`a, ?b` between the brackets of a list."""
        return items

    def list_item(self, optional: Token | None, value: Piece) -> _Member:
        """`a` or `?a`."""
        return _Member(value, optional is not None)

    def map_entries(self, *entries: _Member) -> tuple[_Member, ...]:
        """`a: b, ?c: d` between the braces of a map."""
        return entries

    def map_entry(self, optional: Token | None, key: Piece, _colon: Token, value: Piece) -> _Member:
        """`a: b` or `?a: b`."""
        return _Member(value, optional is not None, key)

    def literal(self, token: Token) -> Piece:
        """A number, text, bytes, a duration, `true`, `false`, `null`."""
        span = self._token_span(token)
        value: Any = 0
        try:
            value = _READERS[token.type](str(token))
        except LiteralFault as fault:
            place = self._span(span.start + fault.start, span.start + fault.end)
            self._fault(BAD_LITERAL, fault.message, place, fault.suggestion)
        if token.type == "INT" and value > MAX_INT:
            self._oversize[span.start] = span
        return Piece(Literal(value, span), span.start, span.end, 1)

    # -------------------------------------------------------------- helpers
    def _binary(self, left: Piece, operator: Token, right: Piece) -> Piece:
        span = self._span(left.start, right.end)
        node = Binary(cast(BinaryOperator, intern(str(operator))), left.node, right.node, span)
        return self._piece(node, span, max(left.depth, right.depth))

    def _flat(self, kind: type[And] | type[Or], pieces: tuple[Piece, ...]) -> Piece:
        """One node for a row of `&&` or `||`, rows in brackets among them taken in: rows do not nest."""
        operands: list[Expr] = []
        depth = 0
        for piece in pieces:
            if isinstance(piece.node, kind):
                operands.extend(piece.node.operands)
                depth = max(depth, piece.depth - 1)
            else:
                operands.append(piece.node)
                depth = max(depth, piece.depth)
        span = self._span(pieces[0].start, pieces[-1].end)
        return self._piece(kind(tuple(operands), span), span, depth)

    def _select(self, operand: Piece, field: Token, *, optional: bool) -> Piece:
        name = str(field)[1:-1] if field.type == "QUOTED_IDENT" else str(field)
        span = self._span(operand.start, _end(field))
        return self._piece(Select(operand.node, intern(name), optional, span), span, operand.depth)

    def _piece(self, node: Expr, span: Span, depth: int) -> Piece:
        """A piece one deeper than its parts. One too deep is refused and cut off, so that no tree grows past the bound."""
        if depth < MAX_NESTING:
            return Piece(node, span.start, span.end, depth + 1)
        if not self._failed:
            self._fault(
                TOO_LARGE, f"the expression nests more than {MAX_NESTING} deep", span,
                "name inner parts with `let`; write long sums as a list",
            )  # fmt: skip
        return Piece(Literal(True, span), span.start, span.end, 1)

    def _refuse_reserved(self, name: Token) -> None:
        if str(name) in RESERVED_WORDS:
            self._fault(
                RESERVED_WORD, f"`{name}` is a word that CEL keeps for itself; it cannot be a name here",
                self._token_span(name), f"another name; as a field it is fine: args.{name}",
            )  # fmt: skip

    def _fault(self, code: Code, message: str, span: Span, suggestion: str | None) -> None:
        self._failed = True
        self._collector.add(Diagnostic(code, message, (Label(span),), suggestion=suggestion))

    def _span(self, start: int, end: int) -> Span:
        return Span(self._source, start, end)

    def _token_span(self, token: Token) -> Span:
        return Span(self._source, _start(token), _end(token))


def _start(token: Token) -> int:
    return cast(int, token.start_pos)


def _end(token: Token) -> int:
    return cast(int, token.end_pos)


def _dotted(node: Expr) -> str | None:
    """`a.b.c` if the node is a plain name, or fields of one."""
    fields: list[str] = []
    while isinstance(node, Select) and not node.optional:
        fields.append(node.field)
        node = node.operand
    return ".".join([node.name, *reversed(fields)]) if isinstance(node, Name) else None
