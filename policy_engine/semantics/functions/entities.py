"""`entities(x)`: the web addresses, mail addresses and accounts inside text. Pure, and linear in the text (RE2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.patterns import compiled
from policy_engine.semantics.functions.signatures import counted, examples, invalid, takes
from policy_engine.semantics.operations import no_overload
from policy_engine.semantics.types import DYN, STRING, ListType

_PATTERN: Final = compiled(
    "|".join(
        (
            r"[a-zA-Z][a-zA-Z0-9+.\-]*://[^\s<>\"'`]+",  # a URL of any scheme
            r"\bwww\.[^\s<>\"'`]+",
            r"[\pL\pN._%+\-]+@[\pL\pN\-]+(?:\.[\pL\pN\-]+)+",  # a mail address
            r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",  # an IBAN, with spaces or without
            r"\b[0-9]{4}(?:[ \-][0-9]{4}){2,4}\b",  # a card or account in groups of four
            r"\b[0-9]{8,34}\b",  # any other long number
        )
    )
)


def entities(value: Any) -> list[str]:
    """The entities in a text, or in all texts of a list or map, each once, in the order they are met."""
    try:
        return list(dict.fromkeys(match.rstrip(".,;:!?)]}»”") for text in _texts(value) for match in _found(text)))
    except UnicodeEncodeError:
        raise invalid("the text holds half a surrogate pair") from None


def _found(text: str) -> Iterator[str]:
    for match in _PATTERN.finditer(text):
        yield match.group(0)


def _texts(value: Any) -> Iterator[str]:
    kind = type(value)
    if kind is str:
        yield value
    elif kind is list:
        for item in value:
            yield from _texts(item)
    elif kind is dict:
        for item in value.values():
            yield from _texts(item)
    elif value is not None and kind not in (bool, int, float):
        no_overload("entities", value)


FUNCTIONS: Final = (
    Function(
        "entities",
        (takes(DYN, to=ListType(STRING)),),
        "The web addresses, mail addresses and account numbers inside a text, or in all texts of a list or map.",
        examples(
            (
                "entities('Pay DE89 3704 0044 0532 0130 00, ask ann@acme.com.')",
                "['DE89 3704 0044 0532 0130 00', 'ann@acme.com']",
            ),
            ("entities(['see https://acme.com/a?b=1 now'])", "['https://acme.com/a?b=1']"),
        ),
        counted("entities", entities, 1),
        cost=20,
        source="policy language",
    ),
)
