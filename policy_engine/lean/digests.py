"""SHA-256 and HMAC from the modules that are built into Python, without OpenSSL and without `hashlib`."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 12):  # looking for the other one first would search every folder for it
    from _sha2 import sha256 as _sha256  # type: ignore[import-not-found, unused-ignore]
else:
    from _sha256 import sha256 as _sha256  # type: ignore[import-not-found, unused-ignore]

TYPE_CHECKING = False
if TYPE_CHECKING:  # type checkers take this for true; the imports would cost half a start
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Sha256: TypeAlias = Callable[[bytes], Any]

sha256: Sha256 = _sha256
_BLOCK = 64
_OUTER = bytes(number ^ 0x5C for number in range(256))
_INNER = bytes(number ^ 0x36 for number in range(256))


def hmac(key: bytes, *parts: bytes, by: Sha256 = sha256) -> bytes:
    """HMAC-SHA-256 (RFC 2104) of the parts, each of which goes in with its length before it."""
    if len(key) > _BLOCK:
        key = by(key).digest()
    key = key.ljust(_BLOCK, b"\0")
    inner = by(key.translate(_INNER))
    for part in parts:
        inner.update(len(part).to_bytes(8, "big"))
        inner.update(part)
    mac: bytes = by(key.translate(_OUTER) + inner.digest()).digest()
    return mac


def digest(*parts: bytes, by: Sha256 = sha256) -> bytes:
    """SHA-256 of the parts, each with its length before it, so that no two rows of parts look alike."""
    made = by(b"")
    for part in parts:
        made.update(len(part).to_bytes(8, "big"))
        made.update(part)
    found: bytes = made.digest()
    return found


def same(one: bytes, other: bytes) -> bool:
    """Whether two digests are equal, in a time that does not tell where they differ."""
    difference = len(one) ^ len(other)
    for left, right in zip(one, other):  # noqa: B905 - the lengths are compared above
        difference |= left ^ right
    return difference == 0
