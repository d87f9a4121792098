"""Answers of ports that make sense. One that does not raises `Nonsense`, and the stage that asked refuses.

Stores are made by others and may be out of order: what they answer is looked at before anything rests on it.
"""

from __future__ import annotations

from typing import Any, Final, Literal as OneOf

from policy_engine.runtime.ports.counters import Admission, Full

_LONGEST: Final = (1 << 63) - 1
DIGEST_LENGTH: Final = 64
"""Of what `AuditLog.append` says, in hex."""


class Nonsense(ValueError):
    """A port answered what no port answers."""


def believed_full(answer: Any, demands: int) -> Full | None:
    """What `CounterStore.reserve` says of so many demands."""
    if answer is None:
        return None
    if type(answer) is not Full or type(answer.index) is not int or not 0 <= answer.index < demands:
        raise Nonsense("a store named a demand that there is not")
    if answer.wait is not None:
        _wait(answer.wait)
    return answer


def believed_admission(answer: Any) -> Admission:
    """What `CounterStore.admit` says."""
    if type(answer) is not Admission or answer.state not in ("closed", "probe", "open"):
        raise Nonsense("a breaker is in no state that there is")
    _wait(answer.wait)
    return answer


def believed_state(answer: Any) -> OneOf["closed", "open"]:
    """What `CounterStore.report` says."""
    if type(answer) is not str or answer not in ("closed", "open"):
        raise Nonsense("a breaker is in no state that there is")
    return answer  # type: ignore[return-value]


def believed_silence(answer: Any) -> None:
    """What methods say that say nothing: a store that answers all the same may have done anything."""
    if answer is not None:
        raise Nonsense("a store answered where nothing is to be said")


def _wait(nanos: Any) -> None:
    if type(nanos) is not int or not 0 <= nanos <= _LONGEST:
        raise Nonsense("a wait that nobody can wait")
