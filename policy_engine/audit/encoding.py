"""Values ↔ JSON, exactly: what was kept is what was decided, whatever CEL or Python types it has.

Plain JSON values stand as they are. Anything else is an object with one key that begins with `$`: `{"$timestamp": 5}` …
Objects whose own keys begin so, or are no texts, are written as `{"$map": [[key, value], …]}`. Obligations of a decision are
written as maps, and come back as such.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import orjson

from policy_engine.base.decision import Ask, Label, Recorded, Reserve, Tier, Timeout, Window
from policy_engine.base.request import Agent, Approval, Principal
from policy_engine.base.values import Duration, Optional, Timestamp, TypeValue, UInt

_INT64: Final = range(-(1 << 63), 1 << 63)
_MICROSECOND: Final = timedelta(microseconds=1)
_MOST_DEPTH: Final = 200
_STRICTLY: Final = (
    orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
)


class Unreadable:
    """Stands for a value that no record can hold: an object of the host's own. `kind` is the name of its class."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        return f"<unreadable {self.kind}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unreadable) and other.kind == self.kind

    __hash__ = None  # type: ignore[assignment]


canonical: Final[Callable[[Any], bytes]] = partial(orjson.dumps, option=orjson.OPT_SORT_KEYS)
"""The bytes of JSON-like data: the same for the same data, whatever the order of its keys."""
written: Final[Callable[[Any], bytes]] = orjson.dumps
"""The bytes of JSON-like data with its keys as they stand: what is read of them and written again is the same."""
parsed: Final[Callable[[bytes], Any]] = orjson.loads
"""JSON-like data of bytes; raises `ValueError`."""


def encoded(value: Any) -> tuple[Any, bytes]:
    """JSON-like data that stands for any value, and its bytes. Never raises: what cannot be kept is told as such.

    The order of keys is kept: conditions may see it.

    Most values are plain JSON already, which their bytes show: no `null` that may have been NaN, no key with a `$`.
    """
    if value is None or value is True or value is False:
        return value, orjson.dumps(value)
    try:
        raw = orjson.dumps(value, option=_STRICTLY)
        if b"null" not in raw and b'"$' not in raw:
            return value, raw
    except (TypeError, ValueError, RecursionError):
        pass
    data = to_json(value)
    return data, orjson.dumps(data)


def to_json(value: Any, depth: int = 0) -> Any:
    """JSON-like data that stands for the value; plain parts are not copied."""
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _text(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        return value if -(1 << 63) <= value < 1 << 64 else {"$int": str(value)}
    if kind is float:
        return value if math.isfinite(value) else {"$float": str(value)}
    if depth > _MOST_DEPTH:
        return {"$unreadable": "too deep"}
    if kind is dict:
        return _map(value, depth + 1)
    if kind is list or kind is tuple:
        return [to_json(item, depth + 1) for item in value]
    return _special(value, depth + 1)


def _text(value: str) -> Any:
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a character
        return {"$text": base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()}
    return value


def _map(value: Mapping[Any, Any], depth: int) -> Any:
    made = {}
    for key, item in value.items():
        if type(key) is not str or key[:1] == "$" or type(_text(key)) is not str:
            return {"$map": [[to_json(key, depth), to_json(item, depth)] for key, item in value.items()]}
        made[key] = to_json(item, depth)
    return made


def _special(value: Any, depth: int) -> Any:
    match value:
        case UInt():
            return {"$uint": str(int(value))}
        case Timestamp():
            return {"$timestamp": value.nanos if value.nanos in _INT64 else str(value.nanos)}
        case Duration():
            return {"$duration": value.nanos if value.nanos in _INT64 else str(value.nanos)}
        case bytes():
            return {"$bytes": base64.b64encode(value).decode()}
        case TypeValue():
            return {"$type": value.name}
        case Optional():
            return {"$optional": [to_json(value.value, depth)] if value.present else []}
        case datetime():
            return {"$datetime": value.isoformat()}
        case timedelta():
            return {"$timedelta": str(value // _MICROSECOND)}
        case Agent():
            return {"$agent": _map(value.fields, depth)}
        case Principal():
            return {"$principal": _map(value.fields, depth)}
        case Approval():
            return {"$approval": [
                value.rule, value.queue, value.digest, to_json(value.expires), to_json(dict(value.approver), depth),
                value.answer, value.id,
            ]}  # fmt: skip
        case Recorded():
            args = [to_json(argument, depth) for argument in value.args]
            return {"$recorded": [value.function, args, to_json(value.value, depth), value.error]}
        case Ask() | Label() | Reserve() | Tier() | Timeout() | Window():
            return _map({"kind": type(value).__name__, **{one.name: getattr(value, one.name) for one in fields(value)}}, depth)
        case Mapping():
            return _map(value, depth)
        case list() | tuple():
            return [to_json(item, depth) for item in value]
        case int():  # enum members and other subclasses are what they stand for
            return to_json(int(value), depth)
        case float():
            return to_json(float(value), depth)
        case str():
            return to_json(str.__str__(value), depth)
        case _:
            return {"$unreadable": type(value).__name__}


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "$int": int,
    "$float": float,
    "$uint": lambda data: UInt(int(data)),
    "$timestamp": lambda data: Timestamp(int(data)),
    "$duration": lambda data: Duration(int(data)),
    "$bytes": base64.b64decode,
    "$text": lambda data: base64.b64decode(data).decode("utf-8", "surrogatepass"),
    "$type": TypeValue,
    "$optional": lambda data: Optional(bool(data), from_json(data[0]) if data else None),
    "$datetime": datetime.fromisoformat,
    "$timedelta": lambda data: timedelta(microseconds=int(data)),
    "$agent": lambda data: Agent(**from_json(data)),
    "$principal": lambda data: Principal(**from_json(data)),
    "$approval": lambda data: Approval(
        rule=data[0], queue=data[1], digest=data[2], expires=from_json(data[3]), approver=from_json(data[4]),
        answer=data[5], id=data[6],
    ),
    "$recorded": lambda data: Recorded(data[0], tuple(map(from_json, data[1])), from_json(data[2]), data[3]),
    "$map": lambda data: {from_json(key): from_json(item) for key, item in data},
    "$unreadable": Unreadable,
}  # fmt: skip


def from_json(data: Any) -> Any:
    """The value that `to_json` made the data of (tuples come back as lists). Raises `ValueError` for data of nobody."""
    if type(data) is dict:
        if len(data) == 1:
            (key, inner), = data.items()
            if key[:1] == "$":
                if key not in _READERS:
                    raise ValueError(f"`{key}` stands for no value")
                try:
                    return _READERS[key](inner)
                except (TypeError, ArithmeticError, LookupError) as fault:
                    raise ValueError(f"this is no {key[1:]}: {fault}") from None
        return {key: from_json(item) for key, item in data.items()}
    if type(data) is list:
        return [from_json(item) for item in data]
    return data
