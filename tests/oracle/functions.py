"""The functions of CEL that policies and tests use, for the oracle: by name, over values, `Err` for anything unfit."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import cmp_to_key
from typing import Any
from zoneinfo import ZoneInfo

import re2

from policy_engine.base.values import NONE, Duration, Optional, Timestamp, TypeValue
from tests.oracle.values import NUMBERS, Err, arithmetic, equal, integer, kind, moment, order, span, unsigned

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "µs": 10**3, "ns": 1}
TYPE_NAMES = {
    "null": "null_type", "timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration",
    "optional": "optional_type",
}  # fmt: skip
SPECIAL = ("NaN", "Infinity", "+Infinity", "-Infinity", "Inf", "+Inf", "-Inf")
Table = dict[tuple[str, ...], Callable[..., Any]]


class NotCovered(Exception):
    """The oracle has no such function: the case is skipped, never judged."""


def call(name: str, method: bool, values: list[Any]) -> Any:
    """The function's value for these arguments (receiver first)."""
    kinds = tuple(kind(value) for value in values)
    if name in ANY:
        try:
            return ANY[name](*values)
        except TypeError:
            return Err(f"no {name} of {kinds}")
    table = TABLE.get(name)
    if table is None:
        raise NotCovered(name)
    for pattern, body in table.items():
        if len(pattern) == len(kinds) and all(want in ("any", have) for want, have in zip(pattern, kinds, strict=True)):
            return body(*values)
    return Err(f"no {name} of {kinds}")


# ------------------------------------------------------------------ conversions
def to_int(value: Any) -> Any:
    k = kind(value)
    if k in ("int", "uint"):
        return integer(int(value))
    if k == "double":
        if value != value or not -(2.0**63) < value < 2.0**63:
            return Err("out of range")
        return int(value)
    if k == "string":
        return integer(int(value)) if re.fullmatch(r"[+-]?[0-9]+", value) else Err("no whole number")
    return value.nanos // 10**9 if k == "timestamp" else Err("no int of this")


def to_uint(value: Any) -> Any:
    k = kind(value)
    if k in ("int", "uint"):
        return unsigned(int(value))
    if k == "double":
        return unsigned(int(value)) if 0 <= value < 2.0**64 else Err("out of range")
    if k == "string":
        return unsigned(int(value)) if re.fullmatch(r"[0-9]+", value) else Err("no whole number")
    return Err("no uint of this")


def to_double(value: Any) -> Any:
    k = kind(value)
    if k in NUMBERS:
        return float(value)
    if k == "string":
        if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", value) or value in SPECIAL:
            return float(value)
        return Err("no number")
    return Err("no double of this")


def to_string(value: Any) -> Any:
    k = kind(value)
    if k == "bool":
        return "true" if value else "false"
    if k in ("int", "uint"):
        return str(int(value))
    if k == "string":
        return value
    if k == "double":
        return double_text(value)
    if k == "bytes":
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return Err("no UTF-8")
    if k == "duration":
        return f"{format(Decimal(value.nanos).scaleb(-9).normalize(), 'f')}s" if value.nanos else "0s"
    if k == "timestamp":
        seconds, fraction = divmod(value.nanos, 10**9)
        text = (EPOCH + timedelta(seconds=seconds)).strftime("%m-%dT%H:%M:%S")
        year = (EPOCH + timedelta(seconds=seconds)).year
        return f"{year:04d}-{text}{f'.{fraction:09d}'.rstrip('0') if fraction else ''}Z"
    return Err("no string of this")


def double_text(value: float) -> str:
    """As Go's `FormatFloat(v, 'g', -1, 64)`: shortest digits, an exponent below -4 and from 21 on."""
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[repr(value)]
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    point = len(text) + exponent
    minus = "-" if sign else ""
    if value == 0:
        return f"{minus}0"
    if point - 1 < -4 or point - 1 >= 21:
        return f"{minus}{text[0]}{'.' + text[1:] if text[1:] else ''}e{'+' if point > 0 else '-'}{abs(point - 1):02d}"
    return minus + format(Decimal(text).scaleb(exponent), "f")


def to_bool(value: Any) -> Any:
    if kind(value) == "bool":
        return value
    if kind(value) != "string":
        return Err("no bool of this")
    if value in ("true", "True", "TRUE", "t", "1"):
        return True
    return False if value in ("false", "False", "FALSE", "f", "0") else Err("no truth value")


def to_timestamp(value: Any) -> Any:
    if kind(value) == "timestamp":
        return value
    if kind(value) == "int":
        return moment(value * 10**9)
    found = re.fullmatch(
        r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})", value
    ) if kind(value) == "string" else None  # fmt: skip
    if found is None:
        return Err("no timestamp")
    try:
        whole = datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00")
        offset = zone(found[4]).utcoffset(None) if found[4] != "Z" else timedelta(0)
    except ValueError:
        return Err("no timestamp")
    assert offset is not None
    seconds = (whole - EPOCH) // timedelta(seconds=1) - offset // timedelta(seconds=1)
    return moment(seconds * 10**9 + int((found[3] or ".0")[1:].ljust(9, "0")))


def to_duration(value: Any) -> Any:
    if kind(value) == "duration":
        return value
    if kind(value) != "string":
        return Err("no duration")
    if value in ("0", "+0", "-0"):
        return Duration(0)
    found = re.fullmatch(r"([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:h|ms|us|µs|ns|m|s))+)", value)
    if found is None:
        return Err("no duration")
    total = sum(
        int(Decimal(number) * UNITS[unit]) for number, unit in re.findall(r"([\d.]+)(h|ms|us|µs|ns|m|s)", found[2])
    )
    return span(-total if found[1] == "-" else total)


# ------------------------------------------------------------------ text
def index_of(text: str, part: str, start: int = 0) -> Any:
    return text.find(part, start) if 0 <= start <= len(text) else Err("index")


def last_index_of(text: str, part: str, upto: int | None = None) -> Any:
    if upto is None:
        return text.rfind(part)
    if not 0 <= upto <= len(text):
        return Err("index")
    return max((place for place in range(upto + 1) if text[place:].startswith(part)), default=-1)


def substring(text: str, start: int, end: int | None = None) -> Any:
    stop = len(text) if end is None else end
    return text[start:stop] if 0 <= start <= stop <= len(text) else Err("index")


def char_at(text: str, place: int) -> Any:
    return text[place : place + 1] if 0 <= place <= len(text) else Err("index")


def replace(text: str, old: str, new: str, times: int = -1) -> str:
    return text.replace(old, new, times if times >= 0 else -1)


def split(text: str, separator: str, pieces: int = -1) -> list[str]:
    if pieces == 0:
        return []
    parts = list(text) if separator == "" else text.split(separator)
    if 0 < pieces < len(parts):
        parts = [*parts[: pieces - 1], separator.join(parts[pieces - 1 :])]
    return parts


def join(parts: list[Any], separator: str = "") -> Any:
    return separator.join(parts) if all(kind(part) == "string" for part in parts) else Err("not all are texts")


def matches(text: str, pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options).search(text) is not None
    except re2.error:
        return Err("no RE2 pattern")


def ascii_case(text: str, upper: bool) -> str:
    return "".join((c.upper() if upper else c.lower()) if c.isascii() else c for c in text)


# ------------------------------------------------------------------ lists
def extreme(values: list[Any], sign: int) -> Any:
    """The greatest (`sign` 1) or least, the first of equals."""
    if not values:
        return Err("empty")
    best = values[0]
    if order(best, best) != 0:
        return Err("no order")
    for value in values[1:]:
        place = order(value, best)
        if place is None or isinstance(place, Err):
            return Err("no order")
        if place == sign:
            best = value
    return best


def total(values: list[Any], start: Any = 0) -> Any:
    """One type; an empty list is the start."""
    if start == 0 and kind(start) == "int" and values:
        start, values = values[0], values[1:]
        if kind(start) not in (*NUMBERS, "duration"):
            return Err("no sum")
    result = start
    for value in values:
        if kind(value) != kind(result):
            return Err("no sum")
        result = arithmetic("+", result, value)
        if isinstance(result, Err):
            return result
    return result


def distinct(values: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for value in values:
        if not any(equal(value, other) for other in kept):
            kept.append(value)
    return kept


def sort_by(values: list[Any], keys: list[Any]) -> Any:
    """Stable; keys of one kind that has an order."""
    for key in keys:
        if isinstance(key, Err):
            return key
    if any(order(keys[0], key) is None or isinstance(order(keys[0], key), Err) for key in keys):
        return Err("no order")

    def before(one: tuple[Any, Any], other: tuple[Any, Any]) -> int:
        place = order(one[0], other[0])
        return place if isinstance(place, int) else 0

    pairs = list(zip(keys, values, strict=True))
    return [value for _, value in sorted(pairs, key=cmp_to_key(before))]


def slice_of(values: list[Any], start: int, end: int) -> Any:
    return values[start:end] if 0 <= start <= end else Err("index")


# ------------------------------------------------------------------ time
def zone(name: str) -> tzinfo:
    found = re.fullmatch(r"([+-]?)(\d{2}):(\d{2})", name)
    if found:
        if int(found[2]) > 23 or int(found[3]) > 59:
            raise ValueError
        away = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return timezone(-away if found[1] == "-" else away)
    return ZoneInfo(name)


def clock(value: Timestamp, name: str) -> datetime:
    return (EPOCH + timedelta(microseconds=value.nanos // 1000)).astimezone(zone(name))


def part(read: Callable[[datetime], int]) -> Table:
    def body(value: Timestamp, name: str = "UTC") -> Any:
        try:
            return read(clock(value, name))
        except Exception:
            return Err("no zone")

    return {("timestamp",): body, ("timestamp", "string"): body}


def _cut(value: Duration, unit: int) -> int:
    return abs(value.nanos) // unit * (-1 if value.nanos < 0 else 1)


# ------------------------------------------------------------------ the table
def same(value: Any) -> Any:
    return value


def _of_kind(value: Any) -> TypeValue:
    return TypeValue(TYPE_NAMES.get(kind(value), kind(value)))


def _non_zero(value: Any) -> Optional:
    zeros: tuple[Any, ...] = (None, False, 0, "", b"", [], {}, Duration(0))
    zero = any(equal(value, empty) for empty in zeros)
    return NONE if zero else Optional(True, value)


def _number_extreme(values: list[Any], sign: int) -> Any:
    listed = values[0] if len(values) == 1 and kind(values[0]) == "list" else values
    if any(kind(value) not in NUMBERS for value in listed):
        return Err("no numbers")
    return extreme(list(listed), sign)


ANY: dict[str, Callable[..., Any]] = {
    "type": _of_kind, "dyn": same, "int": to_int, "uint": to_uint, "double": to_double, "string": to_string,
    "bool": to_bool, "timestamp": to_timestamp, "duration": to_duration,
    "optional.of": lambda value: Optional(True, value), "optional.none": lambda: NONE,
    "optional.ofNonZeroValue": _non_zero,
    "math.greatest": lambda *values: _number_extreme(list(values), 1),
    "math.least": lambda *values: _number_extreme(list(values), -1),
}  # fmt: skip
TABLE: dict[str, Table] = {
    "size": {("string",): len, ("bytes",): len, ("list",): len, ("map",): len},
    "bytes": {("bytes",): same, ("string",): lambda text: text.encode("utf-8")},
    "contains": {("string", "string"): lambda a, b: b in a},
    "startsWith": {("string", "string"): lambda a, b: a[: len(b)] == b},
    "endsWith": {("string", "string"): lambda a, b: b == "" or a[-len(b) :] == b},
    "matches": {("string", "string"): matches},
    "charAt": {("string", "int"): char_at},
    "indexOf": {("string", "string"): index_of, ("string", "string", "int"): index_of},
    "lastIndexOf": {("string", "string"): last_index_of, ("string", "string", "int"): last_index_of},
    "substring": {("string", "int"): substring, ("string", "int", "int"): substring},
    "replace": {("string",) * 3: replace, ("string", "string", "string", "int"): replace},
    "split": {("string",) * 2: split, ("string", "string", "int"): split},
    "join": {("list",): join, ("list", "string"): join},
    "trim": {("string",): str.strip},
    "lowerAscii": {("string",): lambda text: ascii_case(text, False)},
    "upperAscii": {("string",): lambda text: ascii_case(text, True)},
    "reverse": {("string",): lambda text: text[::-1], ("list",): lambda values: values[::-1]},
    "hasValue": {("optional",): lambda value: value.present},
    "value": {("optional",): lambda value: value.value if value.present else Err("absent")},
    "sum": {("list",): total, ("list", "any"): total},
    "max": {("list",): lambda values: extreme(values, 1)},
    "min": {("list",): lambda values: extreme(values, -1)},
    "distinct": {("list",): distinct},
    "sort": {("list",): lambda values: sort_by(values, values) if values else []},
    "slice": {("list", "int", "int"): slice_of},
    "math.abs": {("int",): lambda n: integer(abs(n)), ("uint",): same, ("double",): abs},
    "getFullYear": part(lambda t: t.year),
    "getMonth": part(lambda t: t.month - 1),
    "getDate": part(lambda t: t.day),
    "getDayOfMonth": part(lambda t: t.day - 1),
    "getDayOfWeek": part(lambda t: t.isoweekday() % 7),
    "getDayOfYear": part(lambda t: t.timetuple().tm_yday - 1),
    "getHours": {**part(lambda t: t.hour), ("duration",): lambda d: _cut(d, 3600 * 10**9)},
    "getMinutes": {**part(lambda t: t.minute), ("duration",): lambda d: _cut(d, 60 * 10**9)},
    "getSeconds": {**part(lambda t: t.second), ("duration",): lambda d: _cut(d, 10**9)},
    "getMilliseconds": {**part(lambda t: t.microsecond // 1000), ("duration",): lambda d: _cut(d, 10**6) % 1000},
    "date": {
        ("timestamp",): lambda t: clock(t, "UTC").date().isoformat(),
        ("timestamp", "string"): lambda t, name: clock(t, name).date().isoformat(),
    },
}
