"""Payloads as they stand beside the chain: what an operator chose to keep of each, and how much that is.

A record says of each payload its commitment, and with it how it is kept: `whole` (nothing more is said), `masked` (without
its secrets) or `digest` (not at all). Beside the chain stands one object for each record, `{name: [salt, value]}`, without a
value where only the digest is kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, Literal as OneOf

import orjson

from policy_engine.audit.chain import SALT_BYTES, commitment
from policy_engine.audit.encoding import encoded, from_json, written
from policy_engine.audit.masking import doubtful, masked

Keeping = OneOf["masked", "whole", "digests"]
"""What an operator chooses."""
Kept = OneOf["whole", "masked", "digest", "erased"]
"""What became of one payload."""
NEVER_MASKED: Final = frozenset(("salt",))
_SALTS: Final = 256


class Salts:
    """Random texts in hex, fetched many at once: take one off `ready`, or ask for `more`. Threads that meet here may waste
    some, and never share any; a fork begins anew."""

    def __init__(self) -> None:
        self.ready: list[bytes] = []
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self.ready = []

    def more(self) -> bytes:
        """A salt that nobody has had; others are ready then."""
        many = os.urandom(SALT_BYTES * _SALTS).hex().encode()
        fresh = [many[start : start + 2 * SALT_BYTES] for start in range(0, len(many), 2 * SALT_BYTES)]
        mine = fresh.pop()
        self.ready.extend(fresh)
        return mine


SALTS: Final = Salts()


@lru_cache(maxsize=256)
def _named(name: str) -> bytes:
    """The beginning of a payload's part of the bytes."""
    return written(name) + b":["


def kept(
    payloads: Mapping[str, Any], keeping: Keeping, withheld: frozenset[str]
) -> tuple[dict[str, Any], bytes | None]:
    """The commitments that the record holds, and the bytes that stand beside it. `withheld` are payloads whose value must
    not be kept, unless all are kept whole."""
    said: dict[str, Any] = {}
    beside = b""
    salts, masking = SALTS.ready, keeping == "masked"
    for name, value in payloads.items():
        try:
            salt = salts.pop()
        except IndexError:
            salt = SALTS.more()
        data, raw = encoded(value)
        if keeping == "digests" or (withheld and masking and name in withheld):
            said[name] = [commitment(salt, raw), "digest", sha256(salt).hexdigest()]
            beside += b'%b%b"%b"]' % (b"," if beside else b"{", _named(name), salt)
            continue
        if masking and doubtful(data) and name not in NEVER_MASKED and (shown := masked(data))[1]:
            raw = written({"masked": shown[1], "value": shown[0]})
            said[name] = [commitment(salt, raw), "masked"]
        else:
            said[name] = sha256(salt + raw).hexdigest()
        beside += b'%b%b"%b",%b]' % (b"," if beside else b"{", _named(name), salt, raw)
    return said, beside + b"}" if beside else None


class Payload:
    """One payload as it was kept. `value` is None for a digest or what was erased; `places` are those that were masked."""

    __slots__ = ("kept", "places", "value")

    def __init__(self, kept: Kept, value: Any = None, places: tuple[str, ...] = ()) -> None:
        self.kept = kept
        self.value = value
        self.places = places

    def __repr__(self) -> str:
        return f"Payload({self.kept}, {self.value!r})"


def read(said: Mapping[str, Any], beside: bytes | None, decode: Callable[[Any], Any] = from_json) -> dict[str, Payload]:
    """The payloads of a record, with what the record says of them. Raises `ValueError` for bytes of nobody."""
    held: dict[str, Any] = {} if beside is None else orjson.loads(beside)
    found: dict[str, Payload] = {}
    for name, promise in said.items():
        how: Kept = "whole" if isinstance(promise, str) else promise[1]
        row = held.get(name)
        if row is None:
            found[name] = Payload("erased")
        elif how == "digest":
            found[name] = Payload("digest")
        elif how == "masked":
            found[name] = Payload("masked", decode(row[1]["value"]), tuple(row[1]["masked"]))
        else:
            found[name] = Payload("whole", decode(row[1]))
    return found


def faults(said: Mapping[str, Any], beside: bytes | None) -> list[str]:
    """What is wrong with the payloads that are there: those that nobody promised, and those that are not as promised."""
    if beside is None:
        return []
    try:
        held = orjson.loads(beside)
        if written(held) != beside:
            return ["has payloads that two readers could read differently"]
        unknown = sorted(set(held) - set(said))
        found = [f"holds a payload `{name}` that the record does not name" for name in unknown]
        for name, promise in said.items():
            if name not in held:
                found.append(f"has lost its payload `{name}`")
            elif not _as_promised(promise, held[name]):
                found.append(f"holds another payload `{name}` than it was given")
    except (ValueError, TypeError, LookupError, AttributeError):
        return ["has payloads that cannot be read"]
    return found


def _as_promised(promise: Any, row: Any) -> bool:
    if isinstance(promise, list) and promise[1] == "digest":
        return len(row) == 1 and sha256(row[0].encode()).hexdigest() == promise[2]
    wanted = promise if isinstance(promise, str) else promise[0]
    return len(row) == 2 and commitment(row[0].encode(), written(row[1])) == wanted
