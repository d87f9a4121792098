"""How records are tied together. Every digest is SHA-256; those of records are written in hex.

    content    = H(bytes of the record)
    digest(n)  = H(digest(n - 1) ‖ n ‖ content(n))        n as 8 bytes, big end first
    digest(0)  = H("policy-engine audit log " ‖ id of the log)
    commitment = H(salt, as written in hex ‖ bytes of the payload)

A record's content is hashed apart, so that an export can leave records out and still be followed from end to end; its
payloads stand in it as salted commitments only, so that they can be erased and everything still holds.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

SALT_BYTES: Final = 16
FIRST: Final = "policy-engine audit log "


def genesis(log: str) -> str:
    """What the first record of a log follows."""
    return sha256(f"{FIRST}{log}".encode()).hexdigest()


def content_of(data: bytes) -> bytes:
    """The digest of a record's bytes."""
    return sha256(data).digest()


def link(before: str, sequence: int, content: bytes) -> str:
    """The digest of record `sequence`, which follows the one with the digest `before`."""
    return sha256(bytes.fromhex(before) + sequence.to_bytes(8, "big") + content).hexdigest()


def commitment(salt: bytes, data: bytes) -> str:
    """What a record says of a payload: nobody can guess the payload from it without the salt, nor claim another."""
    return sha256(salt + data).hexdigest()
