"""What is looked at before any lexing: lengths, depth of brackets, characters that deceive. Linear in the text."""

from __future__ import annotations

import re
from typing import Final

from policy_engine.base.limits import MAX_ITEM_CHARS, MAX_NESTING, MAX_SOURCE_CHARS
from policy_engine.base.source import Source, Span
from policy_engine.compiler.cel.codes import HIDDEN_CHARACTER, TOO_LARGE
from policy_engine.compiler.language.codes import BIDI_IN_TEXT, TEXT_TOO_LONG
from policy_engine.compiler.language.scanning import scan
from policy_engine.compiler.language.splitting import Piece
from policy_engine.diagnostics.model import Collector, Diagnostic, Edit, Fix, Label

MAX_ELSES: Final = 32
"""`else` in one item; outcomes nest."""
MAX_HIDDEN_TOLD: Final = 20
"""Hidden characters that are each told; of more only the first refused one is."""
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f\x85\u061c\u200b-\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]|\r(?=[^\n])"
)
"""Also what some editors show as the end of a line where we read on: a rule behind it would only seem to be there."""
_EFFECT: Final = "the text may read otherwise than it runs"


def source_fits(source: Source, collector: Collector) -> bool:
    """Whether the file is short enough to be looked at."""
    if len(source.text) <= MAX_SOURCE_CHARS:
        return True
    collector.add(
        Diagnostic(
            TEXT_TOO_LONG,
            f"the file is {len(source.text):,} characters long; at most {MAX_SOURCE_CHARS:,} are read",
            (Label(Span(source, 0, 1)),), effect="nothing of it is read, so the policy does not load",
            suggestion="split it and join the parts with `use rules`",
        )
    )  # fmt: skip
    return False


def check_characters(source: Source, collector: Collector) -> bool:
    """Tell hidden characters: refused in code, warned of in text and comments. A byte order mark at the very start is fine."""
    if not _HIDDEN.search(source.text, 1 if source.text.startswith("\ufeff") else 0):
        return True
    fine, told = True, 0
    for scrap in scan(source.text):
        found = _HIDDEN.search(scrap.text)
        if found is None:
            continue
        place = Span(source, scrap.start + found.start(), scrap.start + found.end())
        inside = scrap.kind in ("string", "unclosed", "comment") and ord(found[0]) >= 32
        fine, told = fine and inside, told + 1
        if told <= MAX_HIDDEN_TOLD:
            collector.add(_hidden(place, scrap.kind, inside))
        elif not inside:
            collector.add(_hidden(place, scrap.kind, inside))
            return False
    return fine


def _hidden(place: Span, kind: str, inside: bool) -> Diagnostic:
    code = f"U+{ord(place.text):04X}"
    where = "a comment" if kind == "comment" else "text" if kind in ("string", "unclosed") else "code"
    suggestion = f"write the escape \\u{ord(place.text):04x}" if where == "text" else "delete it"
    fixes = () if where == "text" else (Fix(f"delete {code}", (Edit(place, ""),), safe=where == "comment"),)
    return Diagnostic(
        BIDI_IN_TEXT if inside else HIDDEN_CHARACTER, f"an invisible character ({code}) stands in {where}",
        (Label(place, "here"),), effect=_EFFECT, suggestion=suggestion, fixes=fixes,
    )  # fmt: skip


def piece_fits(piece: Piece, collector: Collector) -> bool:
    """Whether an item is short and flat enough to be lexed."""
    span = piece.span
    size = span.end - span.start
    place = Span(span.source, span.start, span.start + len(piece.scraps[0].text))
    if size > MAX_ITEM_CHARS:
        message = f"one item is {size:,} characters long; at most {MAX_ITEM_CHARS:,} are read"
        help_ = "long lists belong into a data file: `use data`; parts of conditions into `let`"
        collector.add(Diagnostic(TEXT_TOO_LONG, message, (Label(place, "begins here"),), suggestion=help_))
        return False
    depth, elses = 0, 0
    for scrap in piece.scraps:
        if scrap.kind == "word" and scrap.text == "else":
            elses += 1
        if scrap.kind != "symbol":
            continue
        depth += 1 if scrap.text in "([{" else -1 if scrap.text in ")]}" else 0
        if depth > MAX_NESTING:
            here = Label(Span(span.source, scrap.start, scrap.end), f"bracket number {depth}")
            message = f"more than {MAX_NESTING} brackets are open at once"
            collector.add(Diagnostic(TOO_LARGE, message, (here,), suggestion="name inner parts with `let`"))
            return False
    if elses > MAX_ELSES:
        message = f"one rule holds {elses} times `else`; at most {MAX_ELSES} are read"
        collector.add(Diagnostic(TEXT_TOO_LONG, message, (Label(place, "begins here"),), suggestion="a shorter ladder"))
        return False
    return True
