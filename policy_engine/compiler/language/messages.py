"""What a syntax error is called: what was seen, what may stand there, and how that kind of rule is written.

`head_fault` looks at the first words of an item before it is parsed; `syntax_fault` explains where the parser stopped.
Both look at the text and at what the parser would have taken, and never guess a meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from lark import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from policy_engine.base.source import Span
from policy_engine.compiler.cel.codes import SYNTAX
from policy_engine.compiler.cel.messages import common_mistake, expectation
from policy_engine.compiler.language.codes import (
    CLAUSE_ORDER,
    DUPLICATE_CLAUSE,
    EMPTY_GROUP,
    GLUED_KEYWORD,
    MISSING_WITHIN,
    WRONG_CLAUSE,
)
from policy_engine.compiler.language.heads import first_index, head_fault
from policy_engine.compiler.language.scanning import Scrap
from policy_engine.compiler.language.splitting import Piece
from policy_engine.compiler.language.words import (
    CLAUSE_FORMS,
    CLAUSES,
    DECLARATION_FORMS,
    EVENTS,
    GUARDS_AND_NOTES,
    KEYWORDS,
    USE_FORMS,
)
from policy_engine.diagnostics.model import Diagnostic, Label
from policy_engine.diagnostics.suggest import nearest

__all__ = ["RULE_EFFECT", "head_fault", "syntax_fault"]

RULE_EFFECT: Final = "the rule is not read, so the policy does not load"
_HOMES: Final = {
    "to": "`to QUEUE within …` asks people: that is an `escalate` rule; in `limit` it gives the bound",
    "set": "`set` changes a call: that is a `rewrite` rule, or the end of a ladder (`else set …`)",
    "redact": "`redact` blanks out a field: that is a `rewrite` rule",
    "require": "`require` says what an output must satisfy: that is a `validate` rule",
    "else": "`else` says what follows silence, failure or a full limit: escalate, validate, limit, timeout and breaker have it",
    "as": "`as LABEL` puts a label on a result: that is a `label` rule",
    "of": "`of` belongs to `limit … to 500.0 of args.amount` and `declassify … of LABEL`",
    "per": "`per` counts over time: that is a `limit` rule",
    "by": "`by` says what is counted separately: that is a `limit` rule",
    "at": "`at` belongs to `label … at result.FIELD` and `limit … to 4 at once`",
    "reserve": "`reserve` belongs to `limit`",
    "after": "`after` belongs to `timeout` and `breaker`",
    "up": "`up to 3 times` belongs to `retry` rules, and to `else retry up to 2 times` of `validate`",
    "backoff": "`backoff` belongs to `retry`",
    "open": "`open after` belongs to `breaker`",
    "probe": "`probe after` belongs to `breaker`",
    "within": "`within` belongs to a tier: `to finance within 30m`",
    "where": "`where` belongs to a tier: `to 2 of managers where approver.id != args.author within 2h`",
    "with": "`with` belongs to `redact … with` and `else call TOOL with …`",
    "never": "`never allow` belongs to `invariant`",
    "always": "`always deny` belongs to `invariant`",
    "sometimes": "`sometimes allow` belongs to `invariant`",
    "except": "`except` follows the tools at once: `on crm.* except crm.delete_*`",
}
_NAMES: Final = {
    "RULE_NAME": "a rule name", "TOOL": "a tool", "EVENT": "an event such as `@answer`", "DURATION": "a duration such as 30m",
    "STRING": "a text in quotes", "INT": "a number", "IDENT": "a name", "LBRACE": "`{`", "RBRACE": "`}`",
    "__ANON_0": "`..`", "VBAR": "`|`", "EQUAL": "`=`", "COMMA": "`,`", "OPTIONAL": "`?`", "COLON": "`:`", "RPAR": "`)`",
    "RSQB": "`]`", "LPAR": "`(`", "LSQB": "`[`",
}  # fmt: skip
_EXPRESSION: Final = frozenset({"RELOP", "PLUS"})
_VALUE: Final = frozenset({"IDENT", "INT", "STRING", "BANG"})
_FREE: Final = frozenset({*(word.upper() for word in GUARDS_AND_NOTES), "COMMA", "EXCEPT"})
_SYNONYMS: Final = {"if": "when", "where": "when", "given": "when", "except": "unless", "for": "on"}
_ROOTS: Final = ("args", "principal", "context", "run", "result", "now")
_HEADER: Final = ("under", "version", "owner", "edition", "hint")
_FOREIGN: Final = ("#", "/*", ";", "“", "”", "„", "«", "»", "‘", "’")
"""What other languages write, and no part of this one."""
MAX_LISTED: Final = 8


def syntax_fault(error: UnexpectedInput, piece: Piece) -> Diagnostic:
    """Why an item does not parse."""
    expected = _expected(error)
    at = _place(error, piece)
    index = next((i for i, scrap in enumerate(piece.scraps) if scrap.end > at), len(piece.scraps))
    scrap = piece.scraps[index] if index < len(piece.scraps) else None
    words = frozenset(name.lower() for name in expected if name.lower() in KEYWORDS)
    if scrap is not None and scrap.kind == "unclosed":
        return _unclosed(piece, scrap)
    return (
        _empty_group(piece, scrap)
        or _header_clause(piece, scrap)
        or _glued(piece, index, words)
        or _tier_without_time(piece, scrap, expected)
        or _clause(piece, index, words)
        or _misspelt(piece, scrap, words)
        or _event(piece, index)
        or _keyword_as_tool(piece, index)
        or _in_condition(piece, at, scrap, expected)
        or _generic(piece, at, scrap, expected)
    )


def _place(error: UnexpectedInput, piece: Piece) -> int:
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return piece.span.end
    position = error.pos_in_stream
    return piece.span.end if position is None else min(max(position, piece.span.start), piece.span.end)


def _expected(error: UnexpectedInput) -> frozenset[str]:
    if isinstance(error, UnexpectedToken):
        return frozenset(error.accepts or error.expected)
    return frozenset(error.allowed or ()) if isinstance(error, UnexpectedCharacters) else frozenset()


def _span(piece: Piece, scrap: Scrap | None) -> Span:
    """The place of a scrap; the end of the item where there is none."""
    if scrap is not None:
        return Span(piece.span.source, scrap.start, scrap.end)
    last = piece.scraps[-1]
    return Span(piece.span.source, last.start, last.end)


def form(piece: Piece) -> str | None:
    """How an item of this kind is written."""
    keyword = piece.keyword or ""
    if keyword == "use" and len(piece.scraps) > 1:
        return USE_FORMS.get(piece.scraps[1].text, DECLARATION_FORMS["use"])
    return CLAUSE_FORMS.get(keyword) or DECLARATION_FORMS.get(keyword)


def _unclosed(piece: Piece, scrap: Scrap) -> Diagnostic:
    quote = scrap.text.lstrip("bBrR")[:3]
    quote = quote if quote in ('"""', "'''") else quote[:1]
    return Diagnostic(
        SYNTAX, "text that begins here never ends" + ("" if len(quote) == 3 else " on its line"),
        (Label(_span(piece, scrap), "begins here"),), effect=RULE_EFFECT, suggestion=f"a closing {quote}",
    )  # fmt: skip


def _empty_group(piece: Piece, scrap: Scrap | None) -> Diagnostic | None:
    if piece.keyword != "group" or scrap is not None or piece.scraps[-1].text != "=":
        return None
    name = piece.scraps[1].text
    return Diagnostic(
        EMPTY_GROUP, f"the group `{name}` has no members", (Label(piece.span, "no tool follows"),),
        effect=f"every rule on `{name}` would silently do nothing", suggestion=DECLARATION_FORMS["group"],
    )  # fmt: skip


def _header_clause(piece: Piece, scrap: Scrap | None) -> Diagnostic | None:
    if piece.keyword == "policy" or scrap is None or not scrap.first or scrap.text not in _HEADER:
        return None
    return Diagnostic(
        CLAUSE_ORDER, f"`{scrap.text}` belongs to the header, and this is behind it",
        (Label(_span(piece, scrap), "too late here"),), effect=RULE_EFFECT,
        suggestion="right after `policy NAME`, before the first `use` or rule",
    )  # fmt: skip


def _glued(piece: Piece, index: int, words: frozenset[str]) -> Diagnostic | None:
    """`wheno.x`: a keyword that may stand here runs into what follows. The parser may stop one scrap later."""
    for scrap in piece.scraps[max(0, index - 1) : index + 1][::-1]:
        if scrap.kind not in ("word", "number") or scrap.text in KEYWORDS:
            continue
        for keyword in sorted(words, key=len, reverse=True):
            rest = scrap.text[len(keyword) :]
            if scrap.text.startswith(keyword) and rest and len(keyword) > 1 and nearest(scrap.text, words) != scrap.text:
                if len(rest) == 1 and nearest(scrap.text, words - {keyword}) in words and rest.isalpha():
                    break
                return Diagnostic(
                    GLUED_KEYWORD, f"`{scrap.text}` is one word: the keyword `{keyword}` runs into `{rest}`",
                    (Label(_span(piece, scrap), "not a keyword"),), effect=RULE_EFFECT, suggestion=f"{keyword} {rest}",
                )  # fmt: skip
    return None


def _tier_without_time(piece: Piece, scrap: Scrap | None, expected: frozenset[str]) -> Diagnostic | None:
    if "WITHIN" not in expected:
        return None
    if scrap is not None and (scrap.kind != "word" or scrap.text not in KEYWORDS):
        return None
    before = [s for s in piece.scraps if scrap is None or s.end <= scrap.start]
    start = max(i for i, s in enumerate(before) if s.text == "to")
    span = Span(piece.span.source, before[start].start, before[-1].end)
    return Diagnostic(
        MISSING_WITHIN, "the tier does not say how long it may take: `within` is missing",
        (Label(span, "asked, but until when?"),), effect=RULE_EFFECT, suggestion=f"{span.text} within 30m",
    )  # fmt: skip


def _clause(piece: Piece, index: int, words: frozenset[str]) -> Diagnostic | None:
    """A clause of another kind, one that stands twice, or one that stands too late."""
    if index >= len(piece.scraps) or piece.keyword not in CLAUSES:
        return None
    scrap, kind = piece.scraps[index], piece.keyword
    word = scrap.text
    if scrap.kind != "word" or word in words or (word not in _HOMES and word not in GUARDS_AND_NOTES):
        return None
    own = (*CLAUSES[kind], *GUARDS_AND_NOTES)
    place = Label(_span(piece, scrap), "here")
    if kind == "escalate" and word in ("within", "where"):
        own = (*own, "within", "where")
    if word not in own:
        return Diagnostic(
            WRONG_CLAUSE, f"`{word}` does not belong to {_a(kind)} rule", (place,), effect=RULE_EFFECT,
            suggestion=form(piece), notes=(_HOMES.get(word, ""),),
        )  # fmt: skip
    before = [s for s in piece.scraps[first_index(piece) + 4 : index] if s.kind == "word" and s.text == word]
    if word == "else" and before:
        return Diagnostic(
            DUPLICATE_CLAUSE, "`else` stands again after the last word of its rule was said",
            (place, Label(_span(piece, before[-1]), "nothing can follow this outcome")), effect=RULE_EFFECT,
            suggestion="keep one of both; tiers that ask people (`else to …`) come before it",
        )  # fmt: skip
    if before and words:
        return Diagnostic(
            DUPLICATE_CLAUSE, f"`{word}` stands twice in {_a(kind)} rule",
            (place, Label(_span(piece, before[0]), "first here")), effect=RULE_EFFECT, suggestion=form(piece),
        )  # fmt: skip
    wanted = _listed(words)
    if not wanted:
        return Diagnostic(
            CLAUSE_ORDER, f"`{word}` comes too early: something before it is unfinished", (place,), effect=RULE_EFFECT,
            suggestion=form(piece),
        )  # fmt: skip
    return Diagnostic(
        CLAUSE_ORDER, f"`{word}` cannot stand here in {_a(kind)} rule: {wanted} can", (place,), effect=RULE_EFFECT,
        suggestion=form(piece),
    )  # fmt: skip


def _misspelt(piece: Piece, scrap: Scrap | None, words: frozenset[str]) -> Diagnostic | None:
    if scrap is None or scrap.kind != "word" or scrap.text in KEYWORDS or scrap.text in _ROOTS:
        return None
    meant = _SYNONYMS.get(scrap.text)
    guess = meant if meant in words else nearest(scrap.text, words)
    if guess is None:
        return None
    return Diagnostic(
        SYNTAX, f"`{scrap.text}` cannot stand here; did you mean `{guess}`?", (Label(_span(piece, scrap), "unknown word"),),
        effect=RULE_EFFECT, suggestion=form(piece),
    )  # fmt: skip


def _in_condition(piece: Piece, at: int, scrap: Scrap | None, expected: frozenset[str]) -> Diagnostic | None:
    """A fault inside a condition has the words of CEL."""
    if scrap is not None and scrap.kind == "word" and scrap.text in KEYWORDS:
        return None
    foreign = scrap is not None and piece.span.source.text.startswith(_FOREIGN, at)
    brackets = _brackets_open(piece) if scrap is None else scrap.text in ")]}"
    if not (expected >= _EXPRESSION or expected >= _VALUE or foreign or brackets) or (scrap is None and not brackets):
        return None
    found = common_mistake(piece.span, at)
    if found is None:
        return None
    return Diagnostic(
        found.code, found.message, found.labels, found.effect or RULE_EFFECT, found.suggestion, found.notes, found.fixes
    )


def _brackets_open(piece: Piece) -> bool:
    signs = [scrap.text for scrap in piece.scraps if scrap.kind == "symbol"]
    return sum(sign in "([{" for sign in signs) > sum(sign in ")]}" for sign in signs)


def _event(piece: Piece, index: int) -> Diagnostic | None:
    if index + 1 >= len(piece.scraps) or piece.scraps[index].text != "@":
        return None
    name = f"@{piece.scraps[index + 1].text}"
    span = _span(piece, piece.scraps[index]).to(_span(piece, piece.scraps[index + 1]))
    guess = nearest(name, EVENTS)
    message = f"`{name}` is no event" + (f"; did you mean `{guess}`?" if guess else "")
    if name in EVENTS:
        message = f"the event `{name}` cannot stand here"
    help_ = f"one of {', '.join(EVENTS)}"
    return Diagnostic(SYNTAX, message, (Label(span, "here"),), effect=RULE_EFFECT, suggestion=help_)


def _keyword_as_tool(piece: Piece, index: int) -> Diagnostic | None:
    """`on crm.x, when true`: after a comma `when` is a tool."""
    if index < 2 or piece.scraps[index - 2].text != "," or piece.scraps[index - 1].text not in KEYWORDS:
        return None
    word, comma = piece.scraps[index - 1], piece.scraps[index - 2]
    return Diagnostic(
        SYNTAX, f"a name is missing after the comma: `{word.text}` was read as one",
        (Label(_span(piece, comma), "this comma"), Label(_span(piece, word), "read as a name")), effect=RULE_EFFECT,
        suggestion="delete the comma, or name what follows it",
    )  # fmt: skip


def _generic(piece: Piece, at: int, scrap: Scrap | None, expected: frozenset[str]) -> Diagnostic:
    needed = expected - _FREE if scrap is None and not expected >= _EXPRESSION else expected
    wanted = _wanted(needed or expected)
    what = f"{_a(piece.keyword)} rule" if piece.keyword in CLAUSES else f"`{piece.keyword}`"
    if scrap is None:
        message, label = f"{what} ends too early: {wanted} is missing", "ends here"
    else:
        seen = scrap.text if len(scrap.text) <= 40 else f"{scrap.text[:37]}…"
        shown = f"`{seen}`" if seen.isprintable() else f"the character U+{ord(seen[0]):04X}"
        message, label = f"{shown} cannot stand here in {what}: {wanted} can", "unexpected"
        if wanted == "the end":
            message = f"{shown} is too much: {what} ends before it"
    return Diagnostic(SYNTAX, message, (Label(_span(piece, scrap), label),), effect=RULE_EFFECT, suggestion=form(piece))


def _wanted(expected: frozenset[str]) -> str:
    operators = expected >= _EXPRESSION
    names = [f"`{name.lower()}`" for name in sorted(expected) if name.lower() in KEYWORDS and (name != "IN" or not operators)]
    if expected >= _EXPRESSION or expected >= _VALUE:
        value = "a value" if expected >= _VALUE else "an operator"
        return _join([value, *names] if len(names) < MAX_LISTED else [value])
    others = [_NAMES[name] for name in sorted(expected) if name in _NAMES]
    ends = ["the end"] if "$END" in expected and not names and not others else []
    return _join([*others, *names, *ends][:MAX_LISTED]) or expectation(expected)


def _listed(words: Iterable[str]) -> str:
    return _join([f"`{word}`" for word in sorted(words)][:MAX_LISTED])


def _join(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _a(word: str | None) -> str:
    return f"{'an' if word and word[0] in 'aeiou' else 'a'} `{word}`"
