"""`pii(x)`: what names or identifies a person, by its form: mail addresses, telephone, bank, card and identity numbers.

Numbers with check digits count when those are right. Names of people have no form and are not found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.detectors.checksum import EXTRA, checksum
from policy_engine.semantics.functions.detectors.finding import Finding, found_in
from policy_engine.semantics.functions.patterns import compiled
from policy_engine.semantics.functions.signatures import counted, examples, takes
from policy_engine.semantics.types import BOOL, DYN

PII_KINDS: Final = ("email", "phone", "iban", "card", "ssn", "national_id")


def _anything(_: str) -> bool:
    return True


def _phone(text: str) -> bool:
    return 7 <= sum(letter.isdigit() for letter in text) <= 15


def _card(text: str) -> bool:
    digits = "".join(filter(str.isdigit, text))
    return 13 <= len(digits) <= 19 and checksum(digits, "luhn")


def _valid(kind: str) -> Callable[[str], bool]:
    return lambda text: checksum(text, kind)


_FORMS: Final[tuple[tuple[str, str, Callable[[str], bool]], ...]] = (
    ("email", r"[\pL\pN._%+\-]+@[\pL\pN\-]+(?:\.[\pL\pN\-]+)+", _anything),
    ("phone", r"(?:\+|00)[1-9][0-9]{0,2}(?:[ .\-/]?\(?[0-9]{1,5}\)?){2,6}", _phone),
    ("phone", r"(?:\([0-9]{3}\) ?|[0-9]{3}[ .\-])[0-9]{3}[ .\-][0-9]{4}", _phone),
    ("phone", r"[0-9]{3}-[0-9]{4}", _phone),
    ("phone", r"\(?0[1-9][0-9]{1,4}\)?[ /\-][0-9]{3,8}(?:[ \-]?[0-9]{2,4}){0,3}", _phone),
    ("iban", r"(?i:[A-Z]{2}[0-9]{2}(?:[ \-]?[A-Z0-9]{4}){2,7}(?:[ \-]?[A-Z0-9]{1,3})?)", _valid("iban")),
    ("card", r"[2-6][0-9]{3}(?:[ \-]?[0-9]{1,6}){2,5}", _card),
    ("ssn", r"[0-9]{3}[ \-][0-9]{2}[ \-][0-9]{4}", _valid("ssn")),
    ("national_id", r"(?i:[0-9]{8}-?[A-Z])", _valid("dni")),
    ("national_id", r"(?i:[XYZ]-?[0-9]{7}-?[A-Z])", _valid("nie")),
    ("national_id", r"(?i:[A-Z]{6}[0-9]{2}[A-Z][0-9]{2}[A-Z][0-9]{3}[A-Z])", _valid("codicefiscale")),
    ("national_id", r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9AB]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}", _valid("nir")),
    ("national_id", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", _valid("cpf")),
    ("national_id", r"[2-9][0-9]{3} [0-9]{4} [0-9]{4}", _valid("aadhaar")),
)
_COMPILED: Final = tuple((kind, compiled(pattern), check) for kind, pattern, check in _FORMS)
_ENTRANCE: Final = compiled(r"[0-9@]")


def find_pii(text: str) -> Iterator[Finding]:
    """What stands in a text, form by form."""
    if _ENTRANCE.search(text) is None:
        return
    for kind, pattern, check in _COMPILED:
        for match in pattern.finditer(text):
            found = _trimmed(text, match.start(), match.end(), kind, check)
            if found is not None:
                yield found


def _trimmed(text: str, start: int, end: int, kind: str, check: Callable[[str], bool]) -> Finding | None:
    """The longest beginning of a match, word by word, that is one; not a part of a longer word or number."""
    if kind != "email" and start and _joined(text[start - 1]):
        return None
    while end > start:
        stands_alone = kind == "email" or end == len(text) or not _joined(text[end])
        if stands_alone and check(text[start:end]):
            return Finding(start, end, kind)
        end = max(text.rfind(" ", start, end), start)
    return None


def _joined(letter: str) -> bool:
    return letter.isalnum() or letter in "_-"


def pii(value: Any) -> bool:
    """Whether any text inside the value holds one."""
    return found_in("pii", value, find_pii)


FUNCTIONS: Final = (
    Function(
        "pii",
        (takes(DYN, to=BOOL),),
        "Whether the text, or any text inside the value, holds a mail address, telephone, bank (IBAN), card or identity "
        "number. Names of people are not found.",
        examples(
            ("pii('call 555-0198')", "true"),
            ("pii({'to': ['ann@acme.com']})", "true"),
            ("pii('order 12345 of 2026-01-31')", "false"),
        ),
        counted("pii", pii, 1),
        cost=100,
        source="policy language",
        extra=EXTRA,
    ),
)
