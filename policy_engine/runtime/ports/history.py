"""Calls kept across runs. Implemented in `policy_engine/stores`, plugged in at `assembly`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class HistoryStore(Protocol):
    """Calls kept across runs: for each history and key, those not older than the history keeps them. Thread-safe.

    An element is what conditions read of a call, in engine values: `{tool, args, result, outcome, at, labels, id}`.
    Whatever a method raises makes the decision that asked refuse.
    """

    def begin(self) -> str:
        """A name for a run that no other run has, in whatever process that uses the same store."""
        ...

    def put(self, history: str, key: str, call: str, element: Mapping[str, Any], *, keep_nanos: int) -> None:
        """Keep a call; one kept before under the same `call` (a name that no other call has) has gone on to this."""
        ...

    def get(self, history: str, key: str, *, since_nanos: int, most: int) -> list[dict[str, Any]]:
        """The calls made at `since_nanos` or later, in the order they were begun; at most `most + 1` of them."""
        ...
