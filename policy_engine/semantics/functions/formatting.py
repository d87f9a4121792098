"""`format` of cel-go's string extensions, for `string_extensions`; promises a bounded text or an `EvaluationError`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import UInt
from policy_engine.semantics.functions.conversions import to_bytes, to_string
from policy_engine.semantics.functions.signatures import invalid
from policy_engine.semantics.operations import spoken_type
from policy_engine.semantics.operations.bounds import bound_chars

MAX_PRECISION: Final = 100
"""Digits after the point that `%.Nf` and `%.Ne` may ask for."""
_INTEGERS: Final = (int, UInt)


def format_text(template: str, values: list[Any]) -> str:
    """The template with its clauses replaced by `values`, in turn; values left over are ignored, as in cel-go."""
    pieces: list[str] = []
    size, place, used = 0, 0, 0
    while place < len(template):
        percent = template.find("%", place)
        end = len(template) if percent < 0 else percent
        piece = template[place:end]
        if percent >= 0:
            if template.startswith("%", percent + 1):
                piece, end = piece + "%", percent + 2
            else:
                letter, precision, end = _clause(template, percent + 1)
                if used >= len(values):
                    raise EvaluationError("index_out_of_range", "the text to format has more clauses than values")
                piece += _formatted(letter, precision, values[used])
                used += 1
        size += len(piece)
        bound_chars(size)
        pieces.append(piece)
        place = end
    return "".join(pieces)


def _clause(template: str, start: int) -> tuple[str, int, int]:
    """The letter of the clause at `start`, its precision, and where it ends."""
    end, precision = start, 6
    if template.startswith(".", end):
        digits = end + 1
        end = digits
        while end < len(template) and template[end] in "0123456789":
            end += 1
        if digits == end or end - digits > 3 or int(template[digits:end]) > MAX_PRECISION:
            raise invalid(f"a format clause has a precision of 0 to {MAX_PRECISION}")
        precision = int(template[digits:end])
    letter = template[end : end + 1]
    if letter not in ("s", "d", "f", "e", "x", "X", "o", "b"):
        raise invalid("a format clause is one of %s %d %f %e %x %X %o %b")
    return letter, precision, end + 1


def _formatted(letter: str, precision: int, value: Any) -> str:
    kind = type(value)
    if kind is float and letter in "dfe" and not math.isfinite(value):
        return _text(value)
    match letter:
        case "s":
            return _text(value)
        case "d" if kind in _INTEGERS:
            return str(int(value))
        case "f" | "e" if kind is float or kind in _INTEGERS:
            return f"{float(value):.{precision}{letter}}"
        case "x" | "X" if kind in _INTEGERS:
            return format(int(value), letter)
        case "x" | "X" if kind in (str, bytes):
            text = to_bytes(value).hex()
            return text.upper() if letter == "X" else text
        case "o" if kind in _INTEGERS:
            return format(int(value), "o")
        case "b" if kind in _INTEGERS or kind is bool:
            return format(int(value), "b")
    raise invalid(f"`%{letter}` does not format a value of type {spoken_type(value)}")


def _text(value: Any) -> str:
    """What `%s` makes of a value: as `string(x)`, lists and maps (sorted by their keys' texts) included."""
    if value is None:
        return "null"
    if type(value) is float and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if type(value) is list:
        return f"[{', '.join(_bounded(map(_text, value)))}]"
    if type(value) is dict:
        pairs = sorted(((_text(key), item) for key, item in value.items()), key=lambda pair: pair[0])
        return "{" + ", ".join(_bounded(f"{key}: {_text(item)}" for key, item in pairs)) + "}"
    return to_string(value)


def _bounded(pieces: Iterable[str]) -> Iterator[str]:
    """The pieces, while they do not add up to too much: lists of lists may share parts and grow without end."""
    size = 0
    for piece in pieces:
        size += len(piece)
        bound_chars(size)
        yield piece
