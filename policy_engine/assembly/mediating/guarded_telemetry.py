"""Telemetry that may fail: what it raises, or answers, stops no call. It only looks on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from policy_engine.runtime.ports.telemetry import Operation, Span, Telemetry


class GuardedTelemetry:
    """Begins spans by the telemetry that it is given. What went wrong is counted in `faults`."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self.faults = 0

    def begin(self, operation: Operation, name: str, attributes: Mapping[str, Any]) -> Span | None:
        """A span, or None where nobody records or that fails."""
        span = self.done(lambda: self._telemetry.begin(operation, name, attributes))
        return None if span is None else _GuardedSpan(span, self)

    def done(self, action: Callable[[], Any]) -> Any:
        """What it returns, or None."""
        try:
            return action()
        except Exception:
            self.faults += 1
            return None


class _GuardedSpan:
    def __init__(self, span: Span, guard: GuardedTelemetry) -> None:
        self._span = span
        self._guard = guard

    def current(self) -> AbstractContextManager[Any]:
        """As the span does, if it does."""
        return _within(self._guard.done(lambda: self._span.current()), self._guard)

    def tell(self, attributes: Mapping[str, Any]) -> None:
        """As the span does."""
        self._guard.done(lambda: self._span.tell(attributes))

    def end(self, error: str | None = None) -> None:
        """As the span does."""
        self._guard.done(lambda: self._span.end(error))


@contextmanager
def _within(context: Any, guard: GuardedTelemetry) -> Iterator[None]:
    stack = ExitStack()
    if context is not None:
        guard.done(lambda: stack.enter_context(context))
    try:
        yield
    finally:
        guard.done(stack.close)
