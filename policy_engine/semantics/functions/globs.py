"""`glob(path, pattern)`: `*` and `?` within one folder, `**` across folders, `[a-z]`, `{a,b}`. Called by policies.

The path is resolved as `path(x)` does it, so that no `..` slips past a pattern; patterns become RE2, linear in the path.
Letters count as written, and a leading dot is a letter like any other.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import product
from typing import Any, Final

from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.paths import read_path
from policy_engine.semantics.functions.patterns import compiled
from policy_engine.semantics.functions.signatures import examples, invalid, takes, typed
from policy_engine.semantics.types import BOOL, STRING

_MAX_PATTERN_CHARS: Final = 1_000
_MAX_ALTERNATIVES: Final = 64
_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_CLASS: Final = re.compile(r"\[(!?)((?:[\w.\-+@~ ])+)\]", re.ASCII)


def glob(path: str, pattern: str) -> bool:
    """Whether the path matches. Beside an absolute path, a relative pattern is false if it matches from no folder at all,
    and an error if it does from some: which folder it starts from is not known. `**` at its start means any.
    """
    anywhere, absolute, test = read_pattern(pattern)
    found = read_path(path)
    if found.climbs:
        raise invalid("the path leads out of the folder it starts from")
    text = "/".join(found.parts)
    if anywhere or absolute == found.absolute:
        return test.search(text) is not None
    if not absolute and read_pattern(f"**/{pattern}")[2].search(text) is None:
        return False
    raise invalid("one of path and pattern is relative, the other absolute; `**/` at the start matches anywhere")


@lru_cache(maxsize=512)
def read_pattern(pattern: str) -> tuple[bool, bool, Any]:
    """Whether it matches anywhere, whether it is absolute, and its RE2; raises `EvaluationError` for what is no pattern."""
    if not pattern or len(pattern) > _MAX_PATTERN_CHARS + 3 or "\\" in pattern:
        raise invalid("a pattern for paths has 1 to 1000 characters and no backslash")
    absolute = pattern.startswith("/")
    alternatives = [_translated(one.removeprefix("/")) for one in _without_braces(pattern)]
    anywhere = all(one == "**" or one.startswith("**/") for one in _without_braces(pattern))
    return anywhere, absolute, compiled(rf"(?s)\A(?:{'|'.join(alternatives)})\z")


def _without_braces(pattern: str) -> list[str]:
    pieces: list[tuple[str, ...]] = []
    end = 0
    for match in _BRACES.finditer(pattern):
        pieces += [(pattern[end : match.start()],), tuple(match[1].split(","))]
        end = match.end()
    pieces.append((pattern[end:],))
    count = 1
    for piece in pieces:
        count *= len(piece)
        if count > _MAX_ALTERNATIVES:
            raise invalid("the `{…}` of the pattern stand for too many patterns")
    found = ["".join(chosen) for chosen in product(*pieces)]
    if any("{" in one or "}" in one for one in found):
        raise invalid("the `{…}` of a pattern stand side by side, not in each other")
    if len({one.startswith("/") for one in found}) > 1:
        raise invalid("a pattern is relative or absolute, whichever of its `{…}` is chosen")
    return found


def _translated(pattern: str) -> str:
    segments = pattern.rstrip("/").split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        raise invalid("a pattern for paths has no empty folder, `.` or `..`")
    written = ""
    needs_slash = False
    for place, segment in enumerate(segments):
        last = place == len(segments) - 1
        if segment == "**":
            if last:
                written += "(?:/.*)?" if needs_slash else ".*"
            else:
                written += ("/" if needs_slash else "") + "(?:[^/]+/)*"
                needs_slash = False
            continue
        written += ("/" if needs_slash else "") + _segment(segment)
        needs_slash = True
    return written


def _segment(segment: str) -> str:
    if "**" in segment:
        raise invalid("`**` stands alone between two `/`")
    written = ""
    place = 0
    while place < len(segment):
        letter = segment[place]
        if letter == "[":
            match = _CLASS.match(segment, place)
            if match is None:
                raise invalid("a `[…]` of the pattern is not one that every system reads alike")
            written += f"[{'^/' if match[1] else ''}{match[2]}]"
            place = match.end()
            continue
        written += {"*": "[^/]*", "?": "[^/]"}.get(letter) or re.escape(letter)
        place += 1
    return written


FUNCTIONS: Final = (
    Function(
        "glob",
        (takes(STRING, STRING, to=BOOL),),
        "Whether a path matches a pattern: `*` and `?` within one folder, `**` across folders (or none), `[a-z]`, `{a,b}`. "
        "The path is resolved first; a pattern that starts with `**/` matches anywhere, another relative one beside an "
        "absolute path is an error where it might match.",
        examples(
            ("glob('src/.git/config', '**/.git/**')", "true"),
            ("glob('docs/../.env', '**/.env*')", "true"),
            ("glob('src/deep/a.py', 'src/*.{py,md}')", "false"),
        ),
        typed("glob", glob, (str, str)),
        cost=20,
        source="policy language",
        constants=((1, read_pattern),),
    ),
)
