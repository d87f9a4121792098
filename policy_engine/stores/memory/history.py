"""Calls kept across runs, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any, Final

from policy_engine.base.errors import EvaluationError

MAX_KEPT_CALLS: Final = 1_000_000
"""Calls that one store keeps; beyond it every question is an error until some are too old to count."""


class MemoryHistory:
    """Implements `runtime.ports.history.HistoryStore`. Give one to several policies to let them share what they saw."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
        self._count = 0
        self._runs = 0
        self._full = False

    def begin(self) -> str:
        """A name for a run: a number."""
        with self._lock:
            self._runs += 1
            return str(self._runs)

    def put(self, history: str, key: str, call: str, element: Mapping[str, Any], *, keep_nanos: int) -> None:
        """Keep a call; what is too old by its time goes."""
        with self._lock:
            kept = self._calls.setdefault((history, key), {})
            if call not in kept:
                self._drop(kept, element["at"].nanos - keep_nanos)
                self._full = self._count >= MAX_KEPT_CALLS
                if self._full:
                    return
                self._count += 1
            kept[call] = dict(element)

    def _drop(self, kept: dict[str, dict[str, Any]], before_nanos: int) -> None:
        """Forget the oldest ones; they stand first."""
        while kept:
            oldest = next(iter(kept))
            if kept[oldest]["at"].nanos >= before_nanos:
                return
            del kept[oldest]
            self._count -= 1

    def get(self, history: str, key: str, *, since_nanos: int, most: int) -> list[dict[str, Any]]:
        """The calls made since then."""
        with self._lock:
            if self._full:
                raise EvaluationError("too_costly", "more calls would have to be kept across runs than there is room for")
            kept = self._calls.get((history, key), {})
            found: list[dict[str, Any]] = []
            for element in kept.values():
                if element["at"].nanos >= since_nanos:
                    found.append(element)
                    if len(found) > most:
                        break
            return found
