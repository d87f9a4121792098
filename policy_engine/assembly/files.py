"""Where policies are read from: the file system, or texts held in memory. The compiler itself does no I/O."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath


class FileResolver:
    """Reads policies and what they use from the file system. References are relative to the file that makes them."""

    def resolve(self, reference: str, relative_to: str | None) -> str:
        """The absolute path of a reference; raises `FileNotFoundError` or `PermissionError`."""
        base = Path(relative_to).parent if relative_to else Path.cwd()
        path = Path(os.path.realpath(base / reference))  # unlike `resolve`, never raises for a circle of links
        if not path.is_file():
            raise FileNotFoundError(reference)
        return str(path)

    def read(self, canonical: str) -> bytes:
        """The bytes of a resolved file; raises `OSError`."""
        return Path(canonical).read_bytes()

    def display(self, canonical: str) -> str:
        """The path as a person would type it from here."""
        relative = os.path.relpath(canonical)
        return canonical if relative.startswith("..") else relative


class MemoryResolver:
    """Reads policies from a mapping of names to texts. For tests, examples and hosts that keep policies elsewhere."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = {str(PurePosixPath(name)): text for name, text in files.items()}

    def resolve(self, reference: str, relative_to: str | None) -> str:
        """The name of a text, relative to the text that refers to it; raises `FileNotFoundError`."""
        base = PurePosixPath(relative_to).parent if relative_to else PurePosixPath()
        name = os.path.normpath(str(base / reference)).replace(os.sep, "/")
        if name not in self._files:
            raise FileNotFoundError(reference)
        return name

    def read(self, canonical: str) -> bytes:
        """The bytes of a text."""
        text = self._files[canonical]
        return text if isinstance(text, bytes) else text.encode("utf-8", errors="surrogatepass")

    def display(self, canonical: str) -> str:
        """The name itself."""
        return canonical


def entries(paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[str]:
    """The policy files that a path, folder or several of them stand for.

    A folder stands for the `.policy` files directly in it, sorted. Raises `FileNotFoundError` naming what is missing.
    """
    listed: Sequence[str | os.PathLike[str]] = [paths] if isinstance(paths, str | os.PathLike) else paths
    found: list[str] = []
    for path in map(Path, listed):
        if path.is_dir():
            inside = sorted(str(file) for file in path.glob("*.policy"))
            if not inside:
                raise FileNotFoundError(f"{path}: no .policy file in this folder")
            found.extend(inside)
        else:
            found.append(str(path))
    return found
