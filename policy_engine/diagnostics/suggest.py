"""«Did you mean»: the nearest of the names that exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name most like `word`, or None when nothing is near enough to help."""
    names = sorted(set(known))
    folded = {name.casefold(): name for name in reversed(names)}
    if word.casefold() in folded and folded[word.casefold()] != word:
        return folded[word.casefold()]
    matches = get_close_matches(word, [name for name in names if name != word], n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A `try:` line, «did you mean `x`?», or None."""
    match = nearest(word, known)
    return f"did you mean `{match}`?" if match else None
