"""All folded state of one run for one policy. Kept by `Run`, asked through its views. Thread-safe by one lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import Timestamp
from policy_engine.runtime.trace.calls import CallRecord
from policy_engine.runtime.trace.folding.answers import Blame, Unknown, answer
from policy_engine.runtime.trace.folding.tracks import TrackState
from policy_engine.runtime.trace.log import Entry, Log
from policy_engine.semantics.artifact import FoldPlan
from policy_engine.semantics.evaluation import interpreted
from policy_engine.semantics.interpreter.names import Lazy


@dataclass(slots=True, eq=False)
class FoldProgram:
    """What a policy asks of history, with the generated code that its tracks need.

    `history` gives the record of a history by its name, for a key and a moment; None where nothing is kept across runs.
    """

    plan: FoldPlan
    namespace: Mapping[str, Any]
    history: Callable[[str, Any, Timestamp], dict[str, Any]] | None = None


class FoldState:
    """The tracks of one policy over one log. What came is noted as it comes, or when the next question needs it."""

    def __init__(self, program: FoldProgram, log: Log, source: str = "run") -> None:
        self.program = program
        self._log = log
        self._lock = Lock()
        self._noted = 0
        self._fault: EvaluationError | None = None
        self._tracks = [TrackState(track, program.namespace) for track in program.plan.tracks]
        self._own = [state for state in self._tracks if state.track.source == source]

    def note_all(self) -> None:
        """Note what has come. Never raises: what cannot be noted makes every question from then on an error."""
        with self._lock:
            self._note()

    def _note(self) -> None:
        entries = self._log.entries
        while self._noted < len(entries) and self._fault is None:
            entry = entries[self._noted]
            try:
                if isinstance(entry.record, CallRecord):
                    for state in self._own:
                        state.note(entry, entry.record)
            except Exception as fault:
                self._fault = EvaluationError("internal", f"a call could not be noted ({type(fault).__name__})")
            else:
                self._noted += 1

    def answer(self, number: int, arguments: Sequence[Any], length: int, calls: Any) -> Any:
        """The answer to a question when the log had that length. `calls` gives the list itself, where it is needed."""
        fold = self.program.plan.folds[number]
        elements: Any
        try:
            with self._lock:
                if self._noted < length:
                    self._note()
                    if self._noted < length and self._fault is not None:
                        raise EvaluationError(self._fault.kind, self._fault.message)
                found = answer(fold, self._tracks, arguments, length)
            return _element(found) if isinstance(found, Entry) else found
        except Unknown:
            elements = calls(self.program.plan.tracks[fold.track])
        except Blame as blame:
            elements = [_element(entry) for entry in blame.entries]
            interpreted(fold.template, Asked(elements, arguments), None)
            raise EvaluationError("internal", "a question about history has two answers") from None
        return interpreted(fold.template, Asked(elements, arguments), None)


class States:
    """The states of a run: one for the policy that made it, and one for each other that was asked to decide about it.

    `asked`: whether any policy asks.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._states: dict[int, FoldState] = {}
        self.asked = False

    def of(self, program: FoldProgram) -> FoldState:
        """The state for a policy, which catches up with what came before it."""
        state = self._states.get(id(program.plan))
        if state is None:
            state = self._states.setdefault(id(program.plan), FoldState(program, self._log))
            self.asked = True
        return state

    def note_all(self) -> None:
        """Note what has come, for every policy."""
        for state in list(self._states.values()):
            state.note_all()


def _element(entry: Entry) -> Any:
    assert isinstance(entry.record, CallRecord)
    return entry.record.element


class Asked(Mapping[str, Any]):
    """The names of a template: `$calls`, and `$0` … for the arguments, which raise where they are errors."""

    def __init__(self, calls: list[Any], arguments: Sequence[Any]) -> None:
        self._values = {"$calls": calls, **{f"${number}": one for number, one in enumerate(arguments)}}

    def __getitem__(self, name: str) -> Any:
        value = self._values[name]
        return value() if isinstance(value, Lazy) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
