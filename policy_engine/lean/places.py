"""Where things are: real paths, the names people know files by, the cache's folder and key, the engine's own build.

Used by the lean path and by `assembly/caching` alike, so that both mean the same entry of the cache.
"""

from __future__ import annotations

import marshal
import sys

from policy_engine.lean.digests import digest

try:
    import posix
except ImportError:  # Windows: everything works, without a cache
    posix = None  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:  # type checkers take this for true; the imports would cost half a start
    from typing import Any

FORMAT = b"policy-engine cache 3"
SUPPORTED = posix is not None
_MOST_LINKS = 40
_TYPE, _LINK, _FOLDER, _FILE = 0o170000, 0o120000, 0o040000, 0o100000
_SOURCES = (".py", ".lark")
_OFF = ("off", "no", "0", "false")
ROOT = __file__.rpartition("/")[0].rpartition("/")[0]
"""The folder of the package `policy_engine`."""


def variable(name: str) -> str:
    """A variable of the process's environment, empty if it is not set."""
    current: Any = sys.modules.get("os")  # where a host may have changed it since the process began
    if current is not None:
        return str(current.environ.get(name, ""))
    return posix.environ.get(name.encode(), b"").decode("utf-8", "surrogateescape")


def here() -> str:
    """The folder in which the process stands; raises `OSError`."""
    return posix.getcwd()


def real(path: str) -> str:
    """The path without links, `.` and `..`, of something that exists; raises `OSError`."""
    if not path.startswith("/"):
        path = here() + "/" + path
    waiting = path.split("/")[::-1]
    done, links = "", 0
    while waiting:
        step = waiting.pop()
        if step in ("", "."):
            continue
        if step == "..":
            done = done.rpartition("/")[0]
            continue
        candidate = f"{done}/{step}"
        if posix.lstat(candidate).st_mode & _TYPE == _LINK:
            links += 1
            if links > _MOST_LINKS:
                raise OSError("too many links")
            target = posix.readlink(candidate)
            if target.startswith("/"):
                done = ""
            waiting.extend(target.split("/")[::-1])
        else:
            done = candidate
    return done or "/"


def is_file(path: str) -> bool:
    """Whether a real path is that of a plain file; raises `OSError`."""
    return posix.lstat(path).st_mode & _TYPE == _FILE


def beside(reference: str, file: str) -> str:
    """The real path of what is named in `file`; raises `OSError`."""
    return real(reference if reference.startswith("/") else file.rpartition("/")[0] + "/" + reference)


def shown(path: str, folder: str) -> str:
    """A real path as a person would type it from `folder`."""
    inside = path.removeprefix(folder.rstrip("/") + "/")
    return path if inside == path or inside.startswith("..") else inside


def entries(path: str) -> list[str]:
    """The real paths of the policy files that a path stands for, a file or a folder; raises `OSError`."""
    found = real(path)
    if posix.lstat(found).st_mode & _TYPE != _FOLDER:
        return [found]
    return [real(f"{found}/{name}") for name in sorted(posix.listdir(found)) if name.endswith(".policy")]


def cache_folder() -> str | None:
    """The folder of the cache, or None where there is to be none."""
    wanted = variable("POLICY_CACHE")
    if not SUPPORTED or wanted.lower() in _OFF:
        return None
    return wanted if wanted.startswith("/") else _own("XDG_CACHE_HOME", ".cache", "policy-engine")


def key_file() -> str | None:
    """The file that holds the key of the cache's integrity, or None where nobody has a home."""
    named = variable("POLICY_CACHE_KEY")
    return named if named.startswith("/") else _own("XDG_CONFIG_HOME", ".config", "policy-engine/cache.key")


def _own(name: str, otherwise: str, inside: str) -> str | None:
    base = variable(name)
    if not base.startswith("/"):
        home = variable("HOME")
        if not home.startswith("/"):
            return None
        base = f"{home.rstrip('/')}/{otherwise}"
    return f"{base.rstrip('/')}/{inside}"


def build() -> bytes:
    """What this engine and this Python are: another of either reads nothing that this one wrote.

    An installed package is told by its version and its installation; a checkout by every file of it.
    """
    found: list[Any] = [sys.version, str(sys.implementation.cache_tag), sys.byteorder]
    if _exists(f"{ROOT}/_data"):
        for name in ("__init__.py", "base/version.py", "_data"):
            status = posix.stat(f"{ROOT}/{name}")
            found += [name, status.st_size, status.st_mtime_ns, status.st_ino]
    else:
        _scan(ROOT, found)
        _scan(ROOT.rpartition("/")[0] + "/grammar", found)
    magic: Any = sys.modules["_frozen_importlib_external"]
    return digest(FORMAT, magic.MAGIC_NUMBER, ROOT.encode("utf-8", "surrogateescape"), marshal.dumps(found, 0))


def _exists(path: str) -> bool:
    try:
        posix.stat(path)
    except OSError:
        return False
    return True


def _scan(folder: str, found: list[Any]) -> None:
    """Every source file below a folder, with its size and times."""
    folders, files = [], []
    for entry in posix.scandir(folder):
        name = entry.name
        if name.endswith(_SOURCES):
            status = entry.stat()
            files.append((name, status.st_size, status.st_mtime_ns, status.st_ino))
        elif "." not in name and name != "__pycache__" and entry.is_dir():
            folders.append(entry.path)
    files.sort()
    found += (folder, files)
    for inner in sorted(folders):
        _scan(inner, found)


def entry_id(files: list[str], folder: str, extra: bytes = b"") -> bytes:
    """What names an entry of the cache: engine, Python, the policy's files and how they are shown, and all else given.

    `extra` stands for what a host gave beside the files: imposed layers, params, tools.
    """
    parts = [part.encode("utf-8", "surrogateescape") for file in files for part in (file, shown(file, folder))]
    return digest(build(), extra, *parts)
