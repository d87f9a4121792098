"""`size`, `type`, `dyn` and the conversions of cel-spec's standard library."""

from __future__ import annotations

from typing import Any, Final

from policy_engine.base.values import TypeValue
from policy_engine.semantics.functions.conversions import (
    to_bool,
    to_bytes,
    to_double,
    to_duration,
    to_int,
    to_string,
    to_timestamp,
    to_uint,
)
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.signatures import counted, examples, takes, typed
from policy_engine.semantics.operations import type_name
from policy_engine.semantics.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    TYPE,
    UINT,
    ListType,
    MapType,
    OpaqueType,
    TypeVariable,
)

_A: Final = TypeVariable("A")
_B: Final = TypeVariable("B")


def type_of(value: Any) -> TypeValue:
    """`type(x)`."""
    return TypeValue(type_name(value))


def _itself(value: Any) -> Any:
    return value


SIZE: Final = Function(
    "size",
    (
        takes(STRING, to=INT),
        takes(BYTES, to=INT),
        takes(ListType(_A), to=INT),
        takes(MapType(_A, _B), to=INT),
    ),
    "How many characters a text, bytes a byte string, elements a list, entries a map has.",
    examples(("size('größe')", "5"), ("size(b'gr')", "2"), ("[1, 2, 3].size()", "3"), ("{'a': 1}.size()", "1")),
    typed("size", len, (str,), (bytes,), (list,), (dict,)),
    method=True,
    both=True,
)
TYPE_OF: Final = Function(
    "type",
    (takes(DYN, to=TYPE),),
    "The type of a value, to be compared with `int`, `string`, `map` …",
    examples(("type(1) == int", "true"), ("type(1u) == type(1)", "false")),
    counted("type", type_of, 1),
)
DYNAMIC: Final = Function(
    "dyn",
    (takes(DYN, to=DYN),),
    "The value itself, with its type forgotten: the checker lets it be used as anything, and errors come when it runs.",
    examples(
        ("dyn(1) == dyn('1')", "false"),
    ),
    counted("dyn", _itself, 1),
)
TO_INT: Final = Function(
    "int",
    (
        takes(INT, to=INT),
        takes(UINT, to=INT),
        takes(DOUBLE, to=INT),
        takes(STRING, to=INT),
        takes(TIMESTAMP, to=INT),
    ),
    "A whole number: a double is cut towards zero, a timestamp counted in seconds since 1970, a text read.",
    examples(("int(-7.9)", "-7"), ("int('987')", "987"), ("int(timestamp('1970-01-01T00:01:00Z'))", "60")),
    counted("int", to_int, 1),
)
TO_UINT: Final = Function(
    "uint",
    (takes(INT, to=UINT), takes(UINT, to=UINT), takes(DOUBLE, to=UINT), takes(STRING, to=UINT)),
    "An unsigned whole number; an error for anything below zero.",
    examples(("uint(7)", "7u"), ("uint('300')", "300u")),
    counted("uint", to_uint, 1),
)
TO_DOUBLE: Final = Function(
    "double",
    (takes(DOUBLE, to=DOUBLE), takes(INT, to=DOUBLE), takes(UINT, to=DOUBLE), takes(STRING, to=DOUBLE)),
    "A double: the nearest one to a whole number, or read from a text.",
    examples(("double(3)", "3.0"), ("double('-4.5e-3')", "-0.0045")),
    counted("double", to_double, 1),
)
TO_BOOL: Final = Function(
    "bool",
    (takes(BOOL, to=BOOL), takes(STRING, to=BOOL)),
    "A truth value read from `true`, `True`, `TRUE`, `t`, `1` and their opposites; any other text is an error.",
    examples(("bool('true')", "true"), ("bool('0')", "false")),
    counted("bool", to_bool, 1),
)
TO_BYTES: Final = Function(
    "bytes",
    (takes(BYTES, to=BYTES), takes(STRING, to=BYTES)),
    "The UTF-8 bytes of a text.",
    examples(
        ("bytes('ÿ')", r"b'\xc3\xbf'"),
    ),
    counted("bytes", to_bytes, 1),
)
TO_STRING: Final = Function(
    "string",
    tuple(
        takes(kind, to=STRING)
        for kind in (
            STRING,
            BOOL,
            INT,
            UINT,
            DOUBLE,
            BYTES,
            TIMESTAMP,
            DURATION,
            OpaqueType("net.IP"),
            OpaqueType("net.CIDR"),
        )
    ),
    "A text: numbers in decimal, bytes read as UTF-8, timestamps in RFC 3339, durations in seconds.",
    examples(("string(-4.5e-3)", "'-0.0045'"), ("string(b'abc')", "'abc'"), ("string(duration('1m30s'))", "'90s'")),
    counted("string", to_string, 1),
)
TO_TIMESTAMP: Final = Function(
    "timestamp",
    (takes(TIMESTAMP, to=TIMESTAMP), takes(STRING, to=TIMESTAMP), takes(INT, to=TIMESTAMP)),
    "A moment read from RFC 3339 text with its zone, or counted in seconds since 1970.",
    examples(
        ("timestamp('2026-01-31T10:30:00+01:00') == timestamp('2026-01-31T09:30:00Z')", "true"),
    ),
    counted("timestamp", to_timestamp, 1),
)
TO_DURATION: Final = Function(
    "duration",
    (takes(DURATION, to=DURATION), takes(STRING, to=DURATION)),
    "A length of time read from text such as `1h30m`, `-1.5s`; units `h m s ms us ns`.",
    examples(
        ("duration('1h30m') == duration('90m')", "true"),
    ),
    counted("duration", to_duration, 1),
)

FUNCTIONS: Final = (
    SIZE,
    TYPE_OF,
    DYNAMIC,
    TO_INT,
    TO_UINT,
    TO_DOUBLE,
    TO_BOOL,
    TO_BYTES,
    TO_STRING,
    TO_TIMESTAMP,
    TO_DURATION,
)
