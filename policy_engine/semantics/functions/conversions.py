"""Turning values of one type into another, for the `core` library. Formats are cel-spec's, where it is silent cel-go's.

Promises an engine value or an `EvaluationError`; the text that could not be read is never shown.
"""

from __future__ import annotations

import math
import re
from datetime import date
from decimal import Decimal
from typing import Any, Final

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import NANOS_PER_SECOND, Duration, Timestamp, TypeValue, UInt, datetime_of
from policy_engine.semantics.functions.signatures import invalid
from policy_engine.semantics.operations import (
    Opaque,
    checked_duration,
    checked_int,
    checked_timestamp,
    checked_uint,
    no_overload,
)

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,40}")
_UNSIGNED: Final = re.compile(r"[0-9]{1,40}")
_DOUBLE: Final = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?|inf(?:inity)?|nan)", re.IGNORECASE
)
_TRUE: Final = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE: Final = frozenset(("0", "f", "F", "false", "FALSE", "False"))
_TIMESTAMP: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:\.([0-9]{1,9})[0-9]{0,20})?(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_DURATION_PART: Final = re.compile(r"([0-9]{0,20})(?:\.([0-9]{0,20}))?(ns|us|µs|μs|ms|s|m|h)")
_UNIT_NANOS: Final = {
    "ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": NANOS_PER_SECOND, "m": 60 * NANOS_PER_SECOND,
    "h": 3600 * NANOS_PER_SECOND,
}  # fmt: skip
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


def to_int(value: Any) -> int:
    """`int(x)`: doubles are cut towards zero, timestamps are seconds since the epoch, text is decimal."""
    kind = type(value)
    if kind is int:
        return int(value)
    if kind is UInt:
        return checked_int(int(value))
    if kind is float:
        if not -(2.0**63) < value < 2.0**63:
            raise EvaluationError("overflow", "the double does not fit an int of 64 bits")
        return int(value)
    if kind is str:
        if _WHOLE.fullmatch(value):
            return checked_int(int(value))
        raise invalid("the text is not a whole number")
    if kind is Timestamp:
        return int(value.nanos // NANOS_PER_SECOND)
    no_overload("int", value)


def to_uint(value: Any) -> UInt:
    """`uint(x)`."""
    kind = type(value)
    if kind is UInt or kind is int:
        return checked_uint(int(value))
    if kind is float:
        if not 0.0 <= value < 2.0**64:
            raise EvaluationError("overflow", "the double does not fit a uint of 64 bits")
        return UInt(int(value))
    if kind is str:
        if _UNSIGNED.fullmatch(value):
            return checked_uint(int(value))
        raise invalid("the text is not a whole number without a sign")
    no_overload("uint", value)


def to_double(value: Any) -> float:
    """`double(x)`: the nearest double; text may also be `NaN` or `Infinity`."""
    kind = type(value)
    if kind is float or kind is int or kind is UInt:
        return float(value)
    if kind is str:
        if len(value) <= 1000 and _DOUBLE.fullmatch(value):
            number = float(value)
            if math.isinf(number) and "n" not in value.lower():
                raise EvaluationError("overflow", "the number is beyond the range of a double")
            return number
        raise invalid("the text is not a number")
    no_overload("double", value)


def to_bool(value: Any) -> bool:
    """`bool(x)`."""
    if type(value) is bool:
        return value
    if type(value) is str:
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise invalid("the text is neither `true` nor `false`")
    no_overload("bool", value)


def to_bytes(value: Any) -> bytes:
    """`bytes(x)`: text as UTF-8."""
    if type(value) is bytes:
        return value
    if type(value) is str:
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise invalid("the text holds half a surrogate pair") from None
    no_overload("bytes", value)


def to_string(value: Any) -> str:
    """`string(x)`."""
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is UInt:
        return str(int(value))
    if kind is float:
        return double_text(value)
    if kind is bytes:
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            raise invalid("the bytes are not UTF-8") from None
    if kind is Timestamp:
        return timestamp_text(value)
    if kind is Duration:
        return duration_text(value)
    if kind is TypeValue:
        return str(value.name)
    if isinstance(value, Opaque):
        return str(value)
    no_overload("string", value)


def to_timestamp(value: Any) -> Timestamp:
    """`timestamp(x)` of RFC 3339 text with a zone, or of seconds since the epoch."""
    if type(value) is Timestamp:
        return value
    if type(value) is int:
        return checked_timestamp(value * NANOS_PER_SECOND)
    if type(value) is str:
        return _read_timestamp(value)
    no_overload("timestamp", value)


def to_duration(value: Any) -> Duration:
    """`duration(x)` of text such as `1h30m` or `-1.5s`; units `h m s ms us ns`."""
    if type(value) is Duration:
        return value
    if type(value) is str:
        return _read_duration(value)
    no_overload("duration", value)


def double_text(value: float) -> str:
    """A double as cel-go and cel-cpp write it: the fewest digits, an exponent from 1e+06 and below 1e-04."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    power = len(digits) - 1 + int(exponent)
    if value != 0.0 and not -4 <= power < 6:
        figures = "".join(map(str, digits))
        point = "." if len(figures) > 1 else ""
        return f"{'-' if sign else ''}{figures[0]}{point}{figures[1:]}e{power:+03d}"
    return repr(value).removesuffix(".0")


def timestamp_text(value: Timestamp) -> str:
    """RFC 3339 in UTC with as many digits of a second as it takes."""
    seconds, nanos = divmod(value.nanos, NANOS_PER_SECOND)
    moment = datetime_of(Timestamp(seconds * NANOS_PER_SECOND))
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}{_fraction(nanos)}Z"


def duration_text(value: Duration) -> str:
    """Seconds with as many digits as it takes: `90s`, `-0.2s`."""
    seconds, nanos = divmod(abs(value.nanos), NANOS_PER_SECOND)
    return f"{'-' if value.nanos < 0 else ''}{seconds}{_fraction(nanos)}s"


def _fraction(nanos: int) -> str:
    return f".{nanos:09d}".rstrip("0") if nanos else ""


def _read_timestamp(text: str) -> Timestamp:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise invalid("the text is not a timestamp like `2026-01-31T09:30:00Z`")
    year, month, day, hour, minute, second = (int(part) for part in match.group(1, 2, 3, 4, 5, 6))
    fraction, sign, offset_hours, offset_minutes = match.group(7, 8, 9, 10)
    offset = (int(offset_hours) * 60 + int(offset_minutes)) * (-1 if sign == "-" else 1) if sign else 0
    if hour > 23 or minute > 59 or second > 59 or abs(offset) >= 24 * 60 or int(offset_minutes or 0) > 59:
        raise invalid("the text is not a timestamp: no clock shows that time")
    try:
        days = date(year, month, day).toordinal() - _EPOCH_DAY
    except ValueError:
        raise invalid("the text is not a timestamp: no calendar has that day") from None
    seconds = ((days * 24 + hour) * 60 + minute - offset) * 60 + second
    return checked_timestamp(seconds * NANOS_PER_SECOND + int((fraction or "0").ljust(9, "0")))


def _read_duration(text: str) -> Duration:
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return Duration(0)
    if not rest or len(rest) > 200:
        raise invalid("the text is not a duration like `1h30m`")
    nanos, place = 0, 0
    while place < len(rest):
        match = _DURATION_PART.match(rest, place)
        if match is None or not (match[1] or match[2]):
            raise invalid("the text is not a duration like `1h30m`")
        unit = _UNIT_NANOS[match[3]]
        nanos += int(match[1] or "0") * unit + int(match[2] or "0") * unit // 10 ** len(match[2] or "")
        place = match.end()
    return checked_duration(sign * nanos)
