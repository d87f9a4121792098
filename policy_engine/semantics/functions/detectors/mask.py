"""`mask(x)` and `mask(x, kinds)`: the value with `****` where a detector finds something. Called by policies."""

from __future__ import annotations

from typing import Any, Final

from policy_engine.semantics.functions.declaration import Extra, Function
from policy_engine.semantics.functions.detectors.checksum import open_stdnum
from policy_engine.semantics.functions.detectors.finding import Finding, plain
from policy_engine.semantics.functions.detectors.pii import PII_KINDS, find_pii
from policy_engine.semantics.functions.detectors.secrets import find_secrets, open_detect_secrets
from policy_engine.semantics.functions.signatures import counted, examples, invalid, takes
from policy_engine.semantics.operations import no_overload
from policy_engine.semantics.types import DYN, STRING, ListType

KINDS: Final = (*PII_KINDS, "secret")
_MASK: Final = "****"


def read_kinds(kinds: Any) -> frozenset[str]:
    """The kinds that a list names; raises for a word that is none, which would mask nothing in silence."""
    if type(kinds) is not list:
        no_overload("mask", kinds)
    if not kinds or not all(type(kind) is str and kind in KINDS for kind in kinds):
        raise invalid(f"`mask` knows the kinds {', '.join(KINDS)}")
    return frozenset(kinds)


def mask(value: Any, kinds: Any = None) -> Any:
    """A copy of the value; without `kinds` everything that is found is masked."""
    return _masked(value, frozenset(KINDS) if kinds is None else read_kinds(kinds))


def _masked(value: Any, kinds: frozenset[str]) -> Any:
    kind = type(value)
    if kind is str:
        return _masked_text(value, kinds)
    if kind is int:
        text = str(value)
        masked = _masked_text(text, kinds)
        return value if masked == text else masked
    if kind is list:
        return [_masked(item, kinds) for item in value]
    if kind is dict:
        made = {_masked(key, kinds): _masked(item, kinds) for key, item in value.items()}
        if len(made) != len(value):
            raise invalid("two keys of a map are the same once they are masked")
        return made
    if value is not None and kind not in (bool, float):
        no_overload("mask", value)
    return value


def _masked_text(text: str, kinds: frozenset[str]) -> str:
    read = plain(text)
    found: list[Finding] = []
    if not kinds.isdisjoint(PII_KINDS):
        found += [one for one in find_pii(read) if one.kind in kinds]
    if "secret" in kinds:
        found += find_secrets(read)
    if not found:
        return text
    made, end = "", 0
    for one in sorted(found):
        if one.start >= end:
            made += read[end : one.start] + _MASK
        end = max(end, one.end)
    return made + read[end:]


def _open_both() -> None:
    open_stdnum()
    open_detect_secrets()


FUNCTIONS: Final = (
    Function(
        "mask",
        (takes(DYN, to=DYN), takes(STRING, ListType(STRING), to=STRING), takes(DYN, ListType(STRING), to=DYN)),
        f"The value with `****` for what detectors find in it; a list names the kinds to replace: {', '.join(KINDS)}.",
        examples(
            ("mask('mail ann@acme.com', ['email'])", "'mail ****'"),
            ("mask(['call 555-0198', 7])", "['call ****', 7]"),
        ),
        counted("mask", mask, 1, 2),
        cost=100,
        source="policy language",
        extra=Extra("detectors", _open_both),
        constants=((1, read_kinds),),
    ),
)
