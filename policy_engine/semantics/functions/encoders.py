"""`base64`: bytes as text and back."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.signatures import examples, invalid, takes, typed
from policy_engine.semantics.operations.bounds import bound_chars
from policy_engine.semantics.types import BYTES, STRING


def encode(data: bytes) -> str:
    """Standard Base64 with padding."""
    bound_chars(len(data) * 4 // 3 + 4)
    return base64.b64encode(data).decode("ascii")


def decode(text: str) -> bytes:
    """The bytes of standard Base64, padded or not."""
    bare = text.rstrip("=") if len(text) % 4 == 0 else text
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("the text is not Base64") from None


FUNCTIONS: Final = (
    Function(
        "base64.encode",
        (takes(BYTES, to=STRING),),
        "The bytes as Base64 text.",
        examples(
            ("base64.encode(b'hello')", "'aGVsbG8='"),
        ),
        typed("base64.encode", encode, (bytes,)),
    ),
    Function(
        "base64.decode",
        (takes(STRING, to=BYTES),),
        "The bytes of Base64 text, with its padding or without.",
        examples(
            ("base64.decode('aGVsbG8')", "b'hello'"),
        ),
        typed("base64.decode", decode, (str,)),
    ),
)
