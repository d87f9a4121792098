"""One line of JSON in, one line out, by the parts of `json` that are built into Python, without `json` and without `re`.

Reads what `semantics/schema/strict_json` reads, and raises `NotSimple` for whatever that would refuse or look at twice.
"""

from __future__ import annotations

from _json import encode_basestring, encode_basestring_ascii, make_encoder, make_scanner

from policy_engine.lean.simple import NotSimple

TYPE_CHECKING = False
if TYPE_CHECKING:  # type checkers take this for true; the imports would cost half a start
    from typing import Any

MAX_LINE_BYTES = 100_000
"""Longer lines, and deeper ones than `MAX_BRACKETS`, are the full engine's: within these no limit of it is reached."""
MAX_BRACKETS = 60
_MAX_DIGITS = 20
_MIN_INT, _MAX_INT = -(1 << 63), (1 << 63) - 1
_INFINITY = float("inf")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise NotSimple
    return made


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS or not _MIN_INT <= (value := int(text)) <= _MAX_INT:
        raise NotSimple
    return value


def _number(text: str) -> float:
    value = float(text)
    if not -_INFINITY < value < _INFINITY:
        raise NotSimple
    return value


def _constant(text: str) -> Any:
    raise NotSimple


class _Rules:
    """What the scanner asks its context for."""

    strict = True
    object_hook = None
    object_pairs_hook = staticmethod(_pairs)
    parse_float = staticmethod(_number)
    parse_int = staticmethod(_integer)
    parse_constant = staticmethod(_constant)
    memo: dict[str, str] = {}  # noqa: RUF012


_scan: Any = make_scanner(_Rules)  # type: ignore[arg-type]


def _refuse(value: Any) -> Any:
    raise NotSimple


_encode: Any = make_encoder(None, _refuse, encode_basestring_ascii, None, ": ", ", ", False, False, False)

_spell: Any = make_encoder(None, _refuse, encode_basestring, None, ": ", ", ", False, False, False)


def read(line: bytes) -> dict[str, Any]:
    """The object on a line; raises `NotSimple` for anything else."""
    if len(line) > MAX_LINE_BYTES or line.count(b"[") + line.count(b"{") > MAX_BRACKETS:
        raise NotSimple
    try:
        text = line.strip().decode("utf-8")
        value, end = _scan(text, 0)
        if b"\\ud" in line.lower():
            "".join(_spell(value, 0)).encode("utf-8")  # fails for half a character
    except (ValueError, StopIteration):
        raise NotSimple from None
    if end != len(text) or value.__class__ is not dict:
        raise NotSimple
    found: dict[str, Any] = value
    return found


def written(data: dict[str, Any]) -> str:
    """The line of an answer, as `json.dumps` writes it."""
    return "".join(_encode(data, 0))
