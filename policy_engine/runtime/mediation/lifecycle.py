"""How a run begins and ends, and how one run begins another whose authority is never wider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal as OneOf

from policy_engine.base.records import PlanBody, RunBegun, RunEnded
from policy_engine.base.refusals import Denied
from policy_engine.base.request import Agent, Event, Principal
from policy_engine.base.values import Timestamp, datetime_of
from policy_engine.runtime.mediation.call import refusal
from policy_engine.runtime.mediation.effects import Flow
from policy_engine.runtime.mediation.events import happen
from policy_engine.runtime.mediation.past import Past, past_data, past_of, remember
from policy_engine.runtime.mediation.recording import write
from policy_engine.runtime.mediation.runs import MediatedRun
from policy_engine.runtime.mediation.stages.ask import withdraw
from policy_engine.runtime.mediation.world import World
from policy_engine.runtime.ports.approvals import Question
from policy_engine.runtime.ports.audit import Record
from policy_engine.runtime.trace.provenance.leaves import LabelAt

_UNENDED = "the end of this run cannot be recorded now"
_UNPLANNED = "this plan cannot be recorded now; try again later"
_UNRECORDED = "this run cannot be recorded now, so it does not begin; try again later"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a host says of a run when it begins. `within` bounds all of it; `task` names what is to be done."""

    principal: Principal | Mapping[str, Any] | None = None
    agent: Agent | Mapping[str, Any] | str | None = None
    input: str | None = None
    context: Mapping[str, Any] | None = None
    id: str | None = None
    task: str | None = None
    resume: bool = False
    attended: bool = True
    within: timedelta | None = None
    conversation: str | None = None
    past: tuple[Past, ...] = ()
    """Of the same conversation, before this run."""
    labels: tuple[str, ...] = ()
    inherited: tuple[tuple[dict[str, Any], tuple[LabelAt, ...]], ...] = ()
    """Of a sub-agent's run: the labels of its input, and what its parent had been asked."""


def opened(world: World, start: Start, parent: MediatedRun | None = None) -> MediatedRun:
    """A run that has not begun: nothing is recorded yet."""
    clocks = world.clocks
    id = start.id if start.id is not None else clocks.new_id()
    attended = start.attended if parent is None else parent.history.attended and start.attended
    history = world.policy.run(id=id, attended=attended)
    return MediatedRun(
        world=world, id=id, root=_root(start, id, parent), parent=parent, history=history,
        principal=start.principal, agent=start.agent, context=dict(start.context or {}), salt=clocks.salt(),
        begun=clocks.monotonic(), task=start.task, deadline=None if parent is None else parent.deadline,
    )  # fmt: skip


def _root(start: Start, id: str, parent: MediatedRun | None) -> str:
    if parent is not None:
        return parent.root
    return id if start.conversation is None else start.conversation


def begin(run: MediatedRun, start: Start) -> Flow[None]:
    """Bound the run, record it, and decide what it was asked (`@input`). Raises `Denied` where that may not be asked."""
    world = run.world
    _bound(run, start.within)
    agent = fields_of(run.agent)
    if world.telemetry is not None:
        attributes = {"gen_ai.conversation.id": run.id, "policy.digest": world.policy.digest, "policy.mode": world.mode}
        run.span = world.telemetry.begin("invoke_agent", str(agent.get("id", "agent")), attributes)
    body: RunBegun = {
        "parent": None if run.parent is None else run.parent.id, "root": run.root, "policy": world.policy.digest,
        "mode": world.mode, "agent": _text(agent.get("id")), "model": _text(agent.get("model")),
        "prompt_version": _text(agent.get("prompt_version")), "attended": run.history.attended,
        "deadline": None if run.deadline is None else run.deadline - run.begun, "started": run.history.started.nanos,
    }  # fmt: skip
    if run.task is not None:
        body["task"] = run.task
    payloads = {
        "principal": fields_of(run.principal), "agent": agent, "context": dict(run.context), "salt": run.salt,
    }  # fmt: skip
    if start.input is not None:
        payloads["input"] = start.input
    if start.inherited:
        payloads["inherited"] = [[said, [[at.label, at.path, at.add] for at in labels]] for said, labels in start.inherited]
    at = world.clocks.now()
    if start.past:
        payloads["past"] = past_data(start.past)
    try:
        _written(run, Record("run.begun", at, run.id, None, body, payloads), _UNRECORDED)
    except Denied:
        run.open = False
        raise
    for said, inherited in start.inherited:
        run.history.put_input(said, labels=inherited)
    if start.past:
        who = {"principal": run.principal, "agent": run.agent, "context": run.context, "at": datetime_of(Timestamp(at))}
        remember(world.policy, run.history, past_of(past_data(start.past), who))
    try:
        yield from _asked(run, start)
    except BaseException as refused:
        with suppress(Denied):
            end(run, False, type(refused).__name__)
        raise


def _asked(run: MediatedRun, start: Start) -> Flow[None]:
    """Decide that it begins, and what it is asked."""
    yield from happen(run, "@run", {})
    if start.input is not None:
        mine = run.parent is None
        fields = {"text": start.input, "source": "user" if mine else "agent", "verified": mine}
        yield from happen(run, "@input", fields, start.labels)


def _bound(run: MediatedRun, within: timedelta | None) -> None:
    """The earliest of: the host's bound, the policy's on `@run`, the parent's."""
    nanos = [] if within is None else [round(within.total_seconds() * 1e9)]
    moment = datetime_of(Timestamp(run.world.clocks.now()))
    event = Event(name="@run", fields={}, principal=run.principal, agent=run.agent, context=run.context, at=moment)
    longest = run.world.policy.bounds.event_timeout(event, run=run.history)
    if longest is not None:
        nanos.append(round(longest.after.total_seconds() * 1e9))
    ends = [run.begun + length for length in nanos]
    if run.deadline is not None:
        ends.append(run.deadline)
    run.deadline = min(ends, default=None)


def end(run: MediatedRun, completed: bool, cause: str | None) -> None:
    """Close the run: nothing passes in it from now on. Raises `Denied` where that cannot be recorded; the run is closed all the
    same."""
    run.open = False
    if run.span is not None:
        run.span.end(cause)
    if completed and run.per_run and run.root == run.id:
        with suppress(Exception):  # they only take place
            run.world.counters.forget(sorted(run.per_run))
    body: RunEnded = {
        "completed": completed, "cause": cause, "calls": run.made,
        "duration": run.world.clocks.monotonic() - run.begun, "parent": None if run.parent is None else run.parent.id,
    }  # fmt: skip
    if run.resumed:
        body["resumed"] = True
    _written(run, Record("run.ended", run.world.clocks.now(), run.id, None, body, {}), _UNENDED)


def asked_for(run: MediatedRun, id: str) -> tuple[Question, ...]:
    """The open questions that a call of this run waits for."""
    known = run.calls.get(id)
    return () if known is None else run.world.people.open_for(known.name)


def user_says(run: MediatedRun, question: str, approved: bool, reason: str) -> None:
    """What the human of this conversation answers, who is the run's principal. Raises `NotAsked` in any other queue."""
    record = fields_of(run.principal)
    answer: OneOf["approved", "refused"] = "approved" if approved else "refused"
    run.world.people.answer_as_user(question, answer, record, run.world.clocks.now(), reason=reason)


def given_up(run: MediatedRun, id: str) -> None:
    """A call that waits for people will not be asked again: nothing is held for it, and nobody needs to answer."""
    known = run.calls.get(id)
    if known is None or known.busy or known.made is not None or known.earlier is not None:
        raise LookupError(f"no call {id!r} of this run waits for people")
    del run.calls[id]
    run.world.counters.refund(known.name, now=run.world.clocks.now())
    withdraw(run, known.name)


def planned(run: MediatedRun, tools: Iterable[str]) -> None:
    """The agent says which tools it will call, in order. Decides nothing; coherence is measured against it. Raises `Denied` where
    it cannot be recorded."""
    body: PlanBody = {"tools": [str(tool) for tool in tools]}
    _written(run, Record("plan", run.world.clocks.now(), run.id, None, body, {}), _UNPLANNED)


def _written(run: MediatedRun, record: Record, said: str) -> None:
    """Write it down; raises `Denied` where that fails."""
    try:
        write(run, record)
    except Exception as fault:
        told = f"{said} ({type(fault).__name__})"
        raise Denied(said, refusal(run.world.policy, "@run", "not_available", said, told)) from None


@dataclass(frozen=True, slots=True)
class Delegation:
    """A sub-agent's run that has not begun, and how it is to begin."""

    run: MediatedRun
    start: Start


def delegated(parent: MediatedRun, agent: str, tools: Iterable[str] | None, text: str, start: Start) -> Flow[Delegation]:
    """Decide the hand-over (`@delegate`) and open the run of the sub-agent.

    It has the same principal and context, at most the parent's tools and time, and the user's words that the parent has;
    `text` is the parent agent's, not the user's, and carries the labels that it carries there.
    """
    wanted = parent.only if tools is None else frozenset(tools) & (parent.only or frozenset(tools))
    passed = yield from happen(parent, "@delegate", {"agent": agent, "tools": sorted(wanted or ()), "text": text})
    text = str(passed["text"] if isinstance(passed, dict) else passed)
    delegate = {**_told(start), "id": agent, "delegated_by": _text(fields_of(parent.agent).get("id")) or ""}
    view = parent.history.snapshot()
    narrowed = replace(
        start, principal=parent.principal, context=parent.context, agent=delegate, input=text,
        labels=tuple(view.labels(text)), inherited=tuple((dict(said.fields), said.labels) for said in view.inputs),
    )  # fmt: skip
    child = opened(parent.world, narrowed, parent)
    child.only = wanted
    return Delegation(child, narrowed)


def _told(start: Start) -> dict[str, Any]:
    """What the host says of the sub-agent's model; who delegated is not its to say."""
    return {name: value for name, value in fields_of(start.agent).items() if name not in ("id", "delegated_by")}


def fields_of(who: Principal | Mapping[str, Any] | str | None) -> dict[str, Any]:
    """A principal or agent as a record."""
    if who is None:
        return {}
    if isinstance(who, str):
        return {"id": who}
    return dict(who.fields if isinstance(who, Principal) else who)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


