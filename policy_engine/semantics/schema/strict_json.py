"""JSON as it may enter the engine: one meaning for every reader of the same text, and no size that hurts.

Called with the arguments of requests, with tool schemas and data files. What two JSON readers could understand
differently is refused: duplicate keys, NaN and Infinity, halves of characters, integers beyond 64 bits. Sizes and
depth are looked at before any parsing. Raises `MisfitError` only; its words hold positions and keys, never values.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

from policy_engine.base.errors import MisfitError
from policy_engine.base.limits import MAX_ARGS_CHARS, MAX_ARGS_DEPTH
from policy_engine.base.values import MAX_INT, MIN_INT
from policy_engine.diagnostics.visible import shown_line

_TOKENS: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]|[\]}]', re.DOTALL)
"""Strings (an unended one runs to the end, so that the scan stays linear) and brackets."""
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")
_HALF_CHARACTER: Final = re.compile(r"\\u[dD][89a-fA-F]")
_MAX_DIGITS: Final = 19
_SHOWN_KEY: Final = 40


class _Fault(ValueError):
    """Thrown through the parser's hooks."""


def parse_json(
    text: str | bytes, root: str = "args", *, max_chars: int = MAX_ARGS_CHARS, max_depth: int = MAX_ARGS_DEPTH
) -> Any:
    """The value of a JSON text (bytes are UTF-8): `None bool int float str list dict`, nothing else.

    Raises `MisfitError(root, …)` for what is not JSON, for anything ambiguous, and for texts larger or deeper than the
    limits (in characters, in nested lists and maps).
    """
    if isinstance(text, bytes):
        text = _decoded(text, root, max_chars)
    if len(text) > max_chars:
        raise MisfitError(root, f"is longer than {max_chars} characters")
    if not text.isascii():
        whole(text, root)
    _check_depth(text, root, max_depth)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as fault:
        raise MisfitError(
            root, f"is not JSON: {_lowered(fault.msg)} at line {fault.lineno}, column {fault.colno}"
        ) from None
    except _Fault as fault:
        raise MisfitError(root, str(fault)) from None
    if _HALF_CHARACTER.search(text):
        _walk_for_halves(value, root)
    return value


def clipped(name: str) -> str:
    """A key as a message may quote it: short, and without characters that a terminal would obey or hide."""
    return shown_line(name if len(name) <= _SHOWN_KEY else name[:_SHOWN_KEY] + "…")


def whole(text: str, root: str) -> None:
    """Refuse text that holds half a character (a lone surrogate): no two programs store it alike."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise MisfitError(root, "holds half of a character (a lone surrogate)") from None


def _decoded(text: bytes, root: str, max_chars: int) -> str:
    if len(text) > 4 * max_chars:
        raise MisfitError(root, f"is longer than {max_chars} characters")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise MisfitError(root, f"is not UTF-8 (at byte {fault.start})") from None


def _check_depth(text: str, root: str, max_depth: int) -> None:
    if text.count("[") + text.count("{") <= max_depth or _is_shallow(text, max_depth):
        return
    depth = 0
    for token in _TOKENS.finditer(text):
        first = text[token.start()]
        if first in "[{":
            depth += 1
            if depth > max_depth:
                raise MisfitError(root, f"is nested deeper than {max_depth} levels")
        elif first in "]}":
            depth -= 1


def _is_shallow(text: str, max_depth: int) -> bool:
    """Whether brackets outside strings close within that depth: sooner than counting, for long texts without escapes."""
    if "\\" in text:
        return False
    outside = "".join(text.split('"')[::2]).encode("utf-8", "replace")
    brackets = outside.translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(max_depth):
        if not brackets:
            return True
        brackets = brackets.replace(b"[]", b"")
    return not brackets


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen = set()
        for key, _ in pairs:
            if key in seen:
                raise _Fault(f"has the key `{clipped(key)}` twice in one object; readers differ on which counts")
            seen.add(key)
    return made


def _integer(text: str) -> int:
    if len(text) <= _MAX_DIGITS + 1 and MIN_INT <= (value := int(text)) <= MAX_INT:
        return value
    raise _Fault("holds a whole number beyond 64 bits")


def _number(text: str) -> float:
    value = float(text)
    if math.isfinite(value):
        return value
    raise _Fault("holds a number too large for 64-bit floating point")


def _constant(text: str) -> NoReturn:
    raise _Fault(f"holds {text}, which is not JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_float=_number, parse_constant=_constant
)


def _walk_for_halves(value: Any, root: str) -> None:
    """Escapes such as `\\ud800` make halves that the text itself did not show. The depth was checked before."""
    if isinstance(value, str):
        whole(value, root)
    elif isinstance(value, list):
        for item in value:
            _walk_for_halves(item, root)
    elif isinstance(value, dict):
        for key, item in value.items():
            whole(key, root)
            _walk_for_halves(item, root)


def _lowered(message: str) -> str:
    return (message[:1].lower() + message[1:]).removesuffix(" starting at").removesuffix(" at")
