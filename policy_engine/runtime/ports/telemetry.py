"""Where spans go. Implemented in `policy_engine/telemetry`; without it nothing is paid."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal as OneOf, Protocol, TypeAlias

Operation: TypeAlias = OneOf["invoke_agent", "execute_tool", "step", "answer"]


class Span(Protocol):
    """Something that is going on."""

    def current(self) -> AbstractContextManager[Any]:
        """Within it, spans that others begin are children of this one, also in threads that copy the context."""
        ...

    def tell(self, attributes: Mapping[str, Any]) -> None:
        """What became known meanwhile."""
        ...

    def end(self, error: str | None = None) -> None:
        """It is over; `error` is the class of what went wrong."""
        ...


class Telemetry(Protocol):
    """Begins spans."""

    def begin(self, operation: Operation, name: str, attributes: Mapping[str, Any]) -> Span | None:
        """A span, or None where nobody records. Never raises."""
        ...
