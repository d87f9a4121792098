"""`checksum(x, kind)`: numbers whose check digits are right, by python-stdnum: its one door, imported when first needed."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, Final

from policy_engine.semantics.functions.declaration import Extra, Function
from policy_engine.semantics.functions.signatures import examples, invalid, takes, typed
from policy_engine.semantics.types import BOOL, STRING

KINDS: Final = {
    "iban": "iban", "luhn": "luhn", "verhoeff": "verhoeff", "isbn": "isbn", "issn": "issn",
    "ean": "ean", "imei": "imei", "isin": "isin", "lei": "lei", "cusip": "cusip",
    "vat": "eu.vat", "aba": "us.rtn", "ssn": "us.ssn", "dni": "es.dni", "nie": "es.nie",
    "nir": "fr.nir", "codicefiscale": "it.codicefiscale", "cpf": "br.cpf",
    "aadhaar": "in_.aadhaar", "bsn": "nl.bsn", "idnr": "de.idnr", "nhs": "gb.nhs",
}  # fmt: skip
"""The kinds of numbers, with the module of stdnum that knows them."""
_MAX_CHARS: Final = 64


@cache
def open_stdnum() -> dict[str, Any]:
    """What checks each kind; raises `ImportError`. Reads the package's tables now, not at the first decision."""
    import stdnum

    found = {kind: import_module(f"{stdnum.__name__}.{module}").is_valid for kind, module in KINDS.items()}
    for check in found.values():
        check("0")
    found["iban"]("GB82WEST12345698765432")
    return found


def read_kind(kind: str) -> str:
    """The kind itself, if there is one of that name."""
    if kind not in KINDS:
        raise invalid(f"`checksum` knows {', '.join(sorted(KINDS))}")
    return kind


def checksum(text: str, kind: str) -> bool:
    """Whether the text is a number of that kind with the right check digits; blanks and hyphens do not count."""
    check = open_stdnum()[read_kind(kind)]
    return len(text) <= _MAX_CHARS and text.isascii() and bool(check(text.replace(" ", "").replace("-", "")))


EXTRA: Final = Extra("detectors", open_stdnum)

FUNCTIONS: Final = (
    Function(
        "checksum",
        (takes(STRING, STRING, to=BOOL),),
        f"Whether the text is a number with the right check digits, of one of the kinds {', '.join(sorted(KINDS))}.",
        examples(
            ("checksum('DE89370400440532013000', 'iban')", "true"),
            ("checksum('DE88370400440532013000', 'iban')", "false"),
            ("checksum('4111 1111 1111 1111', 'luhn')", "true"),
        ),
        typed("checksum", checksum, (str, str)),
        cost=50,
        source="policy language",
        extra=EXTRA,
        constants=((1, read_kind),),
    ),
)
