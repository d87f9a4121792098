"""What a run is told of its past: words and calls of the same conversation, from before this run began.

Rules read them as if they had happened here: words are decided again, results are labelled again. Nothing is counted, asked
or recorded as done. The record of the run's beginning keeps what was told, so that its decisions can be made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from policy_engine.base.request import Event, Outcome, Request
from policy_engine.runtime.engine import Policy
from policy_engine.runtime.trace.run import Run

Past: TypeAlias = Event | tuple[Request, Outcome]


def remember(policy: Policy, history: Run, past: Iterable[Past]) -> None:
    """Put it into a history that has just begun."""
    for one in past:
        if isinstance(one, Event):
            history.event(one, decision=policy.decide_event(one, run=history))
        else:
            history.record(*one)


def past_data(past: Iterable[Past]) -> list[Any]:
    """The past as a payload: lists that begin with the name of the event, or with the tool."""
    return [
        [one.name, dict(one.fields)] if isinstance(one, Event)
        else [one[0].tool, one[0].args, one[0].id, one[1].status, one[1].result, one[1].error]
        for one in past
    ]  # fmt: skip


def past_of(data: Iterable[Any], who: Mapping[str, Any]) -> list[Past]:
    """What `past_data` made data of. `who` = principal, agent, context and moment, as fields of requests and events."""
    return [
        Event(name=one[0], fields=one[1], **who) if len(one) == 2
        else (Request(tool=one[0], args=one[1], id=one[2], **who), Outcome(status=one[3], result=one[4], error=one[5]))
        for one in data
    ]  # fmt: skip
