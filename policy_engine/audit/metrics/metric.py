"""What every metric is, and the few things that all of them do with a record's body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

from policy_engine.audit.metrics.told import Told
from policy_engine.base.records import RecordKind


class Metric(Protocol):
    """Counts something of the records it is about. `name` is its key in the result of `Stats`."""

    name: ClassVar[str]
    kinds: ClassVar[tuple[RecordKind, ...]]

    def add(self, record: Told) -> None:
        """Count a record of one of `kinds`."""
        ...

    def merge(self, other: Self) -> None:
        """Count what another has counted; the other stays as it is."""
        ...

    def result(self) -> dict[str, Any]:
        """What was counted, JSON-like; None where there is nothing to divide by."""
        ...


def share(part: int, whole: int) -> float | None:
    """A part of a whole as 0…1, None of nothing."""
    return part / whole if whole else None


def text(body: Mapping[str, Any], key: str) -> str:
    """A word of a body; what is no text counts under a name that no rule or tool can have."""
    value = body.get(key)
    return value if isinstance(value, str) else "(none)"


def number(body: Mapping[str, Any], key: str) -> int:
    """A whole number of a body, 0 where there is none."""
    value = body.get(key)
    return value if type(value) is int else 0


def texts(body: Mapping[str, Any], key: str) -> list[str]:
    """The words of a list of a body."""
    value = body.get(key)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list | tuple) else []
