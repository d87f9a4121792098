"""What the conditions of one decision may read, beside `args` and `principal`. Made once a decision, by the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from policy_engine.base.errors import EvaluationError
from policy_engine.base.request import Event, Request
from policy_engine.base.values import Timestamp
from policy_engine.runtime.trace.folding.state import FoldProgram
from policy_engine.semantics.context import Provenance
from policy_engine.semantics.interpreter.names import Lazy
from policy_engine.semantics.recording import Recordings

_NO_RUN: Final = "`run` is read, but the decision was asked for without a run"


class DecisionEnvironment:
    """Implements `semantics.activation.Environment`.

    A name that was not given raises `EvaluationError("not_available")` when a condition reads it, so that it falls to
    the safe side of its rule. `now` is read from the clock once, and only when somebody asks for it; `run_view` is the
    snapshot of the run that this decision is about, `recordings` what functions that are not pure answered in it,
    `folds` what the policy asks of history. Once `subject` is set, what the host left empty in it is made when read, and so
    is the record of an agent that is a mere name.
    """

    __slots__ = (
        "_clock", "_folds", "_provenance", "_recordings", "_run", "agent", "answer", "approver", "call", "context",
        "delegate", "error", "input", "now", "prompt", "resource", "result", "step", "subject", "tool",
    )  # fmt: skip

    agent: Any
    answer: Any
    approver: Any
    call: Any
    context: Any
    delegate: Any
    error: Any
    input: Any
    now: Timestamp
    prompt: Any
    resource: Any
    result: Any
    step: Any
    subject: Request | Event | None
    tool: Any

    def __init__(
        self, clock: Callable[[], Timestamp], run_view: Any | None, recordings: Recordings | None = None,
        folds: FoldProgram | None = None,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._run = run_view
        self._recordings = recordings
        self._folds = folds
        self.subject = None

    def __getattr__(self, name: str) -> Any:
        if name == "now":
            self.now = self._clock()
            return self.now
        if name == "run":
            if self._run is None:
                raise EvaluationError("not_available", _NO_RUN)
            return self._run.value
        if name == "input" and self._run is not None:
            return self._run.value["input"]
        subject = self.subject
        if subject is not None and name in ("agent", "context"):
            made = {"id": subject.agent} if name == "agent" and subject.agent is not None else {}
            setattr(self, name, made)
            return made
        if isinstance(subject, Request) and name == "tool":
            self.tool = {"name": subject.tool, "annotations": {}, "digest": subject.digest}
            return self.tool
        raise EvaluationError("not_available", f"`{name}` is read, but the host did not give it")

    def once(self, function: str, arguments: tuple[Any, ...], ask: Callable[[], Any]) -> Any:
        """The value of a function that is not pure, asked once a decision."""
        if self._recordings is None:
            raise EvaluationError("not_available", f"`{function}` is asked where nothing records what it answers")
        return self._recordings.once(function, arguments, ask)

    @property
    def provenance(self) -> Provenance:
        """The origins of values in this run."""
        if self._run is None:
            raise EvaluationError("not_available", "where values come from is asked, but the decision has no run")
        provenance: Provenance = self._run
        return provenance

    def folded(self, number: int | str, arguments: Sequence[Any]) -> Any:
        """The answer to a question about this run, or the record of a history for a key."""
        if isinstance(number, str):
            history = None if self._folds is None else self._folds.history
            if history is None:
                raise EvaluationError("not_available", "a history is read, and nothing keeps calls across runs here")
            key = arguments[0]
            return history(number, key() if isinstance(key, Lazy) else key, self.now)
        if self._run is None:
            raise EvaluationError("not_available", _NO_RUN)
        return self._run.folded(self._folds, number, arguments)

    @property
    def attended(self) -> bool:
        """Whether a person takes part in the run, so that the queue `user` can answer."""
        return self._run is not None and bool(self._run.attended)

    def with_approver(self, approver: Any) -> DecisionEnvironment:
        """The same surroundings for the `where` of a tier, with the record of who answered."""
        other = DecisionEnvironment(self._clock, self._run, self._recordings, self._folds)
        for name in DecisionEnvironment.__slots__:
            if not name.startswith("_") and name in _filled(self):
                setattr(other, name, getattr(self, name))
        other.approver = approver
        return other


def _filled(environment: DecisionEnvironment) -> list[str]:
    """The names that were given (reading an empty slot would raise, or start the clock)."""
    missing = object()
    names = []
    for name in DecisionEnvironment.__slots__:
        try:
            value = object.__getattribute__(environment, name)
        except AttributeError:
            value = missing
        if value is not missing:
            names.append(name)
    return names
