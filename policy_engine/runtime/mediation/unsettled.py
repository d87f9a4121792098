"""Calls whose limits could not be told how they ended, because the store failed just then. They are told when it works again,
so that no place stays taken until the process ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from policy_engine.runtime.mediation.believing import believed_silence
from policy_engine.runtime.ports.counters import CounterStore

_MOST: Final = 10_000


@dataclass(slots=True)
class Unsettled:
    """By name, what each call really used; None = it did not run."""

    calls: dict[str, Mapping[str, float] | None] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def settle(self, counters: CounterStore, call: str, amounts: Mapping[str, float] | None, now: int) -> bool:
        """Tell the store; False where it has to be told later. Raises nothing."""
        try:
            _tell(counters, call, amounts, now)
        except Exception:
            with self._lock:
                self.calls[call] = amounts
                if len(self.calls) > _MOST:
                    del self.calls[next(iter(self.calls))]
            return False
        return True

    def again(self, counters: CounterStore, now: int) -> None:
        """Tell what was not told yet, as far as the store works."""
        while self.calls:
            with self._lock:
                if not self.calls:
                    return
                call = next(iter(self.calls))
                amounts = self.calls.pop(call)
            if not self.settle(counters, call, amounts, now):
                return

    def forget(self, call: str) -> None:
        """The call counts anew under its name."""
        if call in self.calls:
            with self._lock:
                self.calls.pop(call, None)


def _tell(counters: CounterStore, call: str, amounts: Mapping[str, float] | None, now: int) -> None:
    if amounts is None:
        believed_silence(counters.refund(call, now=now))  # type: ignore[func-returns-value]
    else:
        believed_silence(counters.commit(call, amounts, now=now))  # type: ignore[func-returns-value]
