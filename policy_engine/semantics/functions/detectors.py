"""Detectors and shapes of text: `pii secrets checksum fits mask`.

Declared, so that policies using them are checked and formatted; detectors get their bodies in a later version and
until then `load` refuses a policy that calls one.
"""

from __future__ import annotations

from typing import Final

from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.signatures import examples, takes
from policy_engine.semantics.types import BOOL, DYN, STRING, ListType

FUNCTIONS: Final = (
    Function(
        "pii",
        (takes(DYN, to=BOOL),),
        "Whether the text, or any text inside the value, names or identifies a person.",
        examples(("pii('call 555-0198')", "true")),
        None,
        cost=100,
        source="policy language",
    ),
    Function(
        "secrets",
        (takes(DYN, to=BOOL),),
        "Whether the text, or any text inside the value, holds a password, key or token.",
        examples(("secrets('nothing here')", "false")),
        None,
        cost=100,
        source="policy language",
    ),
    Function(
        "checksum",
        (takes(STRING, STRING, to=BOOL),),
        "Whether the check digits of a number are right: `iban`, `luhn`, `isbn` …",
        examples(("checksum('DE89370400440532013000', 'iban')", "true")),
        None,
        cost=20,
        source="policy language",
    ),
    Function(
        "fits",
        (takes(DYN, STRING, to=BOOL),),
        "Whether the value fits a JSON Schema file.",
        (),
        None,
        cost=100,
        source="policy language",
    ),
    Function(
        "mask",
        (takes(DYN, to=DYN), takes(STRING, ListType(STRING), to=STRING), takes(DYN, ListType(STRING), to=DYN)),
        "The value with what detectors find in it replaced; a list names the kinds to replace.",
        examples(("mask('mail ann@acme.com', ['email'])", "'mail ****'")),
        None,
        cost=100,
        source="policy language",
    ),
)
