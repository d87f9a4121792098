"""`secrets(x)`: passwords, keys and tokens, by the patterns of detect-secrets: its one door, imported when first needed.

Its patterns run in RE2 (linear in the text); beside them stand forms that it does not know yet. Bare random-looking text
is not a finding: identifiers look the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final

from policy_engine.base.errors import EvaluationError
from policy_engine.semantics.functions.declaration import Extra, Function
from policy_engine.semantics.functions.detectors.finding import Finding, found_in, plain
from policy_engine.semantics.functions.patterns import all_of, compiled
from policy_engine.semantics.functions.signatures import counted, examples, takes
from policy_engine.semantics.types import BOOL, DYN

_NAMED: Final = r"password|passwd|passphrase|pwd|secret|(?:api|access|private)[_\- ]?key|(?:auth|access)[_\- ]?token"
_ANY: Final = r"""[^\s"',;<>]"""
_ODD: Final = "[0-9!@#$%^&*]"
_OURS: Final = (
    r"BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY",
    r"github_pat_[A-Za-z0-9_]{22,}",
    r"\bsk-(?:proj|ant|svcacct|admin|live|test)-[A-Za-z0-9_\-]{16,}",
    r"\bsk-[A-Za-z0-9]{32,}",
    r"\b(?:[rs]k|pk)_(?:live|test)_[0-9a-zA-Z]{16,}",
    r"\bAIza[0-9A-Za-z_\-]{35}",
    r"\bxapp-[0-9]-[A-Z0-9]+-[0-9]+-[a-f0-9]+",
    r"\bhf_[A-Za-z0-9]{30,}",
    r"\bnpm_[A-Za-z0-9]{36}",
    r"\bdop_v1_[a-f0-9]{64}",
    r"\bshp(?:at|ss|ca|pa)_[a-fA-F0-9]{32}",
    r"(?i:\bbearer\s+[A-Za-z0-9_\-.=+/]{20,})",
    rf"""(?i:(?:{_NAMED})["']?\s*(?::=|=>|[:=]|\bis\b)\s*["']?(?:{_ANY}{{5,}}{_ODD}|{_ANY}{{3,4}}{_ODD}{_ANY}|"""
    rf"""{_ANY}{{0,2}}{_ODD}{_ANY}{{3,}}){_ANY}*)""",
)
SHORTEST_SECRET: Final = 6
SHORTEST_WORD: Final = 16
"""Characters that a secret has at least; the second without any but letters and digits."""
MASK: Final = "****"
_NOT_SECRETS: Final = frozenset(("IPPublicDetector",))
_REWRITTEN: Final = (
    (r"(?:(?<=\W)|(?<=^))", r"(?:^|\W)"),
    (r"(?!\w)", r"\b"),
    (r"(?![a-zA-Z0-9_\-])", ""),
    (r"(?![a-f0-9])", ""),
    ("{50,1024}", "{50,1000}"),
)
"""What RE2 does not have, and what says the same, or a little more."""


@cache
def open_detect_secrets() -> tuple[Any, ...]:
    """All patterns, ready to search; raises `ImportError`, also for a version whose patterns cannot be taken over."""
    from detect_secrets import plugins
    from detect_secrets.plugins.base import RegexBasedDetector

    found = dict.fromkeys(_OURS)
    for module in iter_modules(plugins.__path__):
        members: dict[str, Any] = vars(import_module(f"{plugins.__name__}.{module.name}"))
        for name, plugin in members.items():
            if _is_plugin(plugin, RegexBasedDetector) and name not in _NOT_SECRETS:
                found.update(dict.fromkeys(map(_for_re2, plugin.denylist)))
    try:
        return tuple(map(compiled, found))
    except EvaluationError as fault:
        raise ImportError("this version of detect-secrets has patterns that RE2 does not read") from fault


def _is_plugin(member: Any, base: type) -> bool:
    return isinstance(member, type) and issubclass(member, base) and member is not base


def _for_re2(pattern: Any) -> str:
    text = str(pattern.pattern)
    for theirs, ours in _REWRITTEN:
        text = text.replace(theirs, ours)
    return f"(?i:{text})" if pattern.flags & 2 else text


def find_secrets(text: str) -> Iterator[Finding]:
    """What stands in a text, pattern by pattern."""
    for pattern in open_detect_secrets():
        for match in pattern.finditer(text):
            yield Finding(match.start(), match.end(), "secret")


@cache
def _at_hand() -> tuple[tuple[Any, ...], Callable[[str], Sequence[int]]]:
    """The patterns there are without an error where the extra is missing: then our own; and what tells which may match."""
    try:
        patterns = open_detect_secrets()
    except ImportError:
        patterns = tuple(map(compiled, _OURS))
    return patterns, all_of([pattern.pattern for pattern in patterns])


def masked_text(text: str) -> str:
    """The text with `****` for what looks like a secret; with fewer patterns where the extra `detectors` is missing.

    Called by the audit for every text it keeps. A text that detectors cannot read is masked as a whole.
    """
    if len(text) < SHORTEST_SECRET or (len(text) < SHORTEST_WORD and text.isalnum()):
        return text
    try:
        read = plain(text)
    except EvaluationError:
        return MASK
    patterns, hits = _at_hand()
    places = sorted(match.span() for index in hits(read) for match in patterns[index].finditer(read))
    if not places:
        return text
    made, end = "", 0
    for start, stop in places:
        if start >= end:
            made += read[end:start] + MASK
        end = max(end, stop)
    return made + read[end:]


def secrets(value: Any) -> bool:
    """Whether any text inside the value holds one."""
    return found_in("secrets", value, find_secrets)


EXTRA: Final = Extra("detectors", open_detect_secrets)

FUNCTIONS: Final = (
    Function(
        "secrets",
        (takes(DYN, to=BOOL),),
        "Whether the text, or any text inside the value, holds a password, key or token.",
        examples(
            ("secrets('nothing here')", "false"),
            ("secrets({'env': 'AWS_KEY=' + 'AKIA' + 'IOSFODNN7EXAMPLE'})", "true"),
        ),
        counted("secrets", secrets, 1),
        cost=100,
        source="policy language",
        extra=EXTRA,
    ),
)
