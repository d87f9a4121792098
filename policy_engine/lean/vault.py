"""Reading the cache: an entry is believed only when it is ours, whole, and made with our key for exactly this policy.

An entry is one file: a mark, a MAC, an index, and pieces of which the index holds the digests. The MAC is keyed with a
secret that only the owner can read, and covers the entry's own id; nothing is unmarshalled before it holds.
"""

from __future__ import annotations

import marshal
from typing import Any

from policy_engine.lean import places
from policy_engine.lean.digests import Sha256, digest, hmac, same, sha256

try:
    import posix
except ImportError:
    posix = None  # type: ignore[assignment]

MARK = b"policy cache 001"
KEY_BYTES = 32
MAC_BYTES = 32
_HEAD = len(MARK) + MAC_BYTES + 8
_OTHERS_WRITE, _OTHERS_ANY = 0o022, 0o077


class Untrusted(Exception):
    """What was found cannot be used, or nothing was found; the policy is compiled instead."""


def owned(path: str, forbidden: int = _OTHERS_WRITE) -> None:
    """Refuse a folder that is not ours alone: another's, a link, or open to others."""
    try:
        status = posix.lstat(path)
    except OSError:
        raise Untrusted("no folder") from None
    _ours(status, 0o040000, forbidden)


def _ours(status: Any, kind: int, forbidden: int) -> None:
    if status.st_mode & 0o170000 != kind or status.st_uid != posix.geteuid() or status.st_mode & forbidden:
        raise Untrusted("not ours alone")


def contents(path: str, forbidden: int = _OTHERS_WRITE) -> bytes:
    """The bytes of a file that is ours, plain and no link."""
    try:
        number = posix.open(path, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_CLOEXEC | posix.O_NONBLOCK)
    except OSError:
        raise Untrusted("no file") from None
    try:
        status = posix.fstat(number)
        _ours(status, 0o100000, forbidden)
        return _all(number, status.st_size)
    finally:
        posix.close(number)


def _all(number: int, size: int) -> bytes:
    chunks = []
    while size > 0:
        chunk = posix.read(number, size)
        if not chunk:
            break
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def plain_contents(path: str) -> bytes:
    """The bytes of a policy, schema or data file; raises `OSError`."""
    number = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        chunks = []
        while chunk := posix.read(number, 1 << 20):
            chunks.append(chunk)
        return b"".join(chunks)
    finally:
        posix.close(number)


def key() -> bytes:
    """The key; raises `Untrusted` where there is none that only we can read."""
    path = places.key_file()
    if path is None:
        raise Untrusted("no home")
    owned(path.rpartition("/")[0])
    found = contents(path, _OTHERS_ANY)
    if len(found) != KEY_BYTES:
        raise Untrusted("no key")
    return found


def file_of(folder: str, name: bytes) -> str:
    """The file of an entry."""
    return f"{folder}/{name.hex()}.policy-cache"


class Entry:
    """An entry whose MAC holds. `index` is its table; `piece` gives the bytes of a piece, proved by its digest."""

    def __init__(self, blob: bytes, name: bytes, secret: bytes, by: Sha256 = sha256) -> None:
        end = _HEAD + int.from_bytes(blob[_HEAD - 8 : _HEAD], "big")
        if len(blob) < _HEAD or blob[: len(MARK)] != MARK or end > len(blob):
            raise Untrusted("no entry")
        index = blob[_HEAD:end]
        if not same(hmac(secret, MARK, name, index, by=by), blob[len(MARK) : len(MARK) + MAC_BYTES]):
            raise Untrusted("not made with our key for this policy")
        self._blob = blob
        self._start = end
        self._by = by
        self.index: dict[str, Any] = marshal.loads(index)

    def piece(self, number: int) -> bytes:
        """The bytes of a piece; raises `Untrusted` where they are not the ones that were written."""
        begin, size = self.index["offsets"][number], self.index["sizes"][number]
        found = self._blob[self._start + begin : self._start + begin + size]
        if self._by(found).digest() != self.index["digests"][32 * number : 32 * number + 32]:
            raise Untrusted("a piece was changed")
        return found


def written(index: dict[str, Any], pieces: list[bytes], name: bytes, secret: bytes, by: Sha256 = sha256) -> bytes:
    """The bytes of an entry."""
    offsets, place = [], 0
    for piece in pieces:
        offsets.append(place)
        place += len(piece)
    table = marshal.dumps({
        **index, "offsets": offsets, "sizes": [len(piece) for piece in pieces],
        "digests": b"".join(by(piece).digest() for piece in pieces),
    })  # fmt: skip
    mac = hmac(secret, MARK, name, table, by=by)
    return b"".join([MARK, mac, len(table).to_bytes(8, "big"), table, *pieces])


def fits(index: dict[str, Any], folder: str, by: Sha256 = sha256) -> dict[str, bytes] | None:
    """The contents of every file the policy was made of, if all of them are still what and where they were."""
    try:
        for reference, file, found in index["references"]:
            if places.beside(reference, file) != found or not places.is_file(found):
                return None
        texts = {}
        for file, shown, expected in index["files"]:
            if places.shown(file, folder) != shown:
                return None
            texts[file] = plain_contents(file)
            if digest(texts[file], by=by) != expected:
                return None
    except OSError:
        return None
    return texts


def opened(files: list[str], folder: str, extra: bytes = b"", by: Sha256 = sha256) -> tuple[Entry, dict[str, bytes]]:
    """The entry of these policy files with the contents of all it was made of; raises `Untrusted`."""
    where = places.cache_folder()
    if where is None:
        raise Untrusted("no cache")
    owned(where)
    name = places.entry_id(files, folder, extra)
    entry = Entry(contents(file_of(where, name)), name, key(), by)
    texts = fits(entry.index, folder, by)
    if texts is None:
        raise Untrusted("the policy has changed")
    return entry, texts
