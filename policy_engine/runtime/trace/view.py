"""A run as one decision reads it: the CEL name `run`, and the provenance words by simple scan.

Made by `Run.snapshot`; implements `semantics.context.Provenance`. Immutable, and the same for every thread that reads
it. More calls than `MAX_SCANNED_CALLS` are not scanned: any question is then an error, which falls to the safe side.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from policy_engine.base.errors import EvaluationError
from policy_engine.base.limits import MAX_SCANNED_CALLS
from policy_engine.base.request import Approval
from policy_engine.base.values import Timestamp
from policy_engine.runtime.trace.calls import CallRecord, InputRecord
from policy_engine.runtime.trace.provenance import carried, coverage, labels, origins, pointed, said
from policy_engine.runtime.trace.provenance.leaves import MAX_SCANNED_LEAVES, Leaf
from policy_engine.runtime.trace.provenance.tokens import Text


class RunView:
    """What was said and done so far."""

    def __init__(
        self,
        *,
        id: str,
        started: Timestamp,
        attended: bool,
        inputs: tuple[InputRecord, ...],
        attempts: tuple[CallRecord, ...],
        steps: tuple[dict[str, Any], ...],
        used: frozenset[tuple[str, ...]],
        readable: bool,
    ) -> None:
        """Made by `Run.snapshot` from what it gathered."""
        self.id = id
        self.started = started
        self.attended = attended
        self.inputs = inputs
        self.attempts = attempts
        self.steps = steps
        self._used = used
        self._readable = readable

    def used(self, approval: Approval) -> bool:
        """Whether this approval already let a call pass."""
        return not self._used.isdisjoint(approval_keys(approval))

    # ------------------------------------------------------------------ the name `run`
    @cached_property
    def value(self) -> dict[str, Any]:
        """What conditions read as `run`. Raises `EvaluationError("too_costly")` where the run is too long to scan."""
        self._bounded()
        elements = [call.element for call in self.attempts]
        return {
            "calls": [element for element in elements if element["outcome"] == "returned"],
            "attempts": elements,
            "steps": list(self.steps),
            "labels": list(self.all_labels),
            "started": self.started,
            "id": self.id,
            "input": self.input,
        }

    @property
    def input(self) -> dict[str, Any] | None:
        """What was asked last: `{text, source, verified}`; None where nothing was."""
        return dict(self.inputs[-1].fields) if self.inputs else None

    @cached_property
    def all_labels(self) -> tuple[str, ...]:
        """Every label that entered the run, sorted: what a value of the model's own carries."""
        marks = [mark for entry in self._records for mark in entry.labels]
        return tuple(sorted({mark.label for mark in marks if mark.add}))

    # ------------------------------------------------------------------ provenance
    def said(self, value: Any) -> bool:
        """Whether the user's own words contain the value."""
        return said.said(value, self._words)

    def origins(self, value: Any) -> list[dict[str, Any]]:
        """Records `{source, tool, path, call}` of where the value was seen, in the order of events."""
        return [leaf.origin for leaf in origins.origins(value, self._leaves)]

    def labels(self, value: Any) -> list[str]:
        """The labels at those places, sorted; all labels of the run for a value seen nowhere."""
        return sorted(labels.labels(value, self._leaves, frozenset(self.all_labels)))

    def pointed(self, value: Any) -> bool:
        """Whether it came from a call whose argument the user said."""
        return pointed.pointed(value, self._leaves, self._pointed_at)

    def coverage(self, value: Any) -> float:
        """The share (0.0 … 1.0) of its words that the user said."""
        return coverage.coverage(value, self._words)

    def carried(self, value: Any) -> bool:
        """Whether it was an argument of an earlier allowed call."""
        self._bounded()
        earlier = [leaf for call in self.attempts if call.executed for leaf in call.argument_leaves]
        return carried.carried(value, earlier)

    # ------------------------------------------------------------------ what the words scan
    @property
    def _records(self) -> tuple[InputRecord | CallRecord, ...]:
        return (*self.inputs, *self.attempts)

    @cached_property
    def _words(self) -> tuple[Text, ...]:
        self._bounded()
        return tuple(words for entry in self.inputs if (words := entry.own_words) is not None)

    @cached_property
    def _leaves(self) -> tuple[Leaf, ...]:
        self._bounded()
        found: list[Leaf] = []
        for entry in self._records:
            found.extend(entry.leaves)
            if len(found) > MAX_SCANNED_LEAVES:
                raise EvaluationError("too_costly", "the run holds more values than a condition may scan")
        return tuple(found)

    @cached_property
    def _pointed_at(self) -> frozenset[Leaf]:
        return frozenset(
            leaf
            for call in self.attempts
            if any(pointed.points(argument.value) and self.said(argument.value) for argument in call.argument_leaves)
            for leaf in call.leaves
        )

    def _bounded(self) -> None:
        if not self._readable:
            raise EvaluationError("not_available", "something this run was told could not be read")
        if max(len(self.attempts) + len(self.inputs), len(self.steps)) > MAX_SCANNED_CALLS:
            message = f"the run is longer than {MAX_SCANNED_CALLS} calls or steps, the most a condition may scan"
            raise EvaluationError("too_costly", message)


def approval_keys(approval: Approval) -> frozenset[tuple[str, ...]]:
    """What makes an approval one and the same: its id, and also everything it says about who answered what."""
    approver = str(approval.approver.get("id", ""))
    content = ("content", approval.rule, approval.queue, approval.digest, str(approval.expires), approver)
    return frozenset({content} if approval.id is None else {content, ("id", approval.id)})
