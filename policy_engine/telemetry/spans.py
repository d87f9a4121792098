"""Spans of runs, calls, steps and answers. Nothing here ever raises: telemetry is not worth a call."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from policy_engine.base.version import ENGINE_VERSION
from policy_engine.runtime.ports.telemetry import Operation, Span
from policy_engine.telemetry.attributes import passing
from policy_engine.telemetry.presence import Presence, of_api

SCOPE: Final = "policy_engine"
"""The name of our instrumentation scope."""
MAX_NAME: Final = 200
"""Characters of the part of a span's name that an agent can choose: it may invent tools."""
_NAMED: Final[Mapping[Operation, str]] = {"execute_tool": "gen_ai.tool.name", "invoke_agent": "gen_ai.agent.name"}


class OpenTelemetry:
    """Implements `runtime.ports.telemetry.Telemetry`.

    Without a `tracer_provider` the global one is used, also one that is installed later. `values=True` tells the arguments and
    results of calls too, where the mediation hands them over: they may hold secrets and personal data.
    """

    def __init__(
        self, *, tracer_provider: trace.TracerProvider | None = None, values: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._provider = tracer_provider
        self._values = values
        self._present = Presence(self._installed, clock)
        self._tracer: trace.Tracer | None = None

    def _installed(self) -> bool:
        provider = self._provider if self._provider is not None else trace.get_tracer_provider()
        if of_api(provider):
            return False
        self._tracer = provider.get_tracer(SCOPE, ENGINE_VERSION)
        return True

    def begin(self, operation: Operation, name: str, attributes: Mapping[str, Any]) -> Span | None:
        """A span, a child of the current one; None where no SDK is installed. A span that was not sampled is still one, so that
        what the tool begins is not sampled either."""
        try:
            if (self._tracer is None and not self._present()) or self._tracer is None:
                return None
            known = dict(passing(attributes, values=self._values))
            if operation in _NAMED:
                known["gen_ai.operation.name"] = operation
                known.setdefault(_NAMED[operation], name[:MAX_NAME])
            else:
                known["policy.event"] = f"@{operation}"
            if operation == "execute_tool":
                known.setdefault("gen_ai.tool.type", "function")
            span = self._tracer.start_span(f"{operation} {name[:MAX_NAME]}", kind=SpanKind.INTERNAL, attributes=known)
            return _Span(span, values=self._values)
        except Exception:  # an SDK, sampler or processor that fails
            return None


class _Span:
    """Implements `runtime.ports.telemetry.Span`."""

    __slots__ = ("_over", "_span", "_values")

    def __init__(self, span: trace.Span, *, values: bool) -> None:
        self._span = span
        self._values = values
        self._over = False

    def current(self) -> AbstractContextManager[trace.Span]:
        """Within it this span is the parent of others; what is raised within passes through and is not recorded."""
        return trace.use_span(self._span, end_on_exit=False, record_exception=False, set_status_on_exception=False)

    def tell(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes."""
        try:
            if self._span.is_recording():
                self._span.set_attributes(dict(passing(attributes, values=self._values)))
        except Exception:  # as in `begin`
            return

    def end(self, error: str | None = None) -> None:
        """End it, once; `error` is told as `error.type`, and no message: messages hold values."""
        if self._over:
            return
        self._over = True
        try:
            if error is not None:
                self._span.set_attribute("error.type", error[:MAX_NAME])
                self._span.set_status(Status(StatusCode.ERROR))
            self._span.end()
        except Exception:  # as in `begin`
            return
