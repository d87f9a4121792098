"""Hands that change the tail of a log in every way a hand could."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

from policy_engine.runtime.ports.ledger import Row
from policy_engine.stores.sqlite import frames

_FRAME = struct.Struct("<II")


def parts(data: bytes) -> tuple[bytes, list[bytes]]:
    """What stands before the frames, and the frames."""
    found, at = [], frames.FRAMES_AT
    while at < len(data):
        end = at + _FRAME.size + _FRAME.unpack_from(data, at)[0]
        found.append(data[at:end])
        at = end
    return data[: frames.FRAMES_AT], found


def told(data: bytes, last: Row) -> bytes:
    """The tail with a slot that tells of this end: what a hand writes that knows all about tails."""
    return data[: frames.SLOT_AT] + frames.slot(last.sequence, last.digest, len(data)) + data[frames.FRAMES_AT :]


def rows(frame: bytes, before: int) -> list[Row]:
    """The rows of a frame."""
    return frames.followed(frame, 0, frames.Head(before, "")).rows


def _flip(data: bytes, draw: random.Random, other: bytes) -> bytes:
    changed = bytearray(data)
    changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _cut(data: bytes, draw: random.Random, other: bytes) -> bytes:
    head, found = parts(data)
    return b"".join((head, *found[: draw.randrange(len(found))]))


def _tear(data: bytes, draw: random.Random, other: bytes) -> bytes:
    return data[: draw.randrange(frames.FRAMES_AT, len(data))]


def _swap(data: bytes, draw: random.Random, other: bytes) -> bytes:
    head, found = parts(data)
    at = draw.randrange(len(found) - 1)
    return b"".join((head, *found[:at], found[at + 1], found[at], *found[at + 2 :]))


def _drop(data: bytes, draw: random.Random, other: bytes) -> bytes:
    head, found = parts(data)
    at = draw.randrange(len(found) - 1)
    return b"".join((head, *found[:at], *found[at + 1 :]))


def _double(data: bytes, draw: random.Random, other: bytes) -> bytes:
    head, found = parts(data)
    at = draw.randrange(len(found) - 1)
    return b"".join((head, *found[: at + 1], *found[at:]))


def _splice(data: bytes, draw: random.Random, other: bytes) -> bytes:
    (head, mine), (_, theirs) = parts(data), parts(other)
    at = draw.randrange(min(len(mine), len(theirs)))
    return b"".join((head, *mine[:at], theirs[at], *mine[at + 1 :]))


def _edit(data: bytes, draw: random.Random, other: bytes) -> bytes:
    """Another value in a record, with the checksum that belongs to it."""
    head, found = parts(data)
    at = draw.randrange(len(found))
    body = bytearray(found[at][_FRAME.size :])
    body[body.index(b'"kind"') + 1] ^= 1
    found[at] = _FRAME.pack(len(body), crc32(body)) + body
    return b"".join((head, *found))


def _rewrite(data: bytes, draw: random.Random, other: bytes) -> bytes:
    """Cut, and told as if that were all: only what stands outside can know."""
    head, found = parts(data)
    base = rows(found[0], _base(data))
    kept = draw.randrange(1, len(found) - 1)
    last = base[-1]
    for frame in found[1:kept]:
        last = rows(frame, last.sequence)[-1]
    return told(b"".join((head, *found[:kept])), last)


def _forge(data: bytes, draw: random.Random, other: bytes) -> bytes:
    """A record more, behind the last one."""
    _, found = parts(data)
    number = _base(data)
    for frame in found:
        number = rows(frame, number)[-1].sequence
    return data + frames.frame([Row(number + 1, f"{draw.getrandbits(255):064x}", "r1", 7, b"{}", None)])


def _base(data: bytes) -> int:
    found = frames.name_and_base(data)
    assert found is not None
    return found[1]


EDITS: dict[str, Callable[[bytes, random.Random, bytes], bytes]] = {
    "flip": _flip, "cut": _cut, "tear": _tear, "swap": _swap, "drop": _drop, "double": _double, "splice": _splice,
    "edit": _edit, "rewrite": _rewrite, "forge": _forge, "another's": lambda data, draw, other: other,
    "empty": lambda data, draw, other: b"", "bare": lambda data, draw, other: data[: frames.FRAMES_AT],
    "zeros": lambda data, draw, other: bytes(len(data)),
}  # fmt: skip


def tamper(path: Path, edit: str, draw: random.Random, other: Path) -> None:
    """Change the tail of a store in one way; `other` is a store of the same shape."""
    tail = Path(f"{path}-tail")
    if edit == "remove":
        tail.unlink()
    else:
        tail.write_bytes(EDITS[edit](tail.read_bytes(), draw, Path(f"{other}-tail").read_bytes()))
