"""What a run did, as far as its coherence is concerned: one link for each call, step, answer, hand-over, input and plan."""

from __future__ import annotations

from typing import Final, Literal as OneOf, NamedTuple

from policy_engine.audit.metrics.metric import text, texts
from policy_engine.audit.metrics.told import Told

LinkKind = OneOf["call", "step", "answer", "delegate", "input", "plan"]
MOST_PLANNED: Final = 256
"""Steps of a plan that are looked at."""
_EVENTS: Final[dict[str, LinkKind]] = {
    "@step": "step", "@answer": "answer", "@delegate": "delegate", "@input": "input",
}  # fmt: skip


class Link(NamedTuple):
    """`order` and then everything else settles the order of links of the same moment, the same wherever they are read.

    `name` is the tool, or the kind of a step; `identity` is equal for equal requests of the run; `failed`: it ran and did not
    return; `wait` nanoseconds that the agent was told to wait.
    """

    at: int
    order: int
    kind: LinkKind
    name: str
    identity: str
    effect: str
    enforced: bool
    rules: tuple[str, ...]
    hinted: bool
    wait: int | None
    call: str
    plan: tuple[str, ...] = ()
    failed: bool = False


def link_of(record: Told) -> Link | None:
    """The link of a decision, event or plan; None for what is no link of a chain."""
    body = record.body
    kind: LinkKind
    if record.kind == "decision":
        kind, name = "call", text(body, "tool")
    elif record.kind == "event":
        found = _EVENTS.get(text(body, "name"))
        if found is None:
            return None
        kind, name = found, text(body, "kind") if found == "step" else text(body, "name")
    elif record.kind == "plan":
        return Link(
            record.at, 0, "plan", "", "", "", True, (), False, None, "", tuple(texts(body, "tools")[:MOST_PLANNED])
        )
    else:
        return None
    entry, wait = body.get("entry"), body.get("wait")
    return Link(
        at=record.at, order=entry if type(entry) is int else 0, kind=kind, name=name,
        identity=f"{name} {text(body, 'event')}", effect=text(body, "effect"), enforced=body.get("enforced") is not False,
        rules=tuple(texts(body, "rules")), hinted=body.get("hinted") is True, wait=wait if type(wait) is int else None,
        call=record.call or "",
    )  # fmt: skip
