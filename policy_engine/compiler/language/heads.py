"""Faults in the first words of an item: an unknown kind, no name, a name in capitals, no `on`, no tool."""

from __future__ import annotations

import re
from typing import Final

from policy_engine.base.source import Span
from policy_engine.compiler.language.codes import (
    GLUED_KEYWORD,
    MISSING_ON,
    MISSING_TARGET,
    RULE_NAME,
    STRAY_TEXT,
    UNKNOWN_KIND,
)
from policy_engine.compiler.language.splitting import Piece
from policy_engine.compiler.language.words import (
    CLAUSE_FORMS,
    CLAUSES,
    DECLARATIONS,
    GUARDS_AND_NOTES,
    KEYWORDS,
    RULE_KINDS,
)
from policy_engine.diagnostics.model import Diagnostic, Edit, Fix, Label
from policy_engine.diagnostics.suggest import nearest

_EFFECT: Final = "the rule is not read, so the policy does not load"
_GOOD_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_NAME_END: Final = ("on", "when", "unless", "to", "as", "of", "set", "redact", "require", "because")


def first_index(piece: Piece) -> int:
    """Where the kind stands among the scraps: after `observe`, if that is there."""
    return 1 if piece.scraps[0].text == "observe" and piece.keyword != "observe" else 0


def head_fault(piece: Piece) -> Diagnostic | None:
    """What is wrong with the head of an item, if something is."""
    if piece.keyword is None or piece.keyword not in (*RULE_KINDS, *DECLARATIONS, "policy"):
        return _unknown(piece)
    if piece.keyword not in RULE_KINDS:
        return None
    return _name_fault(piece) or _on_fault(piece)


def _place(piece: Piece, index: int) -> Span:
    scrap = piece.scraps[min(index, len(piece.scraps) - 1)]
    return Span(piece.span.source, scrap.start, scrap.end)


def _text(piece: Piece, index: int) -> str:
    return piece.scraps[index].text if index < len(piece.scraps) else ""


def _unknown(piece: Piece) -> Diagnostic:
    index = 1 if piece.scraps[0].text == "observe" and len(piece.scraps) > 1 else 0
    word, place = _text(piece, index), _place(piece, index)
    heads = (*RULE_KINDS, *DECLARATIONS, "observe", "policy")
    rule_like = _text(piece, index + 2) == "on"
    guess = nearest(word, heads)
    for head in heads:
        if word.startswith(head) and len(word) > len(head) and piece.scraps[index].kind == "word":
            rest = word[len(head) :].lstrip("-_")
            if rest and not (guess and guess != head and abs(len(guess) - len(word)) <= 1):
                message = f"`{word}` is one word: the keyword `{head}` runs into `{rest}`"
                help_ = f"{head} {rest}"
                return Diagnostic(GLUED_KEYWORD, message, (Label(place, "not a keyword"),), _EFFECT, help_)
    if rule_like:
        fixes = (Fix(f"write `{guess}`", (Edit(place, guess),), safe=False),) if guess else ()
        return Diagnostic(
            UNKNOWN_KIND, f"`{word}` is no kind of rule" + (f"; did you mean `{guess}`?" if guess else ""),
            (Label(place, "unknown kind"),), effect=_EFFECT,
            suggestion=CLAUSE_FORMS.get(guess or "", f"one of {', '.join(RULE_KINDS)}"),
            fixes=fixes,
        )  # fmt: skip
    shown = word if len(word) <= 40 else f"{word[:37]}…"
    seen = f"`{shown}`" if shown.isprintable() else f"the character U+{ord(shown[0]):04X}"
    known = f"; did you mean `{guess}`?" if guess and guess[0] == word[0].lower() else ""
    return Diagnostic(
        STRAY_TEXT, f"{seen} begins no rule and no declaration{known}", (Label(place, "here"),),
        effect="nobody can tell what was meant, so the policy does not load", suggestion="a comment is written `// …`",
    )  # fmt: skip


def _name_fault(piece: Piece) -> Diagnostic | None:
    at = first_index(piece) + 1
    kind, word = piece.keyword or "", _text(piece, at)
    nameless = word == "on" and _text(piece, at + 1) != "on"
    if at >= len(piece.scraps) or nameless or word in ("{", "=", ":"):
        place = Label(_place(piece, at), "a name is missing here" if at < len(piece.scraps) else "ends here")
        return Diagnostic(
            RULE_NAME, f"{_a(kind)} rule has no name", (place,), effect=_EFFECT, suggestion=CLAUSE_FORMS[kind],
            notes=("every rule has a name: decisions, logs and tests cite it",),
        )  # fmt: skip
    end = at + 1
    while end < len(piece.scraps) and piece.scraps[end].text not in _NAME_END and end < at + 6:
        end += 1
    if end < len(piece.scraps) and piece.scraps[end].text != "on" and piece.scraps[at].kind == "word":
        end = at + 1
    if end == len(piece.scraps) or piece.scraps[end].text != "on":
        end = at + 1
    span = _place(piece, at).to(_place(piece, end - 1))
    if _GOOD_NAME.fullmatch(span.text):
        return None
    if _GOOD_NAME.fullmatch(word) and piece.scraps[at].kind == "word" and " " in span.text:
        return None  # `deny refunds crm.refund on`: the name is fine, `on` is missing after it
    written = _kebab(span.text)
    return Diagnostic(
        RULE_NAME, f"`{_short(span.text)}` is not a rule name: lower-case words and digits joined by hyphens",
        (Label(span, "not kebab-case"),), effect=_EFFECT, suggestion=f"{kind} {written} on …" if written else CLAUSE_FORMS[kind],
        fixes=(Fix(f"name it `{written}`", (Edit(span, written),), safe=False),) if written else (),
    )  # fmt: skip


def _on_fault(piece: Piece) -> Diagnostic | None:
    at = first_index(piece) + 2
    kind, name = piece.keyword or "", _text(piece, at - 1)
    if _text(piece, at) != "on":
        word = _text(piece, at)
        glued = word.startswith("on") and len(word) > 2 and at < len(piece.scraps) and piece.scraps[at].kind == "word"
        place = Label(_place(piece, at), "`on` is missing before this" if at < len(piece.scraps) else "ends here")
        if glued and word not in KEYWORDS:
            message = f"`{word}` is one word: the keyword `on` runs into `{word[2:]}`"
            return Diagnostic(GLUED_KEYWORD, message, (place,), effect=_EFFECT, suggestion=f"on {word[2:]}")
        return Diagnostic(
            MISSING_ON, f"`on` is missing after `{kind} {name}`", (place,), effect=_EFFECT,
            suggestion=f"{kind} {name} on TOOLS", notes=("without `on` nobody can tell the tools from the rest",),
        )  # fmt: skip
    word = _text(piece, at + 1)
    clauses = (*GUARDS_AND_NOTES, *CLAUSES[kind], "except")
    following = _text(piece, at + 2)
    ends = at + 1 >= len(piece.scraps)
    if not ends and (word not in clauses or following in (*KEYWORDS, ",", ".", "") or piece.scraps[at + 1].kind != "word"):
        return None
    return Diagnostic(
        MISSING_TARGET, f"`{kind} {name}` names no tool and no event after `on`",
        (Label(_place(piece, at), "on what?"),), effect=_EFFECT,
        suggestion=f"{kind} {name} on * …  for every tool, or on crm.refund, crm.search_*, @answer",
    )  # fmt: skip


def _kebab(text: str) -> str:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text.strip("\"'`"))
    words = re.findall(r"[a-z0-9]+", spaced.lower())
    written = "-".join(words)
    return written if _GOOD_NAME.fullmatch(written) else ""


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} `{word}`"
