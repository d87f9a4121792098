"""What a run remembers of one call, one input of the user, one step. Immutable; the scan keeps what it parsed here.

A call is not frozen by its class, because that costs more than all else of noting it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal as OneOf

from policy_engine.base.values import Timestamp
from policy_engine.runtime.trace.provenance.leaves import LabelAt, Leaf, leaves_of
from policy_engine.runtime.trace.provenance.tokens import Text

CallOutcome = OneOf["returned", "error", "denied", "pending", "running"]
EXECUTED = ("returned", "error", "running")
"""Outcomes of calls that were allowed and begun."""


@dataclass(eq=False)
class CallRecord:
    """One attempt. `result` is None unless it returned; `error` holds the tool's own words unless it did not fail.

    `labels` are what label rules put on parts of the result or took off, as paths such as `result.items[2].subject`.
    """

    id: str
    tool: str
    args: Mapping[str, Any]
    outcome: CallOutcome
    at: Timestamp
    result: Any = None
    error: str | None = None
    labels: tuple[LabelAt, ...] = field(default=())

    @property
    def executed(self) -> bool:
        """Whether the call was allowed and begun, whatever came of it."""
        return self.outcome in EXECUTED

    @cached_property
    def element(self) -> dict[str, Any]:
        """What a condition reads of it in `run.calls` and `run.attempts`."""
        return {
            "tool": self.tool,
            "args": self.args,
            "result": self.result,
            "outcome": self.outcome,
            "at": self.at,
            "labels": sorted({put.label for put in self.labels if put.add}),
            "id": self.id,
        }

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """The parts of what the agent saw of it: its result, or the tool's words about the failure."""
        if self.outcome == "returned":
            return tuple(leaves_of(self.result, "result", "result", self.tool, self.id, self.labels))
        if self.error:
            return tuple(leaves_of(self.error, "error", "error", self.tool, self.id, self.labels))
        return ()

    @cached_property
    def argument_leaves(self) -> tuple[Leaf, ...]:
        """The parts of its arguments."""
        return tuple(leaves_of(self.args, "args", "args", self.tool, self.id, (), structured=False))


@dataclass(frozen=True, eq=False)
class InputRecord:
    """One `@input` event: `fields` are `text`, `source`, `verified`."""

    fields: Mapping[str, Any]
    labels: tuple[LabelAt, ...] = ()

    @cached_property
    def own_words(self) -> Text | None:
        """The text, if it is the user's own: not another agent's, and not marked as unverified."""
        text = self.fields.get("text")
        mine = self.fields.get("source") == "user" and self.fields.get("verified") is True
        return Text(text) if mine and isinstance(text, str) else None

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """The text as something that was seen; its source is `user` only for the user's own words."""
        source = "user" if self.own_words is not None else "input"
        return tuple(leaves_of(self.fields.get("text"), "input.text", source, "", "", self.labels, structured=False))
