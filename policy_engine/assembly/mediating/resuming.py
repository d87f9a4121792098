"""A run goes on where another process left it: its history, the calls it knows and its time are built up from the audit.

What was made is not made again: the same id gets the answer that is recorded, or hears that it may have been made.
"""

from __future__ import annotations

from typing import Any, Final

from policy_engine.assembly.redo import Again, Answers
from policy_engine.assembly.replaying import Inexact, Replay
from policy_engine.audit.entries import Entry, entry_of
from policy_engine.base.records import RunResumed
from policy_engine.base.request import Request
from policy_engine.base.values import Timestamp, outward
from policy_engine.runtime.mediation.lifecycle import Start, fields_of
from policy_engine.runtime.mediation.recording import write
from policy_engine.runtime.mediation.runs import Earlier, KnownCall, MediatedRun
from policy_engine.runtime.mediation.world import World
from policy_engine.runtime.ports.audit import Record
from policy_engine.runtime.ports.ledger import Ledger
from policy_engine.runtime.trace.run import Run

_OWN: Final = "#"


class NotResumable(Exception):
    """A run that cannot go on; says why."""


def resumed(world: World, ledger: Ledger, start: Start) -> MediatedRun:
    """The run `start.id`, as its records tell it. Raises `NotResumable`, and what the ledger and the log raise."""
    entries = [entry_of(row) for row in ledger.rows(run=start.id or "")]
    begun = next((entry for entry in entries if entry.kind == "run.begun"), None)
    if begun is None:
        raise NotResumable(f"the log tells of no run {start.id!r}")
    if begun.body.get("parent") is not None:
        raise NotResumable(f"run {start.id!r} is a sub-agent's: resume the one that delegated to it")
    _same(begun, "principal", fields_of(start.principal))
    run = _run(world, start, begun, entries)
    for entry in entries:
        _know(run, entry)
    body: RunResumed = {"policy": world.policy.digest, "mode": world.mode_now(), "seen": run.history.length}
    write(run, Record("run.resumed", world.clocks.now(), run.id, None, body))
    return run


def _same(begun: Entry, name: str, given: dict[str, Any]) -> None:
    """Nobody goes on with somebody else's run."""
    payload = begun.payloads.get(name)
    if payload is None or payload.kept != "whole" or payload.value != given:
        raise NotResumable(f"run {begun.run!r} is not known to be this {name}'s")


def _run(world: World, start: Start, begun: Entry, entries: list[Entry]) -> MediatedRun:
    salt = begun.value("salt")
    if not isinstance(salt, bytes):
        raise NotResumable(f"the payloads of run {begun.run!r} were not kept, so its calls cannot be told apart")
    history, clocks = _history(world, entries, begun.run), world.clocks
    run = MediatedRun(
        world=world, id=begun.run, root=begun.body.get("root", begun.run), parent=None, history=history,
        principal=start.principal, agent=start.agent,
        context=dict(start.context or {}), salt=salt, begun=clocks.monotonic(), task=begun.body.get("task"), resumed=True,
    )  # fmt: skip
    run.note(bytes.fromhex(entries[-1].digest))
    bound = begun.body.get("deadline")
    if bound is not None:
        run.deadline = clocks.monotonic() + begun.at + bound - clocks.now()
    return run


def _history(world: World, entries: list[Entry], run: str) -> Run:
    """What conditions read of the run. Its clock shows the recorded moments first, and is the mediator's from then on."""
    again = Again(world.policy, {}, Answers(), Timestamp(0))
    live = False

    def now() -> Timestamp:
        return Timestamp(world.clocks.now()) if live else again.now

    again.policy = world.policy.timed(now)
    try:
        history = Replay(entries, lambda digest: again).whole(again)
    except Inexact as fault:
        raise NotResumable(f"run {run!r} {fault}") from None
    live = True
    return history


def _know(run: MediatedRun, entry: Entry) -> None:
    """What a record tells of a call: that it was let pass, and perhaps what came of it."""
    own = (entry.call or "").partition("/")[2]
    if own.startswith(_OWN) and own[1:].isdigit():
        while next(run.numbers) < int(own[1:]):
            pass
        return
    if not own or own.startswith(_OWN):
        return
    if entry.kind == "decision" and entry.body["effect"] == "allow":
        run.calls[own] = KnownCall(entry.body["event"], entry.call or "", "", earlier=Earlier("unknown"))
    elif entry.kind == "outcome" and own in run.calls:
        known = run.calls[own]
        if entry.body["status"] != "returned":
            harmless = entry.body["status"] == "error" or run.world.policy.bounds.repeatable(Request(tool=entry.body["tool"]))
            known.earlier = None if harmless else Earlier("unknown")
            return
        name = "shown" if "shown" in entry.said else "result"
        payload = entry.payloads.get(name)
        seen = entry.body["effect"] in ("pass", "redact") and payload is not None and payload.kept == "whole"
        known.earlier = Earlier("returned", outward(payload.value)) if seen and payload is not None else Earlier("hidden")
