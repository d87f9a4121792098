"""Values that CEL has and plain Python lacks, and the way between both worlds.

Inside the engine a value is one of: `None bool int float str bytes list dict` and the classes below. `dict` keys are
`bool int UInt str`. Lists and dicts that came from outside were copied on entry and are never changed afterwards.
Outside, callers see plain Python: aware `datetime` for `Timestamp`, `timedelta` for `Duration`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

NANOS_PER_SECOND: Final = 1_000_000_000
MIN_TIMESTAMP_NANOS: Final = -62_135_596_800 * NANOS_PER_SECOND
"""0001-01-01T00:00:00Z in nanoseconds since the epoch."""
MAX_TIMESTAMP_NANOS: Final = 253_402_300_800 * NANOS_PER_SECOND - 1
"""9999-12-31T23:59:59.999999999Z in nanoseconds since the epoch."""
MIN_INT: Final = -(1 << 63)
MAX_INT: Final = (1 << 63) - 1
MAX_UINT: Final = (1 << 64) - 1


class UInt(int):
    """A CEL `uint`: 64 bits, unsigned. Equal to the `int` and `float` of the same value, as CEL has it.

    Raises `OverflowError` outside 0 … 2**64-1.
    """

    __slots__ = ()

    def __new__(cls, value: int) -> UInt:
        """The same number, checked."""
        if not 0 <= value <= MAX_UINT:
            raise OverflowError("a uint is between 0 and 18446744073709551615")
        return super().__new__(cls, value)

    def __repr__(self) -> str:
        return f"{int(self)}u"


@dataclass(frozen=True, slots=True, order=True, init=False)
class Timestamp:
    """A CEL `timestamp`: nanoseconds since 1970-01-01T00:00:00Z, between the years 1 and 9999."""

    nanos: int

    def __init__(self, nanos: int) -> None:
        _set_nanos(self, nanos)


_set_nanos: Final = vars(Timestamp)["nanos"].__set__
"""As the `__init__` of a frozen dataclass does it, without a search by name: each decision makes a timestamp."""


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A CEL `duration`: a signed number of nanoseconds."""

    nanos: int


@dataclass(frozen=True, slots=True)
class TypeValue:
    """What `type(x)` returns: `int`, `google.protobuf.Timestamp` …"""

    name: str


@dataclass(frozen=True, slots=True)
class Optional:
    """A CEL optional. `present` tells whether `value` means anything; `NONE` is the absent one."""

    present: bool
    value: Any = None


NONE: Final = Optional(False)
_PLAIN: Final = frozenset((type(None), bool, int, float, str, bytes))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def timestamp_of(moment: datetime | Timestamp) -> Timestamp:
    """The timestamp of an aware `datetime`; raises `ValueError` for a naive one, whose zone nobody knows."""
    if type(moment) is Timestamp:
        return moment
    assert isinstance(moment, datetime)
    if moment.tzinfo is None:
        raise ValueError("a datetime without a time zone: give it one, for example datetime.now(timezone.utc)")
    return Timestamp((moment - _EPOCH) // _MICROSECOND * 1000)


def datetime_of(timestamp: Timestamp) -> datetime:
    """The aware UTC `datetime` of a timestamp; nanoseconds below the microsecond are cut."""
    return _EPOCH + timedelta(microseconds=timestamp.nanos // 1000)


def duration_of(delta: timedelta) -> Duration:
    """The duration of a `timedelta`."""
    return Duration(delta // _MICROSECOND * 1000)


def timedelta_of(duration: Duration) -> timedelta:
    """The `timedelta` of a duration; nanoseconds below the microsecond are cut."""
    return timedelta(microseconds=duration.nanos // 1000)


def inward(value: Any) -> Any:
    """A private deep copy of a plain Python value in the engine's own terms.

    Raises `TypeError` for anything that CEL has no value for (sets, objects, naive datetimes as `ValueError`).
    Trusted callers only: arguments of tools go through the schema's normaliser instead, which also bounds sizes.
    """
    kind = type(value)
    if value is None or kind in (bool, int, float, str, bytes, UInt, Timestamp, Duration, TypeValue, Optional):
        return value
    if isinstance(value, dict):
        return {_key(key): inward(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [inward(item) for item in value]
    if isinstance(value, datetime):
        return timestamp_of(value)
    if isinstance(value, timedelta):
        return duration_of(value)
    if isinstance(value, int):  # enum members and other subclasses become plain
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes):
        return bytes(value)
    raise TypeError(f"{kind.__name__} is not a value that a policy can read")


def _key(key: Any) -> Any:
    if type(key) in (str, int, bool, UInt):
        return key
    if isinstance(key, str):
        return str(key)
    raise TypeError(f"a map key is text, a whole number or a boolean, not {type(key).__name__}")


def outward(value: Any) -> Any:
    """A fresh deep copy of an engine value as plain Python: what callers, tools and people may keep and change."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, dict):
        if _PLAIN.issuperset(map(type, value.values())):
            return value.copy()
        return {key: item if type(item) in _PLAIN else outward(item) for key, item in value.items()}
    if isinstance(value, list):
        return [outward(item) for item in value]
    if isinstance(value, Timestamp):
        return datetime_of(value)
    if isinstance(value, Duration):
        return timedelta_of(value)
    if isinstance(value, Optional):
        return outward(value.value) if value.present else None
    return value
