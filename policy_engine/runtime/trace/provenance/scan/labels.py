"""`labels(x)`: the labels at the places where a value was seen; every label of the run for the model's own values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from policy_engine.runtime.trace.provenance.leaves import Leaf
from policy_engine.runtime.trace.provenance.scan.origins import matcher, parts_of_value
from policy_engine.runtime.trace.provenance.tokens import SHARED_WORDS, Text


def labels(value: Any, leaves: Sequence[Leaf], entered: frozenset[str]) -> frozenset[str]:
    """The union over all single values in `value`; nothing for null. `entered` = every label that entered the run."""
    if not entered:
        return entered
    # No rule labels the words of a failing tool, so having been seen there vouches for nothing.
    vouching = [leaf for leaf in leaves if leaf.source != "error"]
    return frozenset(label for part in parts_of_value(value) for label in _labels(part, vouching, entered))


def _labels(value: Any, leaves: Sequence[Leaf], entered: frozenset[str]) -> frozenset[str]:
    holds = matcher(value)
    seen = [leaf for leaf in leaves if holds(leaf)]
    much: list[Leaf] = []
    little: list[Leaf] = []
    if is_free_text(value):
        text = Text(value)
        for leaf in leaves:
            if leaf.text is not None and leaf not in seen:
                if shares_much(text, leaf.text):
                    much.append(leaf)
                elif holds_all_of(text, leaf.text):
                    little.append(leaf)
    # Neither the user's words nor a leaf of a word or two make the rest of a text known: it stays the model's own.
    if not seen and all(leaf.source == "user" for leaf in much):
        return entered
    cleared = {label for leaf in seen for label in leaf.cleared}
    return frozenset({label for leaf in (*seen, *much, *little) for label in leaf.labels} - cleared)


def is_free_text(value: Any) -> bool:
    """Text of more than one word."""
    return isinstance(value, str) and len(value.split()) > 1


def shares_much(text: Text, leaf: Text) -> bool:
    """Whether a text shares five consecutive words or an identifier with a leaf."""
    if not text.loose_identifiers.isdisjoint(leaf.loose_identifiers):
        return True
    return leaf.shares_words(text)


def holds_all_of(text: Text, leaf: Text) -> bool:
    """Whether a leaf shorter than five words stands in the text as a whole."""
    size = len(leaf.loose_words)
    if not 0 < size < SHARED_WORDS:
        return False
    words = text.loose_words
    return any(words[at : at + size] == leaf.loose_words for at in range(len(words) - size + 1))
