"""Bytes that are the same for equal engine values, for digests: fast where JSON holds the value, exact everywhere."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson

from policy_engine.base.values import Timestamp
from policy_engine.runtime.approvals import canonical


def bytes_of(value: Any) -> bytes:
    """One byte form for equal engine values; for a value that cannot be written, a mark that equals only itself by kind."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError):
        pass  # not plain JSON
    try:
        return canonical(value)
    except Exception:  # whatever was put in there: a digest never decides anything on its own
        return f"unwritable {type(value).__name__}".encode()


def digest_of(data: bytes) -> str:
    """SHA-256, hex."""
    return sha256(data).hexdigest()


def moment(nanos: int) -> Timestamp:
    """The moment of a request, in the microseconds that every host and every store can tell."""
    return Timestamp(nanos // 1000 * 1000)
