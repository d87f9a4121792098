"""What literals mean: numbers, text, bytes and durations as cel-spec (and LANGUAGE.md, for durations) writes them.

Called by the builder for each literal token, and by the policy language for its strings and durations. Every fault is
a `LiteralFault` with its place inside the token; nothing else is raised.
"""

from __future__ import annotations

import math
import re
from typing import Final

from policy_engine.base.values import MAX_INT, MAX_UINT, Duration, UInt

_SIMPLE_ESCAPES: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "?": "?", '"': '"', "'": "'", "`": "`",
}  # fmt: skip
_ESCAPE: Final = re.compile(r"\\(?:([0-3][0-7]{2})|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]))")
_DURATION_PART: Final = re.compile(r"([0-9]+)(ms|s|m|h|d)")
_NANOS: Final = {
    "d": 86_400_000_000_000, "h": 3_600_000_000_000, "m": 60_000_000_000, "s": 1_000_000_000, "ms": 1_000_000,
}  # fmt: skip


class LiteralFault(Exception):
    """A literal that stands for no value. `start` and `end` are offsets inside the token."""

    def __init__(self, message: str, start: int, end: int, suggestion: str | None = None) -> None:
        """`message` says what is wrong, `suggestion` what to write."""
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end
        self.suggestion = suggestion


def integer(text: str) -> int:
    """The value of an `INT` token, up to 2**63: the builder allows that one only below a minus sign."""
    value = _whole(text, text)
    if value > MAX_INT + 1:
        raise LiteralFault(
            f"{_short(text)} does not fit an int", 0, len(text), "an int is at most 9223372036854775807; write 1e19 for a double"
        )  # fmt: skip
    return value


def unsigned(text: str) -> UInt:
    """The value of a `UINT` token."""
    value = _whole(text[:-1], text)
    if value > MAX_UINT:
        raise LiteralFault(
            f"{_short(text)} does not fit a uint", 0, len(text), "a uint is at most 18446744073709551615u"
        )
    return UInt(value)


def floating(text: str) -> float:
    """The value of a `FLOAT` token."""
    value = float(text)
    if math.isinf(value):
        raise LiteralFault(f"{_short(text)} does not fit a double", 0, len(text), "a double is at most about 1.797e308")
    return value


def duration(text: str) -> Duration:
    """The value of a `DURATION` token such as `1h30m`: units from large to small, none twice."""
    total, last = 0, math.inf
    for part in _DURATION_PART.finditer(text):
        unit = _NANOS[part[2]]
        if unit >= last:
            raise LiteralFault(
                f"the units of `{_short(text)}` are out of order", part.start(), part.end(),
                "units go from large to small, each once: 1d12h, 1h30m, 1s500ms",
            )  # fmt: skip
        total, last = total + _whole(part[1], text) * unit, unit
    if total > MAX_INT:
        raise LiteralFault(f"{_short(text)} is too long", 0, len(text), "a duration is at most about 292 years")
    return Duration(total)


def string(text: str) -> str:
    """The text a `STRING` or `RAW` token stands for."""
    raw = text[0] in "rR"
    start, end = _body(text, 1 if raw else 0)
    value = text[start:end] if raw else _unescape(text, start, end)
    for index, character in enumerate(value if raw else text):
        if "\ud800" <= character <= "\udfff":
            raise LiteralFault("text holds half of a character (a lone surrogate)", index, index + 1)
    return value


def byte_string(text: str) -> bytes:
    """The bytes a `BYTES` token stands for: its text in UTF-8, `\\xff` and `\\377` being single bytes."""
    raw = text[1] in "rR"
    start, end = _body(text, 2 if raw else 1)
    try:
        return text[start:end].encode() if raw else _unescape_bytes(text, start, end)
    except UnicodeEncodeError:
        raise LiteralFault("bytes hold half of a character (a lone surrogate)", 0, len(text)) from None


def _body(text: str, prefix: int) -> tuple[int, int]:
    quotes = 3 if text[prefix : prefix + 3] in ('"""', "'''") and len(text) >= prefix + 6 else 1
    return prefix + quotes, len(text) - quotes


def _unescape(text: str, start: int, end: int) -> str:
    if "\\" not in text:
        return text[start:end]
    parts: list[str] = []
    for match in _ESCAPE.finditer(text, start, end):
        parts.append(text[start : match.start()])
        start = match.end()
        code = _code(match)
        if code is None:
            parts.append(_simple(match, text))
        elif code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise LiteralFault(
                f"`{match[0]}` is not a character",
                match.start(),
                match.end(),
                "a character up to \\U0010FFFF, no surrogate",
            )
        else:
            parts.append(chr(code))
    parts.append(text[start:end])
    return "".join(parts)


def _unescape_bytes(text: str, start: int, end: int) -> bytes:
    parts: list[bytes] = []
    for match in _ESCAPE.finditer(text, start, end):
        parts.append(text[start : match.start()].encode())
        start = match.end()
        code = _code(match)
        if code is None:
            parts.append(_simple(match, text).encode())
        elif match[3] or match[4]:
            raise LiteralFault(
                f"`{match[0]}` is a character, not a byte",
                match.start(),
                match.end(),
                "in bytes: \\xHH, one for each byte",
            )
        else:
            parts.append(bytes((code,)))
    parts.append(text[start:end].encode())
    return b"".join(parts)


def _code(match: re.Match[str]) -> int | None:
    if match[1]:
        return int(match[1], 8)
    digits = match[2] or match[3] or match[4]
    return int(digits, 16) if digits else None


def _simple(match: re.Match[str], text: str) -> str:
    character = _SIMPLE_ESCAPES.get(match[5])
    if character is None:
        raise LiteralFault(
            f"`\\{match[5]}` is not an escape" if match[5].isprintable() else "a backslash before this character means nothing",
            match.start(), match.end(), f"\\\\{match[5]} for a backslash itself, or raw text: r{text[-1]}…{text[-1]}",
        )  # fmt: skip
    return character


def _whole(digits: str, text: str) -> int:
    if len(digits) > 100:  # far out of any range, and int() of very long texts is slow or refused
        raise LiteralFault(
            f"{_short(text)} is too large a number", 0, len(text), "a whole number has at most 20 digits"
        )
    return int(digits, 16) if digits[:2] == "0x" else int(digits)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}…"
