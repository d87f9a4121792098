"""Reads for the compiler and remembers what it read, so that a cache entry can name everything a policy was made of."""

from __future__ import annotations

import hashlib
import marshal
import zlib

from policy_engine.compiler.pipeline import SourceResolver
from policy_engine.lean.digests import digest


class RecordingResolver:
    """A resolver around another. `complete` = nothing happened that an entry could not repeat."""

    def __init__(self, inner: SourceResolver) -> None:
        self._inner = inner
        self.references: dict[tuple[str, str], str] = {}
        self.entered: dict[str, str] = {}
        self.contents: dict[str, bytes] = {}
        self._packed = b""
        self.shown: dict[str, str] = {}
        self.complete = True

    def resolve(self, reference: str, relative_to: str | None) -> str:
        """What the inner one answers; a reference from nowhere is the host's, and part of the entry's name already."""
        found = self._inner.resolve(reference, relative_to)
        if relative_to is None:
            self.entered[reference] = found
        else:
            known = self.references.setdefault((reference, relative_to), found)
            self.complete &= known == found
        return found

    def read(self, canonical: str) -> bytes:
        """What the inner one reads. A file that changes while it is compiled is not kept."""
        found = self._inner.read(canonical)
        self.complete &= self.contents.setdefault(canonical, found) == found
        self.shown[canonical] = self._inner.display(canonical)
        return found

    def display(self, canonical: str) -> str:
        """What the inner one says."""
        return self._inner.display(canonical)

    def index(self) -> dict[str, object]:
        """What an entry holds of it, for `lean.vault.fits`."""
        return {
            "references": [(reference, file, found) for (reference, file), found in sorted(self.references.items())],
            "files": [
                (file, self.shown[file], digest(content, by=hashlib.sha256))
                for file, content in sorted(self.contents.items())
            ],
        }

    def pack(self) -> None:
        """Keep what was read in few bytes: it is asked for again only when somebody writes the policy down."""
        self._packed, self.contents = zlib.compress(marshal.dumps(self.contents), 1), {}

    def unpacked(self) -> dict[str, bytes]:
        """The contents of each file, after `pack`."""
        contents: dict[str, bytes] = marshal.loads(zlib.decompress(self._packed))
        return contents

    def source_of(self, name: str, text: str) -> str | None:
        """The file that a source was made of."""
        for file, content in self.contents.items():
            if self.shown[file] == name and decoded(content) == text:
                return file
        return None


def decoded(content: bytes) -> str | None:
    """The text of a file as the compiler reads it; None where it is no UTF-8."""
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        return None


