"""A coarse scan of policy text into words, strings, comments and symbols, which never fails.

Splitting, the formatter and the messages stand on it; the real lexer is Lark's. It promises to take time linear in the
text, to know exactly where comments and strings are, and to give up an unclosed string at the end of its line, so
that what follows is still seen.
"""

from __future__ import annotations

import re
from typing import Final, Literal as OneOf, NamedTuple, TypeAlias, cast

ScrapKind: TypeAlias = OneOf["word", "number", "string", "unclosed", "quoted", "comment", "symbol"]


class Scrap(NamedTuple):
    """One piece of text. `first` = nothing but blanks (and no comment) stands before it on its line."""

    kind: ScrapKind
    text: str
    start: int
    end: int
    first: bool


_SCRAP: Final = re.compile(
    r"""[ \t\r\n\f\v]*+(?:
    (?P<comment>//[^\n]*+)
    |(?P<triple>(?:[bB]?[rR]|[bB])?(?:\"{3}|'{3}))
    |(?P<raw>[bB]?[rR](?:"[^"\r\n]*+"?+|'[^'\r\n]*+'?+))
    |(?P<string>[bB]?(?:"(?:\\[^\r\n]|[^"\\\r\n])*+"?+|'(?:\\[^\r\n]|[^'\\\r\n])*+'?+))
    |(?P<quoted>`[^`\r\n]*+`?+)
    |(?P<word>[^\W\d]\w*+(?:-\w++)*+)
    |(?P<number>\d\w*+(?:\.\d\w*+)?+)
    |(?P<symbol>[(){}\[\],:.=@*]|[&|<>!+%?;^~\#$\\/-]++|.))""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN_END: Final = {
    '"': re.compile(r'(?:[^\\"]|\\[\s\S]|"(?!""))*+"""'),
    "'": re.compile(r"(?:[^\\']|\\[\s\S]|'(?!''))*+'''"),
}
_ONE_LINE: Final = re.compile(r"[^\r\n]*+")


def _triple_end(text: str, begin: int, opening: str, end: int) -> int | None:
    """Where a triple-quoted string ends whose content starts at `begin`; None when it never does."""
    if "r" in opening.lower():
        found = text.find(opening[-3:], begin, end)
        return None if found < 0 else found + 3
    match = _PLAIN_END[opening[-1]].match(text, begin, end)
    return match.end() if match else None


def scan(text: str, start: int = 0, end: int | None = None) -> list[Scrap]:
    """All scraps of `text[start:end]` in order, blanks left out. Positions are those of `text`."""
    end = len(text) if end is None else end
    start = 1 if start == 0 and text.startswith("\ufeff") else start  # a byte order mark is no text
    scraps: list[Scrap] = []
    hopeless: set[str] = set()  # quotes that no later place closes: looking again each time would be quadratic
    position, first = start, True
    while position < end:
        match = _SCRAP.match(text, position, end)
        if match is None:  # the last alternative takes any character, but for blanks
            break
        group = str(match.lastgroup)
        begin, stop = match.span(group)
        first = first or (begin > position and text.find("\n", position, begin) >= 0)
        kind = cast(ScrapKind, group)  # but for strings, which may be unclosed
        if group == "triple":
            opening = match.group(group)
            closed = None if opening[-3:] in hopeless else _triple_end(text, stop, opening, end)
            if closed is None:
                hopeless.add(opening[-3:])
                line = _ONE_LINE.match(text, stop, end)
                stop = line.end() if line else stop
            else:
                stop = closed
            kind = "unclosed" if closed is None else "string"
        elif group in ("raw", "string"):
            body = match.group(group).lstrip("bBrR")
            kind = "string" if len(body) > 1 and body[-1] == body[0] and _closed(body, group == "raw") else "unclosed"
        scraps.append(Scrap(kind, text[begin:stop], begin, stop, first))
        first = False
        position = stop
    return scraps


def _closed(body: str, raw: bool) -> bool:
    """Whether the last quote of `body` closes it, and is not an escaped one."""
    if raw:
        return True
    inner = body[1:-1]
    return (len(inner) - len(inner.rstrip("\\"))) % 2 == 0
