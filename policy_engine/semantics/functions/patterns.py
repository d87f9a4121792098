"""`matches`: regular expressions by RE2, whose time is linear in the text whatever the pattern.

Compiled patterns are kept, keyed by their text; nothing else is remembered. Compiling one is bounded by its length
and by RE2's own limit on memory.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import re2  # type: ignore[import-untyped, unused-ignore]

from policy_engine.base.errors import EvaluationError
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.signatures import examples, invalid, takes, typed
from policy_engine.semantics.types import BOOL, STRING

MAX_PATTERN_CHARS: Final = 10_000
"""Characters in one regular expression."""


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
