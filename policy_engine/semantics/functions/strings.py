"""`contains`, `startsWith`, `endsWith` of cel-spec's standard library."""

from __future__ import annotations

from typing import Final

from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.signatures import examples, takes, typed
from policy_engine.semantics.types import BOOL, STRING


def _contains(text: str, part: str) -> bool:
    return part in text


FUNCTIONS: Final = (
    Function(
        "contains",
        (takes(STRING, STRING, to=BOOL),),
        "Whether the text holds the other, letter for letter.",
        examples(("'refund'.contains('fun')", "true"), ("'refund'.contains('FUN')", "false")),
        typed("contains", _contains, (str, str)),
        method=True,
    ),
    Function(
        "startsWith",
        (takes(STRING, STRING, to=BOOL),),
        "Whether the text begins with the other.",
        examples(
            ("'refund'.startsWith('re')", "true"),
        ),
        typed("startsWith", str.startswith, (str, str)),
        method=True,
    ),
    Function(
        "endsWith",
        (takes(STRING, STRING, to=BOOL),),
        "Whether the text ends with the other. For a mail's host write the `@` too: `endsWith('@acme.com')`.",
        examples(
            ("'ann@acme.com'.endsWith('@acme.com')", "true"),
        ),
        typed("endsWith", str.endswith, (str, str)),
        method=True,
    ),
)
