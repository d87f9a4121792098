"""`history NAME by KEY for D`: calls kept across runs, per key, for a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from policy_engine import Policy, load
from policy_engine.assembly.loading import loads
from policy_engine.base.limits import MAX_SCANNED_CALLS
from policy_engine.base.request import Outcome, Principal, Request
from policy_engine.base.values import Timestamp
from policy_engine.stores.memory import history
from policy_engine.stores.memory.history import MemoryHistory

TEXT = """policy p
history customer by args.customer for 30d
history user by principal.id for 1h
let often(n) = customer.calls.filter(c, c.tool == "crm.refund").size() >= n
allow all on crm.refund, crm.look
deny thrice on crm.refund when often(2)
deny busy on crm.look when user.attempts.size() > 2 || args.all(k, customer.calls.exists(args, args.tool == k))
"""
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def policy_at(moment: list[datetime], **more: Any) -> Policy:
    return loads(TEXT, clock=lambda: moment[0], **more)


def refund(policy: Policy, customer: Any, *, user: str = "u1", at: datetime = NOW, tool: str = "crm.refund") -> Any:
    """Decide a call in a run of its own, and record it if it was allowed."""
    request = Request(tool=tool, args={"customer": customer}, principal=Principal(id=user), at=at)
    run = policy.run()
    decision = policy.decide(request, run=run)
    if decision.allowed:
        run.record(request, Outcome(result="done"), decision=decision)
    return decision


def test_calls_of_other_runs_count_for_the_same_key() -> None:
    """Two refunds of a customer in two runs, and the third is refused; another customer's is not."""
    policy = policy_at([NOW])
    assert refund(policy, "c1").allowed and refund(policy, "c1").allowed
    assert refund(policy, "c1").rules == ("p/thrice",)
    assert refund(policy, "c2").allowed and refund(policy, "c1").effect == "deny"


def test_a_call_counts_for_as_long_as_it_is_kept() -> None:
    """Thirty days, and not a moment longer."""
    policy = policy_at([NOW])
    assert refund(policy, "c1").allowed and refund(policy, "c1", at=NOW + timedelta(hours=1)).allowed
    assert not refund(policy, "c1", at=NOW + timedelta(days=30)).allowed
    assert refund(policy, "c1", at=NOW + timedelta(days=30, seconds=1)).allowed


def test_equal_numbers_are_one_key_and_other_kinds_are_not() -> None:
    """1 and 1.0 are equal to conditions, so they are to histories."""
    policy = policy_at([NOW])
    assert refund(policy, 1).allowed and refund(policy, 1.0).allowed
    assert not refund(policy, 1).allowed
    assert refund(policy, "1").allowed and refund(policy, True).allowed


def test_a_key_that_is_an_error_makes_conditions_errors() -> None:
    """Each that reads the history, on the safe side; a call without a key is kept under none."""
    policy = policy_at([NOW])
    run = policy.run()
    request = Request(tool="crm.refund", args={}, principal=Principal(id="u1"))
    decision = policy.decide(request, run=run)
    assert decision.rules == ("p/thrice",) and [error.kind for error in decision.errors] == ["no_such_field"]
    run.record(request, Outcome(result=1))
    assert [error.kind for error in refund(policy, [1]).errors] == ["no_such_overload"]
    assert refund(policy, "c1").allowed


def test_a_running_call_becomes_what_it_comes_to() -> None:
    """It is one attempt, and a call once it has returned."""
    policy = policy_at([NOW])
    run = policy.run()
    request = Request(tool="crm.refund", args={"customer": "c1"}, principal=Principal(id="u1"), id="x", at=NOW)
    for _ in range(3):
        run.record(request, Outcome(status="running"))
    assert refund(policy, "c1").allowed
    run.record(request, Outcome(result=1))
    assert not refund(policy, "c1").allowed


def test_policies_share_a_store_that_they_are_given() -> None:
    """Each has its own otherwise."""
    store = MemoryHistory()
    first, second, alone = (policy_at([NOW], history=store), policy_at([NOW], history=store), policy_at([NOW]))
    assert refund(first, "c1").allowed and refund(second, "c1").allowed
    assert not refund(first, "c1").allowed and not refund(second, "c1").allowed and refund(alone, "c1").allowed


def test_a_store_that_fails_refuses() -> None:
    """What was not kept must not count as not having happened."""

    class Broken(MemoryHistory):
        def put(self, *_: Any, **__: Any) -> None:
            raise OSError

    policy = policy_at([NOW], history=Broken())
    assert refund(policy, "c1").allowed
    assert [error.kind for error in refund(policy, "c1").errors] == ["not_available"]


def test_more_than_may_be_scanned_or_kept_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never silence."""
    store = MemoryHistory()
    policy = policy_at([NOW], history=store)
    element = {"tool": "crm.look", "args": {}, "result": None, "outcome": "returned", "at": Timestamp(0), "labels": [], "id": ""}
    element["at"] = Timestamp(int(NOW.timestamp()) * 10**9)
    for number in range(MAX_SCANNED_CALLS + 1):
        store.put("p/customer", "text:c1", str(number), element, keep_nanos=10**18)
    assert [error.kind for error in refund(policy, "c1").errors] == ["too_costly"]
    assert refund(policy, "c2").allowed
    monkeypatch.setattr(history, "MAX_KEPT_CALLS", 10)
    assert refund(policy, "c2").allowed
    assert [error.kind for error in refund(policy, "c2").errors] == ["too_costly"]


def test_histories_of_a_loaded_file_work_from_the_cache_too(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second load restores what the first compiled."""
    monkeypatch.setenv("POLICY_CACHE", str(tmp_path / "cache"))
    (tmp_path / "p.policy").write_text(TEXT)
    for _ in range(2):
        policy = load(tmp_path / "p.policy")
        assert refund(policy, "c1").allowed and refund(policy, "c1").allowed and not refund(policy, "c1").allowed
        look = refund(policy, "c9", user="u2", tool="crm.look")
        assert look.allowed
