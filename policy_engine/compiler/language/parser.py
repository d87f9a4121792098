"""Reads a policy file: sizes, splitting, each item parsed on its own, then what must hold within the items.

`parse_policy` is called by the pipeline, the formatter and every editor tool. It promises never to raise, and to
return everything that could be read: a fault in one item hides no other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, cast

from lark import UnexpectedInput

from policy_engine.base.source import Source, Span
from policy_engine.compiler.language.checks import CHECKS
from policy_engine.compiler.language.codes import MISSING_HEADER, TWO_HEADERS
from policy_engine.compiler.language.grammar import Start, parse_piece
from policy_engine.compiler.language.messages import RULE_EFFECT, head_fault, syntax_fault
from policy_engine.compiler.language.remembering import Carried, Remembered
from policy_engine.compiler.language.sizes import check_characters, piece_fits, source_fits
from policy_engine.compiler.language.splitting import Piece, split
from policy_engine.compiler.language.words import DECLARATION_FORMS
from policy_engine.diagnostics.model import Collector, Diagnostic, Label, has_errors
from policy_engine.semantics.ast.policy import Header, Item, PolicyFile, Word

MAX_FAULTY_ITEMS: Final = 50
"""After this many items that do not parse the rest of a file is not read: it is no policy."""
_ITEMS: Final = Remembered()


def parse_policy(source: Source, collector: Collector, carried: Carried | None = None) -> PolicyFile | None:
    """The file with its header and all items that parsed; what did not is told in `collector`.

    Items in `carried` are not parsed again. None where nothing of it can be used: too long, deceiving characters in
    code, or neither header nor item.
    """
    if not source_fits(source, collector) or not check_characters(source, collector):
        return None
    pieces = split(source)
    header = _header(source, pieces, collector, carried)
    items: list[Item] = []
    faulty = 0
    for piece in pieces[1:] if pieces and pieces[0].keyword == "policy" else pieces:
        item = _item(piece, collector, carried)
        if item is not None:
            items.append(item)
            continue
        faulty += 1
        if faulty == MAX_FAULTY_ITEMS:
            break
    if header is None and not items:
        return None
    start = Span(source, 0, 0)
    name = Word(source.name, start)
    file = PolicyFile(
        header or Header(name, (), None, None, None, True, start), tuple(items), Span(source, 0, len(source.text))
    )
    for check in CHECKS:
        check(file, collector)
    return file


def _header(source: Source, pieces: tuple[Piece, ...], collector: Collector, carried: Carried | None) -> Header | None:
    if pieces and pieces[0].keyword == "policy":
        return cast("Header | None", _parse(pieces[0], "header", collector, carried))
    scrap = pieces[0].scraps[0] if pieces else None
    place = Span(source, scrap.start, scrap.end) if scrap else Span(source, 0, 0)
    collector.add(
        Diagnostic(
            MISSING_HEADER,
            "a policy file begins with `policy NAME`" + ("; this one does not" if pieces else "; this one is empty"),
            (Label(place, "before this" if pieces else "here"),),
            effect="the file does not load", suggestion=DECLARATION_FORMS["policy"],
        )
    )  # fmt: skip
    return None


def _item(piece: Piece, collector: Collector, carried: Carried | None) -> Item | None:
    if piece.keyword == "policy":
        place = Span(piece.span.source, piece.scraps[0].start, piece.scraps[0].end)
        message = "`policy` stands in the middle of a file; a file is one policy, and its header comes first"
        help_ = 'another file, taken in by use rules "FILE.policy"'
        effect = "nobody could say which policy the rules belong to, so it does not load"
        collector.add(Diagnostic(TWO_HEADERS, message, (Label(place, "second header"),), effect, help_))
        return None
    return cast("Item | None", _parse(piece, "item", collector, carried))


def _parse(piece: Piece, start: Start, collector: Collector, carried: Carried | None) -> Header | Item | None:
    key = (start, piece.keyword or "", piece.span.text)
    known = cast("Header | Item | None", _ITEMS.recall(key, piece.span, carried))
    if known is not None:
        return known
    own = Collector()
    node = _parsed(piece, start, own)
    if node is not None and not own.diagnostics:
        _ITEMS.keep(key, node, piece.span, carried)
    for diagnostic in own.diagnostics:
        collector.add(_with_effect(diagnostic, piece))
    return node


def _with_effect(diagnostic: Diagnostic, piece: Piece) -> Diagnostic:
    """What a fault of syntax does to decisions, where the diagnostic does not know whether a rule was lost."""
    if diagnostic.effect not in (None, RULE_EFFECT):
        return diagnostic
    if piece.keyword in DECLARATION_FORMS:
        return replace(diagnostic, effect="the declaration is not read, so the policy does not load")
    return replace(diagnostic, effect=RULE_EFFECT)


def _parsed(piece: Piece, start: Start, collector: Collector) -> Header | Item | None:
    if not piece_fits(piece, collector):
        return None
    fault = head_fault(piece)
    if fault is not None:
        collector.add(fault)
        return None
    try:
        node = cast("Header | Item | None", parse_piece(piece.span, start, collector))
    except UnexpectedInput as error:
        collector.add(syntax_fault(error, piece))
        return None
    return None if node is None else replace(node, span=piece.span)


def read_policy(source: Source) -> tuple[PolicyFile | None, tuple[Diagnostic, ...]]:
    """The same with a collector of its own: the file, if it has no errors, and every finding."""
    collector = Collector()
    file = parse_policy(source, collector)
    found = tuple(collector.diagnostics)
    return (None if has_errors(found) else file), found
