"""`email(x)`: one mail address, with or without a name before it. Called by policies.

What mail programs take for different addresses (comments, quoted local parts, several `@`, routes, lists, letters beyond
ASCII) is an error.
"""

from __future__ import annotations

import re
from typing import Any, Final

from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.hosts import read_domain
from policy_engine.semantics.functions.signatures import examples, invalid, record, takes, typed
from policy_engine.semantics.types import STRING

_MAX_CHARS: Final = 1_000
EMAIL: Final = record("email", address=STRING, domain=STRING, local=STRING)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_NAMED: Final = re.compile(r'(?:"[^"\\@<>]*"|[^"\\@<>()\[\],;:]*) ?<([^<>]*)>')
_LOCAL: Final = re.compile(r"[A-Za-z0-9#$&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9#$&'*+/=?^_`{|}~-]+)*", re.ASCII)


def read_email(text: str) -> dict[str, Any]:
    """`email(x)`; raises `EvaluationError("invalid_argument")`."""
    if len(text) > _MAX_CHARS or _CONTROL.search(text):
        raise invalid("the text is too long for a mail address, or holds control characters")
    named = _NAMED.fullmatch(text)
    bare = named[1] if named else text
    local, at, domain = bare.partition("@")
    if not at or "@" in domain:
        raise invalid("a mail address has exactly one `@`")
    if len(local) > 64 or not _LOCAL.fullmatch(local):
        raise invalid("the part before the `@` is not one that every mail program reads alike")
    name = read_domain(domain)
    return {"address": f"{local}@{name}", "domain": name, "local": local}


FUNCTIONS: Final = (
    Function(
        "email",
        (takes(STRING, to=EMAIL),),
        "The parts of one mail address: `local`, `domain` in lower case, and `address`, the bare one.",
        examples(
            ("email('Ann <ann@acme.com>').domain", "'acme.com'"),
            ("email('ann@ACME.com').address", "'ann@acme.com'"),
        ),
        typed("email", read_email, (str,)),
        cost=20,
        source="policy language",
        constants=((0, read_email),),
    ),
)
