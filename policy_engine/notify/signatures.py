"""The signature on a webhook: HMAC-SHA256 over the moment and the body, so that nobody can send or replay one."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

HEADER: Final = "Policy-Signature"
TOLERANCE: Final = 300
"""Seconds that a message may be old."""


def signed(secret: bytes, body: bytes, at: int) -> str:
    """The header's value for a body sent at that moment (seconds since the epoch): `t=1772366400,v1=6f0c…`."""
    mark = hmac.new(secret, b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mark}"


def holds(secret: bytes, body: bytes, header: str, now: float, *, tolerance: int = TOLERANCE) -> bool:
    """For receivers: whether who knows the secret sent this body, and not long ago."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    try:
        at = int(parts.get("t", ""))
    except ValueError:
        return False
    fresh = abs(now - at) <= tolerance
    return hmac.compare_digest(signed(secret, body, at).encode(), header.encode()) and fresh
