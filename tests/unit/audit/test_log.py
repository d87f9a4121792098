"""The audit log: what it keeps, in which order, and what it says when it cannot."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from policy_engine.audit.chain import content_of, genesis, link
from policy_engine.audit.log import Audit, AuditError
from policy_engine.audit.payloads import Keeping
from policy_engine.runtime.ports.audit import Record
from policy_engine.runtime.ports.ledger import Batch, Head, Parts
from policy_engine.stores.errors import StoreError
from policy_engine.stores.memory.ledger import MemoryLedger


def record(number: int = 1, /, kind: Any = "decision", body: dict[str, Any] | None = None, **payloads: Any) -> Record:
    return Record(kind, number, "r1", f"c{number}", body or {"tool": "crm.refund", "effect": "allow"}, payloads)


def kept(payloads: Keeping, one: Record) -> dict[str, tuple[str, Any]]:
    """What an audit that keeps payloads this way says of those of a record."""
    audit = Audit(MemoryLedger(), payloads=payloads)
    audit.append(one)
    (entry,) = audit.entries()
    return {name: (payload.kept, payload.value) for name, payload in entry.payloads.items()}


def test_each_record_follows_the_one_before() -> None:
    """The digest that `append` returns is that of the chain, computed here by hand."""
    ledger = MemoryLedger()
    audit = Audit(ledger)
    before = genesis(ledger.id)
    for number in range(1, 6):
        digest = audit.append(record(number, args={"n": number}))
        row = list(ledger.rows())[-1]
        assert digest == row.digest == link(before, number, content_of(row.data))
        before = digest


def test_what_was_told_is_read_again() -> None:
    """Kind, moment, run, call, body and payloads."""
    audit = Audit(MemoryLedger(), payloads="whole")
    digest = audit.append(record(7, args={"amount": 5.0}, principal={"id": "u1"}))
    (entry,) = audit.entries()
    assert (entry.sequence, entry.digest, entry.kind, entry.at, entry.run, entry.call) == (1, digest, "decision", 7, "r1", "c7")
    assert entry.body == {"tool": "crm.refund", "effect": "allow"}
    assert entry.value("args") == {"amount": 5.0} and entry.value("principal") == {"id": "u1"}


SECRET = {"password": "hunter2!", "user": "ann", "note": "key AKIAIOSFODNN7EXAMPLE", "body": '{"api_key": "x", "a": 1}'}


def test_secrets_are_masked_by_default() -> None:
    """Values under telling keys, and what looks like a secret in a text or in JSON in a text; the rest stays."""
    assert kept("masked", record(args=SECRET)) == {
        "args": ("masked", {"password": "****", "user": "ann", "note": "key ****", "body": '{"api_key":"****","a":1}'})
    }
    assert kept("masked", record(args={"amount": 5.0, "max_tokens": 5})) == {"args": ("whole", {"amount": 5.0, "max_tokens": 5})}


def test_everything_is_kept_whole_where_the_operator_says_so() -> None:
    """Secrets included."""
    assert kept("whole", record(args=SECRET)) == {"args": ("whole", SECRET)}


def test_nothing_but_digests_is_kept_where_the_operator_says_so() -> None:
    """No value stands anywhere in the ledger."""
    ledger = MemoryLedger()
    Audit(ledger, payloads="digests").append(record(args=SECRET))
    (row,) = ledger.rows()
    assert b"ann" not in row.data + (row.payload or b"")
    assert kept("digests", record(args=SECRET)) == {"args": ("digest", None)}


def test_results_are_kept_as_the_agent_saw_them() -> None:
    """What the policy redacted or withheld from the agent is not kept either, unless all is kept whole."""
    redacted = record(1, "outcome", {"effect": "redact"}, result={"card": "4111"}, shown={"card": "**"})
    assert kept("masked", redacted) == {"result": ("digest", None), "shown": ("whole", {"card": "**"})}
    assert kept("masked", record(1, "outcome", {"effect": "withhold"}, result={"card": "4111"})) == {"result": ("digest", None)}
    assert kept("masked", record(1, "outcome", {"effect": "pass"}, result={"ok": True})) == {"result": ("whole", {"ok": True})}
    assert kept("whole", redacted)["result"] == ("whole", {"card": "4111"})


def test_arguments_are_kept_as_they_were_decided() -> None:
    """What a rewrite took out of them is not kept either; arguments that were refused as they came are."""
    assert kept("masked", record(args={"card": "**"}, asked={"card": "4111"}))["asked"] == ("digest", None)
    assert kept("masked", record(asked='{"card": "4111"}'))["asked"] == ("whole", '{"card": "4111"}')


class Broken(MemoryLedger):
    """Fails at the calls whose numbers it is given; the second kind fails after having asked for the rows."""

    def __init__(self, *numbers: int, late: bool = False) -> None:
        super().__init__()
        self.numbers = numbers
        self.late = late
        self.calls = 0

    def append(self, build: Callable[[Head], Batch]) -> None:
        self.calls += 1
        if self.calls in self.numbers:
            if self.late:
                build(self.head())
            raise StoreError("disk full")
        super().append(build)

    def follow(self, row: Parts) -> bool:
        self.calls += 1
        if self.calls in self.numbers:
            raise StoreError("disk full")
        return super().follow(row)


@pytest.mark.parametrize("late", [False, True])
def test_a_record_that_is_not_kept_raises(late: bool) -> None:
    """The caller hears of it, nothing stands in the log, and the next record follows the last that was kept."""
    audit = Audit(Broken(2, late=late))
    audit.append(record(1))
    with pytest.raises(AuditError, match="disk full"):
        audit.append(record(2))
    audit.append(record(3))
    assert [entry.call for entry in audit.entries()] == ["c1", "c3"]


class Slow(Broken):
    """Takes its time, so that others have to wait."""

    def append(self, build: Callable[[Head], Batch]) -> None:
        time.sleep(0.02)
        super().append(build)

    def follow(self, row: Parts) -> bool:
        time.sleep(0.02)
        return super().follow(row)


def crowd(audit: Audit, count: int) -> tuple[list[str], list[str]]:
    """That many threads append at once: the digests that were returned, and the calls whose record was refused."""
    digests: list[str] = []
    refused: list[str] = []

    def one(number: int) -> None:
        try:
            digests.append(audit.append(record(number)))
        except AuditError:
            refused.append(f"c{number}")

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return digests, refused


def test_those_who_wait_are_written_together() -> None:
    """Thirty threads that meet a slow ledger need far fewer transactions, and each gets the digest of its own record."""
    ledger = Slow()
    audit = Audit(ledger)
    digests, refused = crowd(audit, 30)
    assert refused == [] and ledger.calls < 15
    assert sorted(digests) == sorted(entry.digest for entry in audit.entries())
    assert len(set(digests)) == 30


def test_a_batch_that_fails_is_refused_to_everyone_in_it() -> None:
    """Nobody in it is told that its record was kept, and nobody else's is lost."""
    audit = Audit(Slow(2))
    digests, refused = crowd(audit, 12)
    assert refused and len(digests) + len(refused) == 12
    assert sorted(digests) == sorted(entry.digest for entry in audit.entries())


def test_a_policy_is_kept_once_and_said_in_the_chain() -> None:
    """Its files, how to load it, and a record with the digest of each; also by another log on the same ledger."""
    ledger = MemoryLedger()
    for audit in (Audit(ledger), Audit(ledger)):
        for _ in range(2):
            audit.keep_policy("d", {"policy": b"policy a"}, {"entries": ["policy"]})
    assert ledger.policy("d") == {"": b'{"entries":["policy"]}', "policy": b"policy a"}
    (entry,) = Audit(ledger).entries()
    assert entry.kind == "policy" and sorted(entry.body["sources"]) == ["", "policy"]


def test_a_policy_kept_from_other_files_stays_as_it_was_kept() -> None:
    """The same policy loaded from a text and from a file has one digest: what the first record says of it stays true."""
    ledger = MemoryLedger()
    Audit(ledger).keep_policy("d", {"policy": b"policy a"}, {"entries": ["policy"]})
    Audit(ledger).keep_policy("d", {"a.policy": b"policy a"}, {"entries": ["a.policy"]})
    assert ledger.policy("d") == {"": b'{"entries":["policy"]}', "policy": b"policy a"}
    assert len(list(Audit(ledger).entries())) == 1


def test_a_policy_that_is_not_whole_any_more_is_kept_again() -> None:
    """So that decisions made from now on can be made again; and what was said of it before is true once more."""
    ledger = MemoryLedger()
    whole = {"policy": b"policy a", "t.json": b"{}"}
    Audit(ledger).keep_policy("d", whole, {"entries": ["policy"]})
    kept = ledger.policy("d")
    ledger._policies["d"] = {"": b'{"entries":["policy"]}', "policy": b"policy b"}
    Audit(ledger).keep_policy("d", whole, {"entries": ["policy"]})
    assert ledger.policy("d") == kept
