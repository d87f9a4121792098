"""Makes recorded decisions again from the audit alone, and compares: `policy audit redo`.

A run is built up again from its records as far as a decision had seen it (`seen`); then the policy of that moment decides the
same request at the same moment, with the answers of people and functions that were recorded. What a payload no longer
tells (masked, erased, digest) is not guessed: such a decision «cannot be redone exactly».
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal as OneOf

from policy_engine.assembly.redo import Again, loaded_again
from policy_engine.assembly.replaying import DECIDED, Inexact, Replay, recorded_of
from policy_engine.audit.encoding import parsed, to_json, written
from policy_engine.audit.entries import Entry, entry_of
from policy_engine.audit.log import ABOUT
from policy_engine.base.decision import Decision
from policy_engine.base.obligations import plain_obligations
from policy_engine.base.provision import Provision, ProvisionError
from policy_engine.runtime.ports.ledger import Ledger
from policy_engine.stores.memory.history import MemoryHistory

_STANDING = ("limit", "breaker", "busy", "store")
"""Refusals that came after the policy had let a call pass; any other may have come before it was asked."""


@dataclass(frozen=True, slots=True)
class Redone:
    """What came of one. `problem` says what differs, or why it cannot be redone exactly; `note` what else is to be known."""

    entry: Entry
    verdict: OneOf["equal", "differs", "inexact"]
    problem: str = ""
    note: str = ""


class Redo:
    """Makes decisions of one log again. Policies are loaded once each."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._policies: dict[str, Again | str] = {}
        self._answers: list[Entry] | None = None
        self._unended: str | None = None

    def redo(self, wanted: Callable[[Entry], bool], *, runs: Iterable[str] | None = None) -> Iterator[Redone]:
        """Make those decisions again, in the order of the log. `runs`: only those have any."""
        entries = self._entries(runs)
        self._unended = _unended(entries)
        replays: dict[str, Replay] = {}
        by_run: dict[str, list[Entry]] = {}
        for entry in entries:
            if entry.run:
                by_run.setdefault(entry.run, []).append(entry)
        for entry in entries:
            if entry.kind not in DECIDED and not entry.kind.startswith("run."):
                continue
            if entry.run not in replays:
                replays[entry.run] = Replay(by_run[entry.run], self._policy)
            replay = replays[entry.run]
            asked = entry.kind in DECIDED and wanted(entry)
            if asked or replay.keeps:
                found = self._one(replay, entry, asked)
                if found is not None:
                    yield found

    def _entries(self, runs: Iterable[str] | None) -> list[Entry]:
        """The records of the runs; of all runs where a policy keeps calls across them."""
        if runs is not None:
            found = [entry_of(row) for run in sorted(set(runs)) for row in self._ledger.rows(run=run)]
            digests = {entry.body["policy"] for entry in found if isinstance(entry.body.get("policy"), str)}
            known = [self._policy(digest) for digest in digests]
            if not any(isinstance(one, Again) and one.policy.compiled.histories for one in known):
                return sorted(found, key=lambda entry: entry.sequence)
        return list(map(entry_of, self._ledger.rows()))

    def _policy(self, digest: str) -> Again | str:
        """The policy of a digest, or why there is none."""
        if digest not in self._policies:
            self._policies[digest] = self._loaded(digest)
        return self._policies[digest]

    def _loaded(self, digest: str) -> Again | str:
        kept = self._ledger.policy(digest)
        if kept is None or ABOUT not in kept:
            return f"the policy {digest[:12]} was not kept"
        sources = {name: content for name, content in kept.items() if name != ABOUT}
        try:
            about = parsed(kept[ABOUT])
            again = loaded_again(Provision(sources, about), history=MemoryHistory())
        except (ProvisionError, ValueError) as fault:
            return str(fault)
        if again.engine is None and again.policy.digest != digest:
            return f"what was kept of the policy {digest[:12]} is another policy: verify the log"
        if any(one["pure"] for one in about["functions"]):
            for entry in self._answering():
                again.answers.add(recorded_of(entry.value("recorded")) or ())
        return again

    def _answering(self) -> list[Entry]:
        if self._answers is None:
            entries = map(entry_of, self._ledger.rows())
            self._answers = [entry for entry in entries if "recorded" in entry.said]
        return self._answers

    def _one(self, replay: Replay, entry: Entry, asked: bool) -> Redone | None:
        try:
            decision, note = replay.decide(entry)
        except Inexact as fault:
            return Redone(entry, "inexact", str(fault)) if asked else None
        if not asked:
            return None
        problem = "" if decision is None else difference(entry, decision)
        unread = {tuple(error) for error in entry.body.get("errors", ()) if error[1] == "not_available"}
        if problem and unread - {(one.rule, one.kind, one.place) for one in (decision.errors if decision else ())}:
            return Redone(entry, "inexact", f"cannot be redone exactly: something could not be read then ({problem})", note)
        if problem and replay.keeps and self._unended is not None:
            missing = f"what came of {self._unended} is not recorded, and may count in a history"
            return Redone(entry, "inexact", f"cannot be redone exactly: {missing} ({problem})", note)
        if problem and replay.gap is not None:
            missing = f"entry {replay.gap} of the run's trace is told by no record"
            return Redone(entry, "inexact", f"cannot be redone exactly: {missing} ({problem})", note)
        return Redone(entry, "differs" if problem else "equal", problem, note)


def _unended(entries: Iterable[Entry]) -> str | None:
    """A call that was let through, and of which no outcome was recorded."""
    open_calls: dict[str, None] = {}
    for entry in entries:
        if entry.kind == "decision" and entry.body["effect"] == "allow":
            open_calls[entry.call or ""] = None
        elif entry.kind == "outcome":
            open_calls.pop(entry.call or "", None)
    return next(iter(open_calls), None)


def difference(entry: Entry, made: Decision) -> str:
    """What differs between a record and the decision made again; empty where nothing does."""
    body = entry.body
    cause = body.get("cause", "policy")
    if cause != "policy":
        denied = cause in _STANDING and made.effect in ("deny", "fail", "withhold")
        return f"was refused by {cause}, but the policy refuses it now" if denied else ""
    compared: list[tuple[str, Any, Any]] = [
        ("effect", body["effect"], made.effect),
        ("rules", list(body["rules"]), list(made.rules)),
        ("errors", body.get("errors", []), [[error.rule, error.kind, error.place] for error in made.errors]),
        ("observed", body.get("observed", []), list(made.observed)),
    ]
    if entry.kind == "decision":
        compared.append(("arguments", _json(entry, "args"), to_json(made.engine_args)))
        if made.degradation is not None or "instead" in body:
            compared.append(("what happens instead", body.get("instead"), made.degradation and made.degradation.kind))
    if entry.kind == "outcome":
        labels = [[put.rule, put.label, put.path, put.add] for put in made.labels]
        compared.append(("labels", [list(label) for label in body.get("labels", [])], labels))
    if entry.kind != "decision" and "shown" in entry.said:
        compared.append(("what the agent saw", _json(entry, "shown"), to_json(made.engine_result)))
    if "owed" in entry.said:
        said, values = plain_obligations(made.obligations)
        compared += [("obligations", body.get("owes"), said), ("what is owed", _json(entry, "owed"), to_json(values))]
    wrong = [f"{what}: was {_told(before)}, is {_told(now)}" for what, before, now in compared if before != now]
    return "; ".join(wrong)


def _json(entry: Entry, name: str) -> Any:
    return to_json(entry.value(name))


def _told(value: Any) -> str:
    text = written(value).decode()
    return text if len(text) < 200 else f"{text[:200]}…"


def counted(found: Iterable[Redone]) -> Mapping[str, int]:
    """How many were equal, differed, or could not be redone exactly."""
    counts = {"equal": 0, "differs": 0, "inexact": 0}
    for one in found:
        counts[one.verdict] += 1
    return counts
