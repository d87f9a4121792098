"""Calls kept across runs, `history NAME by KEY for D`: written as runs record calls, read as conditions ask.

One a policy, over a `HistoryStore`. A call whose key cannot be worked out belongs to no key and is not kept; a decision
whose key cannot be worked out has an error in each condition that reads the history.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policy_engine.base.errors import EvaluationError, MisfitError
from policy_engine.base.limits import MAX_SCANNED_CALLS
from policy_engine.base.request import Request
from policy_engine.base.values import Timestamp
from policy_engine.runtime.intake import Intake
from policy_engine.runtime.keys import key_text
from policy_engine.runtime.ports.history import HistoryStore
from policy_engine.runtime.trace.calls import CallRecord
from policy_engine.semantics.artifact import CompiledHistory
from policy_engine.semantics.evaluation import run_value


class Histories:
    """The histories of one policy."""

    def __init__(
        self, histories: tuple[CompiledHistory, ...], store: HistoryStore, namespace: Mapping[str, Any], intake: Intake
    ) -> None:
        self._histories = {history.name: history for history in histories}
        self._store = store
        self._namespace = namespace
        self._intake = intake
        self._lost = False

    def begin(self) -> str:
        """A name for a run that no other run has."""
        try:
            return self._store.begin()
        except Exception:  # whatever a store raises
            self._lost = True
            return ""

    def record(self, run: str, place: int, request: Request, call: CallRecord) -> None:
        """Keep what came of a call under its keys. `place` is that of the call in its run."""
        if not self._histories:
            return
        try:
            principal = self._intake.record("principal", request.principal)
            environment = self._intake.environment(request, None)
        except MisfitError:
            return
        for history in self._histories.values():
            try:
                value = run_value(self._namespace, history.key, call.args, principal, environment)
                key = key_text(value)
            except EvaluationError:
                continue
            try:
                answer: object = self._store.put(  # type: ignore[func-returns-value]
                    history.name, key, f"{run}/{place}", call.element, keep_nanos=history.keep_nanos
                )
                self._lost = self._lost or answer is not None  # a store that answers here may have done anything
            except Exception:  # whatever a store raises: what it did not keep must not count as not having happened
                self._lost = True

    def read(self, name: str, value: Any, now: Timestamp) -> dict[str, Any]:
        """The record `{calls, attempts}` of a key at this moment; raises `EvaluationError`."""
        if self._lost:
            raise EvaluationError("not_available", "a call could not be kept in the history")
        history = self._histories[name]
        since = now.nanos - history.keep_nanos
        found = self._store.get(name, key_text(value), since_nanos=since, most=MAX_SCANNED_CALLS)
        if len(found) > MAX_SCANNED_CALLS:
            message = f"more than {MAX_SCANNED_CALLS} calls are kept of this key, the most a condition may scan"
            raise EvaluationError("too_costly", message)
        return {"calls": [one for one in found if one["outcome"] == "returned"], "attempts": found}
