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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from policy_engine.assembly.caching.lean_form import LeanWriter
from policy_engine.assembly.caching.recording import RecordingResolver, decoded
from policy_engine.assembly.provision import Files
from policy_engine.base.source import Source
from policy_engine.compiler.caching.artifact import Generated, Stored, restored, stored
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
    """The place of one policy in the cache: the files it begins with, and what the host gave beside them."""

    def __init__(self, files: Sequence[str], above: Sequence[str], folder: str, extra: bytes) -> None:
        self._files = list(files)
        self._above = list(above)
        self._folder = folder
        self._extra = extra

    def find(self) -> Found | None:
        """The policy as it was compiled, if all it was made of is unchanged and the entry is proved to be ours."""
        try:
            entry, texts = vault.opened(self._files, self._folder, self._extra, hashlib.sha256)
            pieces = entry.pieces()
        except (vault.Untrusted, OSError):
            return None
        sources = [
            Source(name, text if file is None else decoded(texts[file]) or "")
            for name, text, file in entry.index["sources"]
        ]
        policy = restored(entry.index["plan"], pieces.__getitem__, sources)
        references = {(reference, file): found for reference, file, found in entry.index["references"]}
        shown = {file: shown for file, shown, _ in entry.index["files"]}
        return None if policy is None else Found(policy, Files(self._files, self._above, references, shown, texts))

    def keep(self, policy: CompiledPolicy, read: RecordingResolver) -> None:
        """Keep a policy that was just compiled from what `read` read; silently not where that cannot be."""
        folder = places.cache_folder()
        if folder is None or not read.complete:
            return
        try:
            made = stored(policy)
            lean = LeanWriter(policy, Generated(policy.code, policy.constants), len(made.pieces))
        except Unencodable:
            return
        with contextlib.suppress(OSError, vault.Untrusted):
            secret = _key()
            name = places.entry_id(self._files, self._folder, self._extra)
            index = {
                **read.index(), "sources": _sources(made, read), "plan": made.plan, "lean": lean.index,
            }  # fmt: skip
            blob = vault.written(index, [*made.pieces, *lean.pieces], name, secret, hashlib.sha256)
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
