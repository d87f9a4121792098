"""`url(x)` and `urls(x)`: web addresses, read so that no other reader takes them for another machine or page.

Where RFC 3986 and browsers (WHATWG) differ - backslashes, tabs and line ends, missing slashes, escapes in the host,
several `@`, letters beyond ASCII - the address is an error. Names are not looked up: `private` tells what the text shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.hosts import read_host
from policy_engine.semantics.functions.patterns import compiled
from policy_engine.semantics.functions.signatures import examples, invalid, record, takes, typed
from policy_engine.semantics.types import BOOL, INT, STRING, ListType

MAX_URL_CHARS: Final = 8_192
URL: Final = record(
    "url", fragment=STRING, host=STRING, path=STRING, port=INT, private=BOOL, query=STRING, scheme=STRING
)
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}
_PARTS: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?"
)
_AUTHORITY: Final = re.compile(r"(?:(?P<user>[^@\[\]]*)@)?(?P<host>\[[^\]@]*\]|[^:@\[\]]*)(?::(?P<port>[0-9]{0,5}))?", re.ASCII)
_UNSEEN: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ud800-\udfff\\]")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_DOTS: Final = re.compile(r"\.{1,2}(?:;.*)?", re.DOTALL)


@lru_cache(maxsize=256)
def read_url(text: str) -> dict[str, Any]:
    """`url(x)`; raises `EvaluationError("invalid_argument")` for anything that is not read alike everywhere."""
    if len(text) > MAX_URL_CHARS:
        raise invalid(f"a web address has at most {MAX_URL_CHARS} characters")
    if _UNSEEN.search(text):
        raise invalid("the web address holds blanks, control characters or a backslash")
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise invalid("the text is not a web address like `https://host/path`")
    scheme = parts["scheme"].lower()
    if scheme == "file" and parts["authority"] in ("", "localhost"):
        host, private, port = "", True, 0
    else:
        host, private, port = _authority(parts["authority"], scheme)
    return {
        "scheme": scheme, "host": host, "port": port, "private": private, "path": read_path_of(parts["path"]),
        "query": parts["query"] or "", "fragment": parts["fragment"] or "",
    }  # fmt: skip


def _authority(text: str, scheme: str) -> tuple[str, bool, int]:
    found = _AUTHORITY.fullmatch(text)
    if found is None or not found["host"]:
        raise invalid("the web address names no host, or more than one")
    port = int(found["port"] or _PORTS.get(scheme, 0))
    if port > 65_535 or (found["port"] and not port):
        raise invalid("the port of the web address is not between 1 and 65535")
    host, private = read_host(found["host"])
    return host, private, port


def read_path_of(text: str) -> str:
    """The path with escapes decoded once and `.` and `..` resolved; an error where servers differ about it."""
    if _BAD_ESCAPE.search(text):
        raise invalid("a `%` in the path of the web address is not followed by two hexadecimal digits")
    kept: list[str] = []
    segments = [_decoded(segment) for segment in text.split("/")[1:]]
    for place, segment in enumerate(segments):
        if any(_DOTS.fullmatch(part) for part in segment.split("/")) and segment not in (".", ".."):
            raise invalid("the path of the web address hides `..` in a way that servers read differently")
        last = place == len(segments) - 1
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
            continue
        if last:
            kept.append("")
    return "/" + "/".join(kept)


def _decoded(segment: str) -> str:
    try:
        decoded = _ESCAPE.sub(lambda found: bytes((int(found[1], 16),)), segment.encode()).decode("utf-8")
    except (UnicodeDecodeError, UnicodeEncodeError):
        raise invalid("the path of the web address does not spell a text in UTF-8") from None
    if _UNSEEN.search(decoded.replace(" ", "")):
        raise invalid("the path of the web address holds escaped control characters or a backslash")
    return decoded


_FOUND: Final = compiled(
    "|".join(
        (
            r"[a-zA-Z][a-zA-Z0-9+.\-]*:[/\\]{1,}[^\s<>\"'`]+",  # any scheme with slashes, even too few or the wrong ones
            r"(?i:\b(?:https?|wss?|ftp|file|javascript|data|mailto):[^\s<>\"'`]+)",
            r"(?i:\bwww\.[^\s<>\"'`]+)",
            r"[/\\]{2}[\pL\pN\[][\pL\pN\-]*[.:][^\s<>\"'`]+",  # without a scheme, as in a link of the same one
        )
    )
)


def urls(text: str) -> list[str]:
    """What a reader or browser would follow in a text, each once; what is odd is kept odd, so that `url` refuses it."""
    try:
        return list(dict.fromkeys(_found(text)))
    except UnicodeEncodeError:
        raise invalid("the text holds half a surrogate pair") from None


def _found(text: str) -> Iterator[str]:
    for match in _FOUND.finditer(text):
        found = match.group(0).rstrip(".,;:!?*_»”’")
        while found.endswith((")", "]", "}")) and found.count(found[-1]) > found.count("([{"[")]}".index(found[-1])]):
            found = found[:-1].rstrip(".,;:!?*_»”’")
        yield found


FUNCTIONS: Final = (
    Function(
        "url",
        (takes(STRING, to=URL),),
        "The parts of a web address: `scheme host port path query fragment`, the path decoded and without `..`; `private` "
        "for names and addresses inside a network, however the number is written. Names are not looked up.",
        examples(
            ("url('https://acme.com/a').host", "'acme.com'"),
            ("url('http://10.0.0.1/').private", "true"),
            ("url('https://acme.com@evil.org/').host", "'evil.org'"),
            ("url('http://2130706433/').private", "true"),
        ),
        typed("url", read_url, (str,)),
        cost=20,
        source="policy language",
        constants=((0, read_url),),
    ),
    Function(
        "urls",
        (takes(STRING, to=ListType(STRING)),),
        "The web addresses in a text, as written; what only looks like one is among them, and `url` refuses it.",
        examples(
            ("urls('see https://acme.com/a')", "['https://acme.com/a']"),
        ),
        typed("urls", urls, (str,)),
        cost=20,
        source="policy language",
    ),
)
