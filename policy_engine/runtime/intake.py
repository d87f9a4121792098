"""The first stage: a request is parsed once, validated, normalised and frozen, before any rule sees it.

What leaves here is private to the engine: nothing the caller mutates afterwards counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

from policy_engine.base.errors import MisfitError
from policy_engine.base.lazily import Lazily
from policy_engine.base.request import Event, Principal, Request, RunPrincipal
from policy_engine.base.values import Timestamp, inward, timestamp_of
from policy_engine.runtime.environment import DecisionEnvironment
from policy_engine.runtime.trace.folding.state import FoldProgram
from policy_engine.semantics.artifact import CompiledPolicy
from policy_engine.semantics.recording import Recordings
from policy_engine.semantics.schema.normalise import normalise_any, normaliser
from policy_engine.semantics.schema.strict_json import parse_json
from policy_engine.semantics.types import RecordType

Normaliser = Callable[[Any], dict[str, Any]]


class Intake:
    """Built once a policy; holds its validators, `checks` those of arguments by tool. Thread-safe."""

    def __init__(self, policy: CompiledPolicy, clock: Callable[[], Timestamp], folds: FoldProgram) -> None:
        self._clock = clock
        self._folds = folds
        self._recordings: Recordings | None = None
        self.checks: dict[str, Normaliser] = Lazily(policy.tools, lambda name: self._normaliser(policy.tools[name].input))
        self._shared: dict[str, Normaliser] = {}
        self._records = {
            subject: [normaliser(record, subject) for record in policy.records.get(subject, ())]
            for subject in ("principal", "agent", "context", "approver")
        }
        self._only = {subject: checks[0] for subject, checks in self._records.items() if len(checks) == 1}
        self._asks_agent, self._asks_context = bool(self._records["agent"]), bool(self._records["context"])

    def recording(self, recordings: Recordings) -> Intake:
        """The same intake for one decision, whose surroundings record what functions that are not pure answer."""
        other = copy(self)
        other._recordings = recordings
        return other

    def _normaliser(self, record: RecordType | None) -> Normaliser:
        """The validator of a tool's arguments; tools that declare the same to the letter share one."""
        declared = "" if record is None else repr((record.fields, record.rest))
        return self._shared.get(declared) or self._shared.setdefault(declared, normaliser(record))

    def args(self, tool: str, given: Any) -> dict[str, Any]:
        """The arguments of a known tool as the rules see them; raises `MisfitError`."""
        if type(given) is not dict and isinstance(given, (str, bytes)):
            given = parse_json(given)
        return self.checks[tool](given)

    def record(self, subject: str, given: Any) -> dict[str, Any]:
        """Principal, agent, context or approver, checked against every record the layers declare; raises `MisfitError`."""
        if type(given) is RunPrincipal and subject == "principal":
            known = given.known
            if known is None or known[0] is not self._records:
                known = given.known = (self._records, self.record(subject, given.fields))
            return known[1]
        if type(given) is Principal:
            given = given.fields
        if type(given) is dict and subject in self._only:
            return self._only[subject](given)
        checks = self._records[subject]
        if not checks and type(given) is str:
            return {"id": given}
        if not checks and (given is None or (type(given) is dict and not given)):
            return {}
        if isinstance(given, Principal):
            given = given.fields
        elif given is None:
            given = {}
        elif isinstance(given, str):
            given = {"id": given}
        if type(given) is not dict and not isinstance(given, Mapping):
            raise MisfitError(subject, "is not a record")
        value: Any = given
        if not checks:
            try:
                value = inward(dict(given))
            except (TypeError, ValueError, RecursionError) as fault:
                raise MisfitError(subject, str(fault)) from None
        for check in checks:  # the first one copies and makes plain what the host gave, as `inward` does
            value = check(value)
        return value  # type: ignore[no-any-return]

    def environment(self, subject: Request | Event, run_view: Any | None) -> DecisionEnvironment:
        """The surroundings of a decision, without `principal`; raises `MisfitError` for an agent or context that does not fit."""
        environment = DecisionEnvironment(self._clock, run_view, self._recordings, self._folds)
        environment.subject = subject
        agent, context = subject.agent, subject.context
        if self._asks_agent or (agent is not None and type(agent) is not str):
            environment.agent = self.record("agent", agent)
        if context or type(context) is not dict or self._asks_context:
            environment.context = self.record("context", context)
        at = subject.at
        environment.now = at if type(at) is Timestamp else self._clock() if at is None else moment(at)
        if type(subject) is Request or isinstance(subject, Request):
            if subject.input is not None:
                if not isinstance(subject.input, str):
                    raise MisfitError("input", "is not text")
                environment.input = {"text": plain(subject.input, "input"), "source": "user", "verified": True}
            if subject.annotations:
                annotations = plain(dict(subject.annotations), "tool.annotations")
                environment.tool = {"name": subject.tool, "annotations": annotations, "digest": subject.digest}
        return environment


def plain(value: Any, path: str) -> Any:
    """A value without a schema, within the limits; raises `MisfitError`."""
    return normalise_any(value, path)


def moment(at: Any) -> Timestamp:
    """The engine's timestamp of an aware `datetime`; raises `MisfitError`."""
    try:
        return timestamp_of(at)
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise MisfitError("at", "is not a moment with a time zone") from None
