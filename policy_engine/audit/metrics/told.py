"""What metrics read: a record as the mediation tells it, as a log gives it back, or as a line of an export holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Told(Protocol):
    """One record; `base/records.py` says what the body of each kind holds. `at` is nanoseconds since the epoch."""

    @property
    def kind(self) -> str:
        """One of `base.records.RecordKind`."""
        ...

    @property
    def at(self) -> int:
        """Nanoseconds since the epoch."""
        ...

    @property
    def run(self) -> str:
        """The run."""
        ...

    @property
    def call(self) -> str | None:
        """The host's id of the call."""
        ...

    @property
    def body(self) -> Mapping[str, Any]:
        """What happened."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """A record from a line of an export."""

    kind: str
    at: int
    run: str
    call: str | None
    body: Mapping[str, Any]


def line_of(data: object) -> Line:
    """The record of a parsed line `{"kind", "at", "run", "call", "body"}`, whatever else it holds.

    Raises `ValueError`, in words for people, where it is none.
    """
    if not isinstance(data, dict):
        raise ValueError("it is no object")
    kind, at, run, call, body = (data.get(name) for name in ("kind", "at", "run", "call", "body"))
    if not isinstance(kind, str) or type(at) is not int or not isinstance(run, str) or not isinstance(body, dict):
        raise ValueError("a record has `kind`, `at` (nanoseconds), `run` and `body`")
    if call is not None and not isinstance(call, str):
        raise ValueError("`call` is the id of a call")
    return Line(kind, at, run, call, body)
