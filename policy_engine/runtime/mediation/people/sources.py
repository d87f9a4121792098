"""Where each part of an argument comes from, in words for a person: what the user said, what tools returned, what neither did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from policy_engine.base.errors import EvaluationError
from policy_engine.runtime.trace.view import RunView

SAID: Final = "said by the user"
OWN: Final = "the model's own: neither said by the user nor seen in a result"
UNKNOWN: Final = "nobody knows: the history of this run cannot tell"
NO_HISTORY: Final = "nobody knows: this call has no history"
_MOST_PLACES: Final = 5


@dataclass(frozen=True, slots=True)
class Source:
    """`words` say where a value was seen, the user's own words first; `labels` are the labels there, sorted."""

    words: tuple[str, ...]
    labels: tuple[str, ...] = ()


def source_of(value: Any, history: RunView | None) -> Source:
    """Where one leaf of the arguments comes from. Never raises."""
    if history is None:
        return Source((NO_HISTORY,))
    if value is None or isinstance(value, bool) or value == "" or isinstance(value, dict | list):
        return Source(())  # says nothing that somebody could have said
    try:
        words = [SAID] if history.said(value) else []
        places = {_place(origin) for origin in history.origins(value) if origin["source"] != "user"}
        labels = tuple(history.labels(value))
    except EvaluationError:
        return Source((UNKNOWN,))
    named = sorted(places)
    words.extend(named[:_MOST_PLACES])
    if len(named) > _MOST_PLACES:
        words.append(f"and {len(named) - _MOST_PLACES} more places")
    return Source(tuple(words) or (OWN,), labels)


def _place(origin: dict[str, Any]) -> str:
    """`from web.fetch result.body`: the tool and path, and not which of its calls, so that equal questions look equal."""
    tool, path = str(origin["tool"]), str(origin["path"])
    match origin["source"]:
        case "error":
            return f"from the words of a failure of {tool}"
        case "input":
            return f"from {path}, which is not the user's own"
        case _:
            return f"from {tool} {path}"
