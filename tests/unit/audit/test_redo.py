"""Decisions are made again from the store alone, whatever became of the policy's files and of the host's functions."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from policy_engine import Agent, Approval, HostFunction, Policy, PolicyError, Principal, Request, load, loads
from policy_engine.assembly.redoing import Redo, Redone, counted
from policy_engine.audit.erasing import erase
from policy_engine.audit.log import ABOUT, Audit
from policy_engine.audit.payloads import Keeping
from policy_engine.runtime.ports.ledger import Ledger, Row
from policy_engine.stores.memory.ledger import MemoryLedger
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.ledger import SqliteLedger
from tests.oracle.compare import clock
from tests.oracle.drawn import TOOLS, arguments, request, schemas
from tests.oracle.policies import DATA, Drawn, drawn, drawn_events, drawn_results
from tests.unit.audit.driver import Host

START = 1_769_790_000_000_000_000
WANTED = 1000


def redone(ledger: Ledger, **options: Any) -> list[Redone]:
    return list(Redo(ledger).redo(lambda entry: True, **options))


def problems(found: list[Redone]) -> list[str]:
    return [f"{one.entry.sequence} {one.entry.kind} {one.verdict}: {one.problem}" for one in found if one.verdict != "equal"]


def written(policy: Drawn, folder: Path) -> Policy | None:
    """A drawn policy as files in a folder, loaded."""
    folder.mkdir()
    for name, text in {"tools.json": schemas(), "limits.json": DATA, **policy.files}.items():
        (folder / ("main.policy" if name == "policy" else name)).write_text(text)
    try:
        return load(folder / "main.policy", params=dict(policy.params), clock=clock)
    except PolicyError:
        return None


def played(host: Host, draw: random.Random, shaped: bool, kind: str) -> None:
    """A drawn trace: what the user said, calls that return, fail, or wait for people, events."""
    host.event("@input", text=draw.choice(("refund a", "ab and b@x.org please", "50")))
    for number in range(14):
        if kind == "events" and number % 2:
            text = draw.choice(("a", "b and c", ""))
            host.event(draw.choice(("@answer", "@step")), text=text, kind="plan", data={"n": 1}, tokens=3, cost=0.5)
            continue
        asked = request(draw, shaped)
        if kind == "results":
            tool = draw.choice(sorted(TOOLS))
            asked = Request(tool=tool, args=arguments(draw, tool))
        result = draw.choice(({"ok": True, "text": "ab b"}, {"items": [1, 2], "meta": {"owner": "a"}}, "text", [1.0, None], 7))
        decision = host.call(asked, result, fails=draw.choice((None, None, "no such order")), cost=draw.choice((0.0, 3.5)))
        if decision.effect == "escalate":
            answers = tuple(
                Approval(
                    rule=ask.rule, queue=ask.queue, digest=ask.digest, expires=ask.expires, approver={"id": f"p{one}"},
                    answer=draw.choice(("approved", "approved", "refused", "silent")),
                )
                for ask in decision.asks for one in range(ask.count)
            )  # fmt: skip
            host.at -= 1_000_000_000
            host.call(asked, result, approvals=answers, id=f"again{number}")


@pytest.mark.slow
def test_a_thousand_decisions_are_equal_after_their_policies_are_gone(tmp_path: Path) -> None:
    """Drawn policies and traces; then every file is changed or deleted. All decisions, results and events: equal."""
    database = Database(tmp_path / "state.db")
    ledger = SqliteLedger(database)
    audit = Audit(ledger, payloads="whole")
    effects: Counter[str] = Counter()
    seed = 0
    while sum(effects.values()) < WANTED:
        seed += 1
        kind = ("calls", "calls", "results", "events")[seed % 4]
        policy = {"calls": drawn, "results": drawn_results, "events": drawn_events}[kind](seed)
        engine = written(policy, tmp_path / str(seed))
        if engine is None:
            continue
        draw = random.Random(seed)
        host = Host(
            audit, engine, f"run{seed}", at=START + seed * 10**12,
            principal=Principal(id="u1", role="lead", level=draw.choice((1, 5))), agent=Agent(id="bot"), context={"env": "dev"},
        )  # fmt: skip
        played(host, draw, policy.shaped, kind)
        effects.update(entry.body["effect"] for entry in audit.entries(run=host.id) if entry.kind == "decision")
    for number, file in enumerate(sorted(tmp_path.rglob("*.policy"))):
        file.unlink() if number % 2 else file.write_text("policy other\n")
    found = redone(ledger)
    bad = problems(found)[:2]
    assert not bad, "\n".join(bad)
    assert counted(found)["equal"] == len(found) > WANTED
    assert min(effects[effect] for effect in ("allow", "deny", "escalate")) > 20


TEXT = """policy desk
queues ops
history mine by principal.id for 30d
allow small on crm.refund when args.amount <= 50.0 && run.calls.size() < 3
allow known on crm.lookup when said(args.id) && risk(args.id) < 0.5 && short(args.id)
deny again on crm.refund when mine.calls.exists(c, c.tool == "crm.refund" && c.args.amount > 40.0)
rewrite card on crm.refund redact args.?card
"""


def desk(asked: list[str]) -> Policy:
    def risk(text: str) -> float:
        asked.append(text)
        return len(asked) / 10

    functions = [
        HostFunction("risk", ["string"], "double", risk, deadline=timedelta(seconds=5)),
        HostFunction("short", ["string"], "bool", lambda text: len(text) < 3, pure=True),
    ]
    return loads(TEXT.replace("rewrite card on crm.refund redact args.?card\n", ""), functions=functions)


def story(payloads: Keeping) -> Audit:
    """Two runs of one person, whose history counts in both."""
    audit = Audit(MemoryLedger(), payloads=payloads)
    policy = desk([])
    for run in ("r1", "r2"):
        host = Host(audit, policy, run, at=policy._core.clock().nanos, principal={"id": "u1"}, agent={}, context={})
        host.event("@input", text="look up a7 and b8, password: hunter2!")
        for id in ("a7", "b8", "a7", "long one"):
            host.call(Request(tool="crm.lookup", args={"id": id}), {"ok": True})
        for amount in (10.0, 45.0, 20.0):
            host.call(Request(tool="crm.refund", args={"amount": amount}), {"ok": True})
    return audit


def test_what_functions_of_the_host_answered_is_taken_from_the_record() -> None:
    """Pure or not, nobody asks them; histories across runs are built up again."""
    found = redone(story("whole").ledger)
    assert problems(found) == []
    assert {"allow", "deny"} <= {one.entry.body["effect"] for one in found if one.entry.kind == "decision"}


def test_a_changed_record_is_told() -> None:
    """The effect that stands in the log is compared, not believed."""
    audit = story("whole")
    rows = audit.ledger._rows  # type: ignore[attr-defined]
    number = next(index for index, row in enumerate(rows) if b'"effect":"allow"' in row[4] and b'"decision"' in row[4])
    row = Row(*rows[number])
    rows[number] = row._replace(data=row.data.replace(b'"effect":"allow"', b'"effect":"deny"'))
    found = [one for one in redone(audit.ledger) if one.verdict == "differs"]
    assert found[0].entry.sequence == number + 1 and 'effect: was "deny", is "allow"' in found[0].problem


@pytest.mark.parametrize(("payloads", "why"), [("masked", "was masked"), ("digests", "only a digest was kept")])
def test_what_was_not_kept_whole_is_not_called_equal(payloads: Keeping, why: str) -> None:
    """Masked or kept as digests, in the decision or in the run before it: it cannot be redone exactly, and why."""
    found = redone(story(payloads).ledger)
    assert {one.verdict for one in found} == {"inexact"}
    assert all(one.problem.startswith("cannot be redone exactly: ") and why in one.problem for one in found)


def test_what_was_erased_is_not_called_equal() -> None:
    """The other run, whose payloads stand, is; where no history joins them."""
    audit = Audit(MemoryLedger(), payloads="whole")
    policy = loads("policy p\nallow a on crm.t when args.n == 1\n")
    for run in ("r1", "r2"):
        Host(audit, policy, run, at=5, principal={}, agent={}, context={}).call(Request(tool="crm.t", args={"n": 1}))
    assert erase(audit, run="r1") == 3
    assert [one.verdict for one in redone(audit.ledger)] == ["inexact", "inexact", "equal", "equal"]
    assert [one.verdict for one in redone(audit.ledger, runs=["r2"])] == ["equal", "equal"]


def test_a_policy_that_was_not_kept_is_told() -> None:
    """Nothing is guessed."""
    audit = story("whole")
    audit.ledger._policies.clear()  # type: ignore[attr-defined]
    assert "was not kept" in redone(audit.ledger)[0].problem


def test_a_policy_that_was_changed_in_the_store_is_told() -> None:
    """Its digest is that of its sources."""
    audit = Audit(MemoryLedger(), payloads="whole")
    policy = loads("policy p\nallow a on crm.t\n")
    Host(audit, policy, "r1", at=5, principal={}, agent={}, context={}).call(Request(tool="crm.t"))
    kept = dict(audit.ledger.policy(policy.digest) or {})
    kept["policy"] = b"policy p\nallow b on crm.t\n"
    audit.ledger._policies[policy.digest] = kept  # type: ignore[attr-defined]
    assert ABOUT in kept and "verify the log" in redone(audit.ledger)[0].problem


def test_a_refusal_by_a_limit_is_taken_over() -> None:
    """The policy let it pass then and does now; that a limit was reached is an input."""
    audit = Audit(MemoryLedger(), payloads="whole")
    policy = loads("policy p\nallow a on crm.t when args.n == 1\n")
    host = Host(audit, policy, "r1", at=5, principal={}, agent={}, context={})
    host.call(Request(tool="crm.t", args={"n": 1}))
    ledger = audit.ledger
    (row,) = [row for row in ledger.rows() if b'"kind":"decision"' in row.data]
    limited = row.data.replace(b'"effect":"allow"', b'"effect":"deny"').replace(b'"cause":"policy"', b'"cause":"limit"')
    ledger._rows[row.sequence - 1] = row._replace(data=limited)  # type: ignore[attr-defined]
    assert redone(ledger)[0].verdict == "equal"
