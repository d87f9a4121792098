"""`path(x)` and `.within(folder)`: file paths by their text alone. Called by policies and by `globs`; touches no file.

Exact or an error: what some system reads otherwise (backslashes, `~`, drives, `//host`), and what depends on a folder
that nobody knows (relative beside absolute, `..` beyond the start), is never a silent false. Links are the host's to
resolve before the decision.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.signatures import examples, invalid, takes, typed
from policy_engine.semantics.operations import Opaque
from policy_engine.semantics.types import BOOL, STRING, OpaqueType

MAX_PATH_CHARS: Final = 4_096
PATH: Final = OpaqueType("path")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DRIVE: Final = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class PathValue(Opaque):
    """A path with `.` and `..` resolved; `climbs` counts the `..` that lead out of the folder it starts from."""

    type_name: ClassVar[str] = "path"
    absolute: bool
    climbs: int
    parts: tuple[str, ...]

    def __str__(self) -> str:
        inner = "/".join((*([".."] * self.climbs), *self.parts))
        return f"/{inner}" if self.absolute else inner or "."


def read_path(text: str) -> PathValue:
    """`path(x)`; raises `EvaluationError("invalid_argument")` for what not every system reads alike."""
    if not text or len(text) > MAX_PATH_CHARS:
        raise invalid("a path has between 1 and 4096 characters")
    if _CONTROL.search(text):
        raise invalid("the path holds control characters")
    if "\\" in text or _DRIVE.match(text) or (text.startswith("//") and not text.startswith("///")):
        raise invalid("the path means something else on other systems (a backslash, a drive, or `//host`)")
    if text.startswith("~"):
        raise invalid("the path begins with `~`, which means a folder that is not known here")
    absolute = text.startswith("/")
    climbs = 0
    parts: list[str] = []
    for part in text.split("/"):
        if part in ("", "."):
            continue
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        elif not absolute:
            climbs += 1
    return PathValue(absolute, climbs, tuple(parts))


def within(path: PathValue, folder: PathValue | str) -> bool:
    """Whether the path is the folder or lies below it; an error where that depends on a folder nobody named."""
    above = read_path(folder) if isinstance(folder, str) else folder
    if path.absolute != above.absolute:
        raise invalid("one path is relative and the other absolute: where the relative one starts is not known")
    if path.climbs < above.climbs and not above.parts:
        return True
    if path.climbs != above.climbs:
        raise invalid("one path leads further out of the folder it starts from than the other")
    return path.parts[: len(above.parts)] == above.parts


FUNCTIONS: Final = (
    Function(
        "path",
        (takes(STRING, to=PATH),),
        "The file path a text spells, with `.` and `..` resolved by its text alone. Backslashes, `~`, drives and control "
        "characters are errors.",
        examples(
            ("path('/work/../etc/passwd').within('/work')", "false"),
            ("path('/work/./a//b/') == path('/work/a/b')", "true"),
        ),
        typed("path", read_path, (str,)),
        cost=20,
        source="policy language",
        constants=((0, read_path),),
    ),
    Function(
        "within",
        (takes(PATH, STRING, to=BOOL), takes(PATH, PATH, to=BOOL)),
        "Whether the path is the folder or lies below it. A relative path beside an absolute one is an error.",
        examples(
            ("path('/work/a.txt').within('/work')", "true"),
            ("path('/workshop/a.txt').within('/work')", "false"),
        ),
        typed("within", within, (PathValue, str), (PathValue, PathValue)),
        method=True,
        cost=20,
        source="policy language",
        constants=((1, read_path),),
    ),
)
