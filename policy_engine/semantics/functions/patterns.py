"""`matches`: regular expressions by RE2, whose time is linear in the text whatever the pattern.

Compiled patterns are kept, keyed by their text; nothing else is remembered. Compiling one is bounded by its length
and by RE2's own limit on memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import re2  # type: ignore[import-untyped, unused-ignore]

from policy_engine.base.errors import EvaluationError
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.signatures import examples, invalid, takes, typed
from policy_engine.semantics.types import BOOL, STRING

MAX_PATTERN_CHARS: Final = 10_000
"""Characters in one regular expression."""
_SET_MEMORY: Final = 256 << 20
"""Bytes that a set of patterns may use; it uses what its automaton needs."""


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    return options


_OPTIONS: Final = _options()


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """The RE2 object of a pattern; raises `EvaluationError` for one that is too long or that RE2 does not read."""
    if len(pattern) > MAX_PATTERN_CHARS:
        raise EvaluationError("too_costly", f"a pattern is longer than {MAX_PATTERN_CHARS} characters")
    try:
        return re2.compile(pattern, _OPTIONS)
    except (re2.error, UnicodeEncodeError):
        raise invalid("the text is not a regular expression that RE2 reads") from None


def all_of(patterns: Sequence[str]) -> Callable[[str], Sequence[int]]:
    """A function that tells which of these patterns (all of which compile) are found in a text, by their numbers.

    All at once by RE2's set, whose time hardly depends on their number; one by one where the set gives up. It does not
    say that it did. Therefore its last pattern is one that every text matches: an answer without it is no answer.
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _SET_MEMORY
    together = re2.Set.SearchSet(options)
    for pattern in patterns:
        together.Add(pattern)
    sentinel = together.Add("")
    together.Compile()

    def found(text: str) -> Sequence[int]:
        numbers: list[int] = together.Match(text)
        if sentinel not in numbers:
            return [number for number, pattern in enumerate(patterns) if compiled(pattern).search(text) is not None]
        numbers.remove(sentinel)
        return numbers

    return found


def matches(text: str, pattern: str) -> bool:
    """Whether the pattern is found anywhere in the text; `^` and `$` tie it to the ends."""
    try:
        return compiled(pattern).search(text) is not None
    except UnicodeEncodeError:
        raise invalid("the text holds half a surrogate pair") from None


FUNCTIONS: Final = (
    Function(
        "matches",
        (takes(STRING, STRING, to=BOOL),),
        "Whether the regular expression (RE2) is found anywhere in the text; `^` and `$` tie it to the ends.",
        examples(("'A-17'.matches('^[A-Z]-\\\\d+$')", "true"), ("matches('xA-17', '^A')", "false")),
        typed("matches", matches, (str, str)),
        method=True,
        both=True,
        cost=5,
    ),
)
