"""`coverage(x)`: the share of its words that the user said, wherever they said them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from policy_engine.runtime.trace.provenance.scan.origins import parts_of_value
from policy_engine.runtime.trace.provenance.scan.said import mentions
from policy_engine.runtime.trace.provenance.tokens import Text


def coverage(value: Any, texts: Sequence[Text]) -> float:
    """1.0 where there is no word to say; a number or date counts as one word."""
    words = [said for part in parts_of_value(value) for said in _words(part, texts)]
    return sum(words) / len(words) if words else 1.0


def _words(part: Any, texts: Sequence[Text]) -> Iterator[bool]:
    if not isinstance(part, str):
        yield any(mentions(text, part) for text in texts)
        return
    for word in Text(part).words:
        yield any(text.holds_word(word.text) for text in texts)
