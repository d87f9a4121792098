"""What detectors share: the texts inside a value, read as people read them, and where something was found.

Called by `pii`, `secrets` and `mask`. Look-alike digits and invisible characters hide nothing: texts are compared in NFKC
without format characters.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from policy_engine.semantics.functions.signatures import invalid
from policy_engine.semantics.operations import no_overload


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A stretch of a text, and the kind of thing that stands there."""

    start: int
    end: int
    kind: str


Detector: TypeAlias = Callable[[str], Iterator[Finding]]
"""Gives the findings of a text that `plain` made; they may overlap."""


def plain(text: str) -> str:
    """The text as detectors read it."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        raise invalid("the text holds half a surrogate pair") from None
    return "".join(letter for letter in unicodedata.normalize("NFKC", text) if unicodedata.category(letter) != "Cf")


def texts_in(function: str, value: Any) -> Iterator[str]:
    """Every text inside a value, keys of maps and whole numbers included."""
    kind = type(value)
    if kind is str:
        yield value
    elif kind is int:
        yield str(value)
    elif kind is list:
        for item in value:
            yield from texts_in(function, item)
    elif kind is dict:
        for key, item in value.items():
            yield from texts_in(function, key)
            yield from texts_in(function, item)
    elif value is not None and kind not in (bool, float):
        no_overload(function, value)


def found_in(function: str, value: Any, detector: Detector) -> bool:
    """Whether the detector finds anything in any text of the value."""
    return any(True for text in texts_in(function, value) for _ in detector(plain(text)))
