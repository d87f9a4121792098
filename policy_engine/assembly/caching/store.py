"""Finding a compiled policy in the cache, and keeping one there. Called by `load`.

A cache is a convenience: whatever is wrong with it (no home, a folder that cannot be written or is not ours, a key that
others can read, a full disk) means that policies are compiled, never that they do not load and never that something
unproved is run. Reading is `lean/vault.py`, shared with the lean entry.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from policy_engine.assembly.caching.lean_form import LeanWriter
from policy_engine.assembly.caching.recording import RecordingResolver, decoded
from policy_engine.assembly.provision import Files
from policy_engine.base.source import Source
from policy_engine.compiler.caching.artifact import Stored, restored
from policy_engine.compiler.caching.earlier import Earlier, Left, earlier_of
from policy_engine.compiler.caching.generated import Generated
from policy_engine.compiler.caching.plain import Encoder, Unencodable
from policy_engine.lean import places, vault
from policy_engine.semantics.artifact import CompiledPolicy
from policy_engine.semantics.schema.tools import ToolSchema

MOST_ENTRIES: Final = 200
"""Entries kept; beyond it those written longest ago go."""
_STALE_SECONDS: Final = 3600.0
_SUFFIX: Final = ".policy-cache"


@dataclass(frozen=True)
class Found:
    """A policy from the cache, with the files that were compared with those it was made of."""

    policy: CompiledPolicy
    files: Files


class Shelf:
    """The place of one policy in the cache: the files it begins with, and what the host gave beside them.

    `find` first; then `keep` takes what has not changed from what was found.
    """

    def __init__(self, files: Sequence[str], above: Sequence[str], folder: str, extra: bytes) -> None:
        self._files = list(files)
        self._above = list(above)
        self._folder = folder
        self._extra = extra
        self._lean: dict[str, bytes] = {}

    def find(self) -> Found | Earlier | None:
        """The policy as it was compiled, where the entry is proved to be ours and all it was made of is unchanged.

        Where that has changed, what the compilation left for the next one.
        """
        try:
            entry = vault.proved(self._files, self._folder, self._extra, hashlib.sha256)
        except (vault.Untrusted, OSError):
            return None
        with contextlib.closing(entry), contextlib.suppress(vault.Untrusted, OSError):
            texts = vault.fits(entry.index, self._folder, hashlib.sha256)
            return self._earlier(entry) if texts is None else self._found(entry, texts)
        return None

    def _found(self, entry: vault.Entry, texts: dict[str, bytes]) -> Found:
        index = entry.index
        sources = [
            Source(name, text if file is None else decoded(texts[file]) or "") for name, text, file in index["sources"]
        ]
        references = {(reference, file): found for reference, file, found in index["references"]}
        shown = {file: shown for file, shown, _ in index["files"]}
        files = Files(self._files, self._above, references, shown, texts)
        return Found(restored(stored_in(entry, sources)), files)

    def _earlier(self, entry: vault.Entry) -> Earlier:
        """Its places lie in texts that are no more: they are only compared by name."""
        index = entry.index
        first, end = len(index["rows"]), len(index["sizes"])
        lean = entry.pieces(first, end - 1)
        if index["lean"]:
            self._lean = {name: lean[number - first] for name, number in index["lean"]["tools"].items()}
        return earlier_of(entry.piece(end - 1), stored_in(entry, []))

    def keep(self, left: Left, read: RecordingResolver) -> None:
        """Keep a policy that was just compiled from what `read` read; silently not where that cannot be."""
        folder = places.cache_folder()
        if folder is None or not read.complete:
            return
        made, built = left.made, left.built
        kept = {name: piece for name, piece in self._lean.items() if name in left.kept}
        lean = LeanWriter(built, Generated(built.code, built.constants), len(made.pieces), kept)
        with contextlib.suppress(OSError, vault.Untrusted):
            secret = _key()
            name = places.entry_id(self._files, self._folder, self._extra)
            index = {
                **read.index(), "sources": _sources(made, read), "plan": made.plan, "rows": made.rows,
                "places": (made.source_of.tobytes(), made.begins.tobytes()), "lean": lean.index,
            }  # fmt: skip
            blob = vault.written(index, [*made.pieces, *lean.pieces, left.memory], name, secret, hashlib.sha256)
            Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
            vault.owned(folder)
            _put(vault.file_of(folder, name), blob)
            _prune(folder)


def shelf(
    files: Sequence[str], under: Sequence[str], params: Mapping[str, Any], tools: Sequence[ToolSchema]
) -> Shelf | None:
    """The place for a policy, or None where there is no cache or what the host gave cannot be named."""
    if places.cache_folder() is None:
        return None
    try:
        folder = places.here()
        above = [(places.real(layer), places.shown(places.real(layer), folder)) for layer in under]
        found = [places.real(file) for file in files]
        given: Any = (
            above, sorted(params.items()),
            [(tool.name, tool.input, tool.output, tool.annotations, tool.description) for tool in tools],
        )  # fmt: skip
        extra = b"" if given == ([], [], []) else repr(Encoder([]).encode(given)).encode("utf-8", "surrogatepass")
    except (OSError, Unencodable, TypeError, ValueError):
        return None
    return Shelf(found, [file for file, _ in above], folder, extra)


def stored_in(entry: vault.Entry, sources: list[Source]) -> Stored:
    """The pieces of an entry that are the policy's."""
    index = entry.index
    source_of, begins = index["places"]
    pieces = entry.pieces(0, len(index["rows"]))
    return Stored(index["plan"], pieces, index["rows"], sources, array("I", source_of), array("Q", begins))


def _sources(made: Stored, read: RecordingResolver) -> list[tuple[str, str | None, str | None]]:
    """Each source by the file it was made of, which is there to be read again, or else with its text."""
    rows: list[tuple[str, str | None, str | None]] = []
    for source in made.sources:
        file = read.source_of(source.name, source.text)
        rows.append((source.name, source.text if file is None else None, file))
    return rows


def _key() -> bytes:
    """The key of this cache, made if there is none yet; raises where it cannot be had."""
    path = places.key_file()
    if path is None:
        raise vault.Untrusted("no home")
    if not os.path.lexists(path):
        folder = os.path.dirname(path)
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        vault.owned(folder)
        draft = _draft(path, os.urandom(vault.KEY_BYTES))
        try:
            os.link(draft, path)  # whoever is first wins, and everybody reads the same key afterwards
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)
    return vault.key()


def _put(path: str, blob: bytes) -> None:
    """Put a whole file in place at once: readers see the old one or the new one, also with many writers."""
    draft = _draft(path, blob)
    try:
        os.replace(draft, path)
    except OSError:
        os.unlink(draft)
        raise


def _draft(path: str, blob: bytes) -> str:
    name = f"{path}.{os.getpid()}.{os.urandom(6).hex()}"
    number = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(number, "wb") as stream:
        stream.write(blob)
    return name


def _prune(folder: str) -> None:
    kept = []
    for entry in os.scandir(folder):
        if entry.name.endswith(_SUFFIX):
            kept.append((entry.stat(follow_symlinks=False).st_mtime, entry.path))
        elif _SUFFIX + "." in entry.name and time.time() - entry.stat(follow_symlinks=False).st_mtime > _STALE_SECONDS:
            os.unlink(entry.path)
    for _, path in sorted(kept)[:-MOST_ENTRIES]:
        os.unlink(path)
