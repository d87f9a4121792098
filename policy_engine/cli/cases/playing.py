"""Plays cases against their policy and compares: each difference is a line of what was expected and what came."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from policy_engine.base.decision import Decision
from policy_engine.base.source import Span
from policy_engine.cli.cases.model import ANYTHING, Case, Expectation
from policy_engine.cli.traffic.answers import plain
from policy_engine.cli.traffic.entries import CallEntry, EntryError
from policy_engine.cli.traffic.player import Player
from policy_engine.runtime.engine import Policy


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that came out otherwise."""

    what: str
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that came out otherwise. `why` is the decision's own detail, for whoever looks into it."""

    span: Span
    differences: tuple[Difference, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a case went, and which rules took part in it."""

    case: Case
    failures: tuple[Failure, ...]
    reached: frozenset[str]


def play(policy: Policy, case: Case) -> Verdict:
    """Play one case from a fresh start."""
    player = Player(policy)
    failures: list[Failure] = []
    reached: set[str] = set()
    for step in case.steps:
        try:
            if isinstance(step.entry, CallEntry):
                reached.update(one.rule for one in player.explain(step.entry).rules if one.came_to == "true")
            decision = player.play(step.entry)
        except EntryError as fault:
            failures.append(Failure(step.span, (Difference("step", "a step that can be played", str(fault)),), ""))
            break
        reached.update(decision.rules, decision.observed, (one.rule for one in decision.obligations))
        if step.expect is not None:
            differences = tuple(compare(step.expect, decision))
            if differences:
                failures.append(Failure(step.expect.span, differences, decision.detail))
    return Verdict(case, tuple(failures), frozenset(reached))


def compare(expect: Expectation, decision: Decision) -> Iterable[Difference]:
    """Where a decision is not what was expected."""
    if expect.effect is not None and expect.effect != decision.effect:
        yield Difference("effect", expect.effect, decision.effect)
    lists = (
        ("rules", expect.rules, decision.rules),
        ("errors", expect.errors, tuple(sorted({error.rule for error in decision.errors}))),
        ("observed", expect.observed, decision.observed),
    )
    for what, wanted, got in lists:
        if wanted is not None and not _same_rules(wanted, got):
            yield Difference(what, _row(wanted), _row(got))
    queues = tuple(sorted(ask.queue for ask in decision.asks))
    if expect.asks is not None and tuple(sorted(expect.asks)) != queues:
        yield Difference("asks", _row(expect.asks), _row(queues))
    labels = tuple(sorted({label.label for label in decision.labels if label.add}))
    if expect.labels is not None and tuple(sorted(set(expect.labels))) != labels:
        yield Difference("labels", _row(expect.labels), _row(labels))
    yield from _compare_words(expect, decision)
    for what, wanted_value, got_value in (("args", expect.args, decision.args), ("result", expect.result, decision.result)):
        if wanted_value is not ANYTHING and _shown(wanted_value) != _shown(got_value):
            yield Difference(what, _shown(wanted_value), _shown(got_value))


def _compare_words(expect: Expectation, decision: Decision) -> Iterable[Difference]:
    for what, wanted, got in (("reason", expect.reason, decision.reason), ("detail", expect.detail, decision.detail)):
        if wanted is not None and wanted.casefold() not in got.casefold():
            yield Difference(what, f"something with “{wanted}”", got or "nothing")
    if expect.hint is None:
        return
    hint = decision.hint
    if expect.hint is False and hint is not None:
        yield Difference("hint", "none", hint)
    elif isinstance(expect.hint, str) and expect.hint.casefold() not in (hint or "").casefold():
        yield Difference("hint", f"something with “{expect.hint}”", hint or "none")


def _same_rules(wanted: Iterable[str], got: Iterable[str]) -> bool:
    """Whether the ids are those that were written, the policy's name left out or not."""
    left = sorted(got)
    for name in wanted:
        match = next((one for one in left if one == name or one.rpartition("/")[2] == name), None)
        if match is None:
            return False
        left.remove(match)
    return not left


def _row(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _shown(value: Any) -> str:
    """A value for comparison: whole floats equal ints, as they do in CEL."""
    return json.dumps(_folded(plain(value)), sort_keys=True, ensure_ascii=False)


def _folded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _folded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_folded(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
