"""Reading the cache: an entry is believed only when it is ours, whole, and made with our key for exactly this policy.

An entry is one file: a mark, a MAC, an index, and pieces of which the index holds the digests. The MAC is keyed with a
secret that only the owner can read, and covers the entry's own id; nothing is unmarshalled before it holds.
"""

from __future__ import annotations

import marshal

from policy_engine.lean import places
from policy_engine.lean.digests import digest, hmac, same, sha256

try:
    import posix
except ImportError:
    posix = None  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:  # type checkers take this for true; the imports would cost half a start
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Sha256: TypeAlias = Callable[[bytes], Any]

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


class File:
    """An open file that is ours, plain and no link; raises `Untrusted` for any other. Read by place, closed by `close`."""

    def __init__(self, path: str, forbidden: int = _OTHERS_WRITE) -> None:
        try:
            self._number = posix.open(path, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_CLOEXEC | posix.O_NONBLOCK)
        except OSError:
            raise Untrusted("no file") from None
        try:
            status = posix.fstat(self._number)
            _ours(status, 0o100000, forbidden)
        except Untrusted:
            self.close()
            raise
        self.size: int = status.st_size

    def read(self, begin: int, size: int) -> bytes:
        """That many bytes from there on, fewer at the end; raises `OSError`."""
        found = posix.pread(self._number, size, begin)
        while 0 < len(found) < size and (more := posix.pread(self._number, size - len(found), begin + len(found))):
            found += more
        return found

    def close(self) -> None:
        """No more reading."""
        posix.close(self._number)


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
    file = File(path, _OTHERS_ANY)
    found = file.read(0, KEY_BYTES + 1)
    file.close()
    if len(found) != KEY_BYTES:
        raise Untrusted("no key")
    return found


def file_of(folder: str, name: bytes) -> str:
    """The file of an entry."""
    return f"{folder}/{name.hex()}.policy-cache"


class Entry:
    """An entry whose MAC holds. `index` is its table; `piece` gives the bytes of a piece, proved by its digest."""

    def __init__(self, file: File, name: bytes, secret: bytes, by: Sha256 = sha256) -> None:
        head = file.read(0, _HEAD)
        size = int.from_bytes(head[_HEAD - 8 :], "big")
        if len(head) < _HEAD or head[: len(MARK)] != MARK or _HEAD + size > file.size:
            raise Untrusted("no entry")
        index = file.read(_HEAD, size)
        if not same(hmac(secret, MARK, name, index, by=by), head[len(MARK) : len(MARK) + MAC_BYTES]):
            raise Untrusted("not made with our key for this policy")
        self._file = file
        self._start = _HEAD + size
        self._by = by
        self.index: dict[str, Any] = marshal.loads(index)

    def piece(self, number: int) -> bytes:
        """The bytes of a piece; raises `Untrusted` where they are not the ones that were written."""
        begin, size = self.index["offsets"][number], self.index["sizes"][number]
        found = self._file.read(self._start + begin, size)
        self._prove(number, found)
        return found

    def pieces(self, begin: int, end: int) -> list[bytes]:
        """The bytes of the pieces from `begin` to before `end`, read at once; raises `Untrusted`."""
        if begin >= end:
            return []
        offsets, sizes = self.index["offsets"], self.index["sizes"]
        first = offsets[begin]
        held = self._file.read(self._start + first, offsets[end - 1] + sizes[end - 1] - first)
        found = []
        for number in range(begin, end):
            place = offsets[number] - first
            piece = held[place : place + sizes[number]]
            self._prove(number, piece)
            found.append(piece)
        return found

    def _prove(self, number: int, piece: bytes) -> None:
        if self._by(piece).digest() != self.index["digests"][32 * number : 32 * number + 32]:
            raise Untrusted("a piece was changed")

    def close(self) -> None:
        """No more reading."""
        self._file.close()


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


def proved(files: list[str], folder: str, extra: bytes = b"", by: Sha256 = sha256) -> Entry:
    """The entry of these policy files, whatever they hold by now; raises `Untrusted`."""
    where = places.cache_folder()
    if where is None:
        raise Untrusted("no cache")
    owned(where)
    name = places.entry_id(files, folder, extra)
    secret = key()
    file = File(file_of(where, name))
    try:
        return Entry(file, name, secret, by)
    except BaseException:
        file.close()
        raise


def opened(files: list[str], folder: str, extra: bytes = b"", by: Sha256 = sha256) -> tuple[Entry, dict[str, bytes]]:
    """The entry of these policy files with the contents of all it was made of; raises `Untrusted`."""
    entry = proved(files, folder, extra, by)
    try:
        texts = fits(entry.index, folder, by)
        if texts is None:
            raise Untrusted("the policy has changed")
    except BaseException:
        entry.close()
        raise
    return entry, texts
