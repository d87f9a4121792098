"""What stands in the tail of a log: a head, and frames that hold the rows of a batch each.

    mark  name  base | sequence  end  digest  checksum | length  checksum  rows | length  checksum  rows | …
    `------ head ---´ `---------- slot -------------´   `------- frame ------´

The slot tells where the last frame ends and which row is its last, so that frames cut off by hand are missed, and the last row
is found without reading all. It is written after the frame: whoever is killed in between leaves a frame that it does not tell.
Checksums find what a crash or a disk did; what a hand did is the chain's to find.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple
from zlib import crc32

from policy_engine.runtime.ports.ledger import Head, Parts, Row
from policy_engine.stores.errors import StoreError

NAME_BYTES: Final = 16
_MARK: Final = b"PolTail1"
_HEAD: Final = struct.Struct(f"<8s{NAME_BYTES}sQ")
_SLOT: Final = struct.Struct("<QQ64s")
_CHECKSUM: Final = struct.Struct("<I")
_FRAME: Final = struct.Struct("<II")
_ROW: Final = struct.Struct("<QqIIIq")
_LONGEST_DIGEST: Final = 64
_NONE: Final = -1
_made: Final = tuple.__new__
"""Makes a `Row` at a third of what its own constructor takes; a full tail has a thousand."""
SLOT_AT: Final = _HEAD.size
FRAMES_AT: Final = SLOT_AT + _SLOT.size + _CHECKSUM.size


class Slot(NamedTuple):
    """The last row that is told, and where its frame ends."""

    head: Head
    end: int


class Contents(NamedTuple):
    """What could be read. `end` is where the last good frame ends; `missing` = the row that the slot tells of, where frames up
    to it are not there or not good; `damage` says what cannot be read, and then nobody writes behind it."""

    rows: list[Row]
    head: Head
    end: int
    missing: Head | None = None
    damage: str | None = None


def beginning(name: bytes, head: Head) -> bytes:
    """The head and the slot of a tail that has no frame yet, and follows `head`."""
    return _HEAD.pack(_MARK, name, head.sequence) + slot(head.sequence, head.digest, FRAMES_AT)


def slot(sequence: int, digest: str, end: int) -> bytes:
    """The bytes of a slot."""
    if len(digest) > _LONGEST_DIGEST:
        raise StoreError("a digest is longer than any that the log has")
    told = _SLOT.pack(sequence, end, digest.encode("ascii"))
    return told + _CHECKSUM.pack(crc32(told))


def frame(rows: Iterable[Parts]) -> bytes:
    """The bytes of a frame: its rows are kept together or not at all."""
    parts: list[bytes] = []
    try:
        for sequence, digest, run, at, data, payload in rows:
            told, name = digest.encode("ascii"), run.encode()
            beside = _NONE if payload is None else len(payload)
            parts += (_ROW.pack(sequence, at, len(told), len(name), len(data), beside), told, name, data, payload or b"")
    except (struct.error, UnicodeError) as fault:
        raise StoreError("the record could not be kept: a part of it is not what a row can hold") from fault
    body = b"".join(parts)
    return _FRAME.pack(len(body), crc32(body)) + body


def packed(row: Parts) -> Row:
    """The row with bytes of its own: what JSON was just written into has room for several times as much."""
    sequence, digest, run, at, data, payload = row
    return _made(Row, (sequence, digest, run, at, memoryview(data).tobytes(), payload))


def name_and_base(data: bytes) -> tuple[bytes, int] | None:
    """Which tail this is, and the number of the row it follows; None for what is none."""
    if len(data) < FRAMES_AT:
        return None
    mark, name, base = _HEAD.unpack_from(data)
    return (name, base) if mark == _MARK else None


def slot_of(data: bytes, at: int = SLOT_AT) -> Slot | None:
    """The slot of a tail; None where it is not whole."""
    stop = at + _SLOT.size
    if len(data) < stop + _CHECKSUM.size or _CHECKSUM.unpack_from(data, stop)[0] != crc32(data[at:stop]):
        return None
    sequence, end, digest = _SLOT.unpack_from(data, at)
    return Slot(Head(sequence, digest.rstrip(b"\0").decode("ascii")), end)


def contents(data: bytes) -> Contents:
    """All that a tail holds. A frame behind the slot's end that is not whole was never acknowledged, and is left out."""
    if name_and_base(data) is None:
        return Contents([], Head(0, ""), 0, damage="its head")
    told = slot_of(data)
    found = followed(data, FRAMES_AT, Head(_HEAD.unpack_from(data)[2], ""))
    if told is None:
        return found._replace(damage="the slot that tells where it ends")
    if found.end == told.end and found.rows and found.head != told.head:
        return found._replace(damage="the slot: it tells of another last row")
    if found.end >= told.end:
        return found if found.rows else found._replace(head=told.head)
    if len(data) < told.end and _end(data, found.end) is None:
        return found._replace(missing=told.head)
    return found._replace(missing=told.head, damage=f"the frame at byte {found.end}")


def followed(data: bytes, at: int, head: Head) -> Contents:
    """The good frames from a place on that follow a row, up to the first that is none."""
    rows: list[Row] = []
    sequence = head.sequence
    while (end := _end(data, at)) is not None:
        body = data[at + _FRAME.size : end]
        more = _rows(body, sequence) if crc32(body) == _FRAME.unpack_from(data, at)[1] else None
        if not more:
            break
        rows += more
        sequence += len(more)
        at = end
    return Contents(rows, Head(*rows[-1][:2]) if rows else head, at)


def _end(data: bytes, at: int) -> int | None:
    """Where the frame ends that stands here; None where it is not whole."""
    begun = at + _FRAME.size
    if begun > len(data):
        return None
    end: int = begun + _FRAME.unpack_from(data, at)[0]
    return end if end <= len(data) else None


def _rows(body: bytes, before: int) -> list[Row] | None:
    """The rows of a frame; None where it does not hold what its lengths say, or they do not follow the row before."""
    rows: list[Row] = []
    end = 0
    try:
        while end < len(body):
            sequence, moment, digest, run, data, beside = _ROW.unpack_from(body, end)
            before += 1
            if sequence != before:
                return None
            named = end + _ROW.size + digest
            begun = named + run
            kept = begun + data
            end = kept if beside == _NONE else kept + beside
            told = body[named - digest : named].decode("ascii")
            payload = None if beside == _NONE else body[kept:end]
            rows.append(_made(Row, (sequence, told, body[named:begun].decode(), moment, body[begun:kept], payload)))
    except (struct.error, ValueError):
        return None
    return rows if end == len(body) else None
