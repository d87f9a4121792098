"""Splits a policy file into its items at their heads, so that each is parsed on its own and a fault hides no other.

Layout is free, so a head is known by its words: `KIND NAME on` for rules, `let NAME`, `param NAME :`, `principal {` … for
declarations. CEL never puts two words side by side (but around `in`), hence no condition can hold a head. Faulty heads
(`alow x on y`, `allow on y`) are guessed at only where they begin a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from policy_engine.base.source import Source, Span
from policy_engine.compiler.language.scanning import Scrap, scan
from policy_engine.compiler.language.words import (
    CLAUSES,
    CONNECTING,
    DECLARATIONS,
    GUARDS_AND_NOTES,
    KEYWORDS,
    RULE_KINDS,
    SHAPES,
)

_AFTER_ELSE: Final = ("else", "default", "never", "always", "sometimes")
_NAMED: Final = (*RULE_KINDS, "let", "group", "param", "history", "queues", "labels", "policy")
"""Words that a name follows."""
_OPENING: Final = frozenset((*RULE_KINDS, *DECLARATIONS, *SHAPES, "observe", "policy"))
"""Words that begin a head also within a line."""
_OPERANDS: Final = ("word", "string", "number", "unclosed")
_OPERAND_ENDS: Final = (")", "]", "}", "*")
_CLAUSE_WORDS: Final = frozenset(
    (*GUARDS_AND_NOTES, "else", "in", *(word for words in CLAUSES.values() for word in words))
)


@dataclass(frozen=True, slots=True)
class Piece:
    """One item as text. `keyword` is the word it begins with, after `observe`; None for text under no head."""

    keyword: str | None
    span: Span
    scraps: tuple[Scrap, ...]
    """Its words, strings and symbols, without comments."""


def split(source: Source) -> tuple[Piece, ...]:
    """The items of a file in order. Text before the first head, if any, is a piece without keyword."""
    scraps = [scrap for scrap in scan(source.text) if scrap.kind != "comment"]
    heads = _heads(scraps)
    if scraps and (not heads or heads[0][0] > 0):
        heads.insert(0, (0, None))
    bounds = [*(index for index, _ in heads), len(scraps)]
    return tuple(
        Piece(keyword, Span(source, scraps[begin].start, scraps[end - 1].end), tuple(scraps[begin:end]))
        for (begin, keyword), end in zip(heads, bounds[1:], strict=True)
    )


def _heads(scraps: Sequence[Scrap]) -> list[tuple[int, str | None]]:
    heads: list[tuple[int, str | None]] = []
    index, depth = 0, 0
    while index < len(scraps):
        scrap = scraps[index]
        if scrap.kind == "symbol":
            depth = depth + 1 if scrap.text in "([{" else max(0, depth - 1) if scrap.text in ")]}" else depth
            index += 1
            continue
        may_begin = scrap.kind == "word" and (scrap.first or scrap.text in _OPENING)
        length = _head_length(scraps, index, depth) if may_begin else 0
        if not length:
            index += 1
            continue
        observed = scrap.text == "observe" and length > 1
        heads.append((index, scraps[index + 1].text if observed else scrap.text))
        depth = 0
        index += length
    return heads


def _word(scraps: Sequence[Scrap], index: int) -> str | None:
    """The word at `index`; None where something else or nothing stands."""
    return scraps[index].text if 0 <= index < len(scraps) and scraps[index].kind == "word" else None


def _text(scraps: Sequence[Scrap], index: int) -> str:
    return scraps[index].text if 0 <= index < len(scraps) else ""


def _head_length(scraps: Sequence[Scrap], index: int, depth: int) -> int:
    """How many scraps the head at `index` takes that cannot begin another; 0 when no head is there."""
    if index and scraps[index - 1].text == ".":
        return _rule_head(scraps, index) if scraps[index].first else 0
    if _text(scraps, index) == "observe":
        inner = _rule_head(scraps, index + 1) or _guessed_rule(scraps, index + 1)
        if inner:
            return 1 + inner
    known = _rule_head(scraps, index) or _declaration_head(scraps, index)
    return known or (0 if depth else _guessed_head(scraps, index))


def _rule_head(scraps: Sequence[Scrap], index: int) -> int:
    """`KIND NAME on`, wherever it stands."""
    if _word(scraps, index) not in RULE_KINDS or _word(scraps, index + 2) != "on":
        return 0
    name = _word(scraps, index + 1)
    if name is None or (name == "in" and _continues(scraps, index)):
        return 0
    if _text(scraps, index - 1) in _AFTER_ELSE and name in RULE_KINDS and _word(scraps, index + 3) == "on":
        return 0  # `else deny allow on on x`: the rule is `allow on`
    return 3


def _declaration_head(scraps: Sequence[Scrap], index: int) -> int:
    """A declaration that its words give away, wherever it stands."""
    word, following = _word(scraps, index), _text(scraps, index + 1)
    named = _word(scraps, index + 1) not in (None, "in")
    match word:
        case "use" if following in ("tools", "rules", "data"):
            return 2
        case "param" if named and _text(scraps, index + 2) == ":":
            return 2
        case "history" if named and _text(scraps, index + 2) == "by":
            return 2
        case "let" if named and _text(scraps, index + 2) in ("=", "(", "on"):
            return 2
        case "group" if named and _text(scraps, index + 2) == "=":
            return 2
        case "default" if following in ("deny", "abstain", "escalate") and not _rule_head(scraps, index + 1):
            return 2
        case "queues" | "labels" if named and (following not in KEYWORDS or not _continues(scraps, index)):
            return _list_length(scraps, index)
        case "policy" if index == 0:
            return 2
    return 1 if word in SHAPES and following == "{" else 0


def _list_length(scraps: Sequence[Scrap], index: int) -> int:
    following = scraps[index + 1]
    if following.first and following.text in (*RULE_KINDS, *DECLARATIONS):
        return 1  # the list is empty, and the next item begins
    length = 2
    while _text(scraps, index + length) == "," and _word(scraps, index + length + 1) is not None:
        length += 2
    return length


def _guessed_head(scraps: Sequence[Scrap], index: int) -> int:
    """A head with a fault: at the beginning of a line, where nothing is left unfinished before it."""
    if not scraps[index].first or _continues(scraps, index):
        return 0
    word, following = scraps[index].text, scraps[index + 1] if index + 1 < len(scraps) else None
    if following is None:
        return 1 if word in (*RULE_KINDS, *DECLARATIONS) else 0
    guess = _guessed_rule(scraps, index)
    if guess:
        return guess
    if word in (*DECLARATIONS, "policy") and following.kind in _OPERANDS and following.text != "in":
        return 1
    return _stray_head(scraps, index)


def _stray_head(scraps: Sequence[Scrap], index: int) -> int:
    """Words that no item has: `alow x on y`, `denya on y`, `hello world`."""
    word, following, third = (_word(scraps, index + step) for step in range(3))
    if word is None or following is None or word in KEYWORDS:
        return 0
    if _text(scraps, index - 1) in _NAMED and _text(scraps, index - 2) not in _AFTER_ELSE:
        return 0
    if third == "on" and following not in _CLAUSE_WORDS:
        return 3
    if following == "on":
        return 2 if word.startswith(RULE_KINDS) else 0
    return 1 if following not in KEYWORDS and not scraps[index + 1].first else 0


def _guessed_rule(scraps: Sequence[Scrap], index: int) -> int:
    """`allow on x`, `deny x crm.y`: a kind and a word or string, but not the three words of a head."""
    following = scraps[index + 1] if index + 1 < len(scraps) else None
    if _word(scraps, index) not in RULE_KINDS or following is None or following.text == "in":
        return 0
    if following.kind in _OPERANDS:
        return 2 if following.text == "on" else 1
    return 0


def _continues(scraps: Sequence[Scrap], index: int) -> bool:
    """Whether the scrap before `index` asks for more, so that an ordinary name may stand here."""
    if index == 0:
        return False
    previous = scraps[index - 1]
    if previous.kind == "symbol":
        return previous.text not in _OPERAND_ENDS
    return previous.kind == "word" and (previous.text in CONNECTING or previous.text in ("default", "observe"))
