"""A run as one decision reads it: the CEL name `run`, and the provenance words.

Made by `Run.snapshot`; implements `semantics.context.Provenance`. It holds the run's log and how long that was, so
making one costs the same however long the run is; it never changes, and is the same for every thread that reads it.
Reading `run` as a whole makes lists of all its calls, so a run of more than `MAX_SCANNED_CALLS` is not read so: any
such condition is then an error, which falls to the safe side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from policy_engine.base.errors import EvaluationError
from policy_engine.base.limits import MAX_SCANNED_CALLS
from policy_engine.base.request import Approval
from policy_engine.base.values import Timestamp
from policy_engine.runtime.trace.calls import CallRecord, InputRecord
from policy_engine.runtime.trace.folding.state import FoldProgram, States
from policy_engine.runtime.trace.log import Log
from policy_engine.runtime.trace.provenance.index.words import ProvenanceIndex
from policy_engine.semantics.artifact import Track


class Parts(NamedTuple):
    """What the views of one run have in common: the run's own, which it goes on writing."""

    id: str
    started: Timestamp
    attended: bool
    log: Log
    places: ProvenanceIndex
    states: States
    steps: list[dict[str, Any]]
    used: Mapping[tuple[str, ...], int]


class RunView:
    """What was said and done so far."""

    def __init__(self, parts: Parts, readable: bool) -> None:
        """Made by `Run.snapshot`. The log, steps and approvals only grow; their sizes are kept."""
        log = parts.log
        self._parts = parts
        self._places = parts.places
        self._readable = readable
        self.length = len(log.entries)
        self._recorded = log.attempts + log.inputs
        self._step_count = len(parts.steps)
        self._used_count = len(parts.used)

    @property
    def id(self) -> str:
        """The run's id."""
        return self._parts.id

    @property
    def started(self) -> Timestamp:
        """When it began."""
        return self._parts.started

    @property
    def attended(self) -> bool:
        """Whether its user can be asked."""
        return self._parts.attended

    def used(self, approval: Approval) -> bool:
        """Whether this approval already let a call pass."""
        return any(self._parts.used.get(key, self._used_count) < self._used_count for key in approval_keys(approval))

    # ------------------------------------------------------------------ the name `run`
    @cached_property
    def value(self) -> dict[str, Any]:
        """What conditions read as `run`. Raises `EvaluationError("too_costly")` where the run is too long to scan."""
        self.scannable()
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

    @cached_property
    def inputs(self) -> tuple[InputRecord, ...]:
        """What was asked, in order."""
        return tuple(self._parts.log.inputs_at(self.length))

    @cached_property
    def attempts(self) -> tuple[CallRecord, ...]:
        """The calls, in the order they were begun."""
        return tuple(self._parts.log.attempts_at(self.length))

    @property
    def records(self) -> tuple[InputRecord | CallRecord, ...]:
        """Inputs and calls, in the order of a scan."""
        return (*self.inputs, *self.attempts)

    @cached_property
    def steps(self) -> tuple[dict[str, Any], ...]:
        """The steps, in order."""
        return tuple(self._parts.steps[: self._step_count])

    @property
    def input(self) -> dict[str, Any] | None:
        """What was asked last: `{text, source, verified}`; None where nothing was."""
        return dict(self.inputs[-1].fields) if self.inputs else None

    @cached_property
    def all_labels(self) -> tuple[str, ...]:
        """Every label that entered the run, sorted: what a value of the model's own carries."""
        return tuple(sorted({mark.label for record in self.records for mark in record.labels if mark.add}))

    def scannable(self) -> None:
        """Raises `EvaluationError` where the run is too long to be gone through, or not all of it could be read."""
        self._all_readable()
        if max(self._recorded, self._step_count) > MAX_SCANNED_CALLS:
            message = f"the run is longer than {MAX_SCANNED_CALLS} calls or steps, the most a condition may scan"
            raise EvaluationError("too_costly", message)

    def _all_readable(self) -> None:
        if not self._readable:
            raise EvaluationError("not_available", "something this run was told could not be read")

    def folded(self, program: FoldProgram, number: int, arguments: Sequence[Any]) -> Any:
        """The answer to a question of a policy about this run's calls; raises `EvaluationError`."""
        self._all_readable()
        return self._parts.states.of(program).answer(number, arguments, self.length, self._listed)

    def _listed(self, track: Track) -> Any:
        return self.value["attempts" if track.attempts else "calls"]

    # ------------------------------------------------------------------ provenance
    def said(self, value: Any) -> bool:
        """Whether the user's own words contain the value."""
        if not self._readable:
            self._all_readable()
        return self._places.said(value, self.length)

    def origins(self, value: Any) -> list[dict[str, Any]]:
        """Records `{source, tool, path, call}` of where the value was seen, in the order of events."""
        if not self._readable:
            self._all_readable()
        return self._places.origins(value, self.length)

    def labels(self, value: Any) -> list[str]:
        """The labels at those places, sorted; all labels of the run for a value seen nowhere."""
        if not self._readable:
            self._all_readable()
        return self._places.labels(value, self.length)

    def pointed(self, value: Any) -> bool:
        """Whether it came from a call whose argument the user said."""
        if not self._readable:
            self._all_readable()
        return self._places.pointed(value, self.length)

    def coverage(self, value: Any) -> float:
        """The share (0.0 … 1.0) of its words that the user said."""
        if not self._readable:
            self._all_readable()
        return self._places.coverage(value, self.length)

    def carried(self, value: Any) -> bool:
        """Whether it was an argument of an earlier allowed call."""
        if not self._readable:
            self._all_readable()
        return self._places.carried(value, self.length)


def approval_keys(approval: Approval) -> frozenset[tuple[str, ...]]:
    """What makes an approval one and the same: its id, and also everything it says about who answered what."""
    approver = str(approval.approver.get("id", ""))
    content = ("content", approval.rule, approval.queue, approval.digest, str(approval.expires), approver)
    return frozenset({content} if approval.id is None else {content, ("id", approval.id)})
