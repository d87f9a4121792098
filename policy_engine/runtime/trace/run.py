"""The history of one run: what the user asked, which calls were made, what came back. `Policy.run` makes it.

Hosts tell it what happened (`record`, `event`, `approval_used`); each decision reads one immutable `snapshot`.
Thread-safe. Whatever it is told is copied, so that nothing changed afterwards counts. It never refuses to record:
what cannot be read is remembered as unreadable, and then questions about where values come from are errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Any

from policy_engine.base.decision import Decision, Label
from policy_engine.base.errors import MisfitError
from policy_engine.base.request import Approval, Event, Outcome, Request
from policy_engine.base.values import Timestamp, timestamp_of
from policy_engine.runtime.histories import Histories
from policy_engine.runtime.trace.calls import CallOutcome, CallRecord, InputRecord
from policy_engine.runtime.trace.folding.state import FoldProgram, States
from policy_engine.runtime.trace.log import Log
from policy_engine.runtime.trace.provenance.index.words import ProvenanceIndex
from policy_engine.runtime.trace.provenance.leaves import LabelAt
from policy_engine.runtime.trace.view import Parts, RunView, approval_keys
from policy_engine.semantics.schema.normalise import normalise_any
from policy_engine.semantics.schema.strict_json import parse_json

Judge = Callable[["Run", Request, Outcome, "Decision | None"], Decision]
"""Decides the result phase of a call, for its labels and for what the agent sees."""


class Run:
    """A run of an agent. `attended` = its user is there and can be asked.

    `judge` decides results that are recorded without their decision, so that label rules are never skipped.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], Timestamp],
        id: str | None = None,
        input: str | None = None,
        attended: bool = True,
        judge: Judge | None = None,
        folds: FoldProgram | None = None,
        histories: Histories | None = None,
    ) -> None:
        """Begins now, by `clock`. `folds` is what its policy asks of history; state for that is kept from the start.

        `histories` keeps its calls across runs.
        """
        self.id = id if id is not None else "run"
        self.attended = attended
        self._clock = clock
        self._judge = judge
        self._started = clock()
        self._lock = Lock()
        self._log = Log()
        self._index = ProvenanceIndex(self._log)
        self._states = States(self._log)
        if folds is not None and folds.plan.folds:
            self._states.of(folds)
        self._histories = histories
        self._name = "" if histories is None else histories.begin()
        self._steps: list[dict[str, Any]] = []
        self._used: dict[tuple[str, ...], int] = {}
        self._readable = True
        self._parts = Parts(
            self.id, self._started, attended, self._log, self._index, self._states, self._steps, self._used
        )
        self._view: RunView | None = None
        if input is not None:
            self.put_input({"text": input})

    # ------------------------------------------------------------------ what hosts call
    def record(
        self,
        request: Request,
        outcome: Outcome,
        *,
        decision: Decision | None = None,
        output: Decision | None = None,
    ) -> int:
        """What came of a call; the number of the entry that tells it.

        `decision` is the one about the call (its arguments were executed), `output` the one about the result (its labels,
        and the result as the agent saw it); either may be given as `decision`.

        A call that was recorded as `pending` or `running` under the same `request.id` is completed.
        """
        if decision is not None and decision.phase == "result":
            decision, output = None, decision
        if output is None and self._judge is not None and outcome.status == "returned":
            output = self._judge(self, request, outcome, decision)
        result, labels = self._seen(outcome, output) if outcome.status == "returned" else (None, ())
        args = None if decision is None else decision.engine_args
        if args is None:
            args = _executed_args(request, output)
        at = request.at if outcome.at is None else outcome.at
        return self.attempt(request, args, outcome.status, self._moment(at), result, outcome.error, labels)

    def attempt(
        self, request: Request, args: Mapping[str, Any], outcome: CallOutcome, at: Timestamp, result: Any = None,
        error: str | None = None, labels: tuple[LabelAt, ...] = (),
    ) -> int:  # fmt: skip
        """As `record`, for who has it all in the engine's own terms already; the number of the entry."""
        id = request.id
        with self._lock:
            name = id if id is not None else self._log.next_name
            record = CallRecord(name, request.tool, args, outcome, at, result, error, labels)
            entry = self._log.add_call(record, id)
            self._view = None
        if self._index.live or self._states.asked:
            self._noted()
        if self._histories is not None:
            self._histories.record(self._name, entry.place, request, record)
        return entry.number

    def event(self, event: Event, *, decision: Decision | None = None) -> None:
        """Something other than a call: `@input` adds to what the user said, `@step` to `run.steps`.

        A refused or withheld event never reached the agent and leaves no trace.
        """
        if decision is not None and not decision.allowed:
            return
        fields = self._private(dict(event.fields))
        if not isinstance(fields, dict):
            return
        if event.name == "@input":
            self.put_input(fields, labels=_labels(decision))
        elif event.name == "@step":
            self.put_step(fields)

    def approval_used(self, approval: Approval) -> None:
        """The approval let a call pass; it does not count again."""
        with self._lock:
            number = len(self._used)
            for key in approval_keys(approval):
                self._used.setdefault(key, number)
            self._view = None

    # ------------------------------------------------------------------ in the engine's own terms
    def put_call(
        self,
        tool: str,
        args: Mapping[str, Any],
        outcome: CallOutcome,
        *,
        at: Timestamp | None = None,
        result: Any = None,
        error: str | None = None,
        labels: Iterable[LabelAt | tuple[str, str, bool]] = (),
        id: str | None = None,
    ) -> None:
        """Record an attempt given as engine values, which the run may keep. `labels` are (label, path, add).

        It is kept in no history across runs: that takes the request.
        """
        marks = tuple([LabelAt(*put) for put in labels])
        with self._lock:
            name = id if id is not None else self._log.next_name
            moment = self._clock() if at is None else at
            self._log.add_call(CallRecord(name, tool, args, outcome, moment, result, error, marks), id)
            self._view = None
        self._noted()

    def put_input(self, fields: Mapping[str, Any], *, labels: Iterable[LabelAt | tuple[str, str, bool]] = ()) -> None:
        """Record an `@input` event given as engine values. Without `source` and `verified` it is the user's own."""
        entry = InputRecord({"source": "user", "verified": True, **fields}, tuple(LabelAt(*put) for put in labels))
        with self._lock:
            self._log.add_input(entry)
            self._view = None
        self._noted()

    def put_step(self, fields: Mapping[str, Any]) -> None:
        """Record a `@step` event given as engine values."""
        with self._lock:
            self._steps.append(dict(fields))
            self._view = None

    @property
    def started(self) -> Timestamp:
        """When it began."""
        return self._started

    @property
    def length(self) -> int:
        """How many entries its log holds: inputs, attempts, and what attempts went on to."""
        return len(self._log.entries)

    def snapshot(self) -> RunView:
        """The run as it is now, immutable: what one decision reads. Free while nothing was recorded since the last."""
        with self._lock:
            if self._view is None:
                self._view = RunView(self._parts, self._readable)
            return self._view

    # ------------------------------------------------------------------ details
    def _noted(self) -> None:
        """Where values of this run are asked about, results are noted as they come, not when the next call
        waits; calls always are, where conditions ask about them."""
        if self._index.live:
            self._index.note_all()
        if self._states.asked:
            self._states.note_all()

    def _seen(self, outcome: Outcome, output: Decision | None) -> tuple[Any, tuple[LabelAt, ...]]:
        """The result of a call that returned, as the agent saw it, with the labels that rules put on it."""
        if output is None:
            return self._private(outcome.result), ()
        if not output.allowed:
            return None, ()
        return output.engine_result, _labels(output) if output.obligations else ()

    def _private(self, value: Any) -> Any:
        try:
            return normalise_any(value)
        except MisfitError:
            with self._lock:
                self._readable = False
                self._view = None
            return None

    def _moment(self, at: Any) -> Timestamp:
        try:
            return self._clock() if at is None else timestamp_of(at)
        except (TypeError, ValueError, AttributeError, OverflowError):
            return self._clock()


def _executed_args(request: Request, output: Decision | None) -> dict[str, Any]:
    """The arguments of a call whose decision tells none. What cannot be read says nothing: an agent that sends broken
    arguments must not be able to spoil the run for itself or others."""
    if output is not None and output.engine_args is not None:
        return output.engine_args
    try:
        given = parse_json(request.args) if isinstance(request.args, str | bytes) else request.args
        args = normalise_any(dict(given), "args")
    except (MisfitError, TypeError, ValueError):
        return {}
    return args if isinstance(args, dict) else {}


def _labels(decision: Decision | None) -> tuple[LabelAt, ...]:
    if decision is None or not decision.obligations:
        return ()
    return tuple(LabelAt(put.label, put.path, put.add) for put in decision.obligations if isinstance(put, Label))
