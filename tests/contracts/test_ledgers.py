"""What every ledger promises (`runtime/ports/ledger.py`), in memory and in SQLite."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from policy_engine.runtime.ports.ledger import Batch, Head, Ledger, Row
from policy_engine.stores.errors import StoreError
from policy_engine.stores.memory.ledger import MemoryLedger
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.ledger import SqliteLedger


@pytest.fixture(params=["memory", "sqlite"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    return MemoryLedger() if request.param == "memory" else SqliteLedger(Database(tmp_path / "state.db"))


def row(number: int, run: str = "r1", payload: bytes | None = b"{}") -> Row:
    return Row(number, f"{number:064x}", run, number * 10, b'{"n": %d}' % number, payload)


def put(ledger: Ledger, count: int, run: str = "r1") -> None:
    ledger.append(lambda head: Batch([row(head.sequence + number + 1, run) for number in range(count)]))


def test_the_head_of_an_empty_log_is_nothing(ledger: Ledger) -> None:
    """A new log has no record, and an id of its own."""
    assert ledger.head() == Head(0, "")
    assert len(ledger.id) == 32
    assert list(ledger.rows()) == []


def test_rows_come_back_as_they_were_kept(ledger: Ledger) -> None:
    """Every part of a row, in order, also beyond a page of them."""
    put(ledger, 2500)
    assert list(ledger.rows()) == [row(number) for number in range(1, 2501)]
    assert ledger.head() == Head(2500, f"{2500:064x}")


def test_rows_are_found_by_place_and_run(ledger: Ledger) -> None:
    """After one number, up to another, of one run."""
    for run in ("a", "b", "a"):
        put(ledger, 2, run)
    assert [one.sequence for one in ledger.rows(after=1, upto=4)] == [2, 3, 4]
    assert [one.sequence for one in ledger.rows(run="a")] == [1, 2, 5, 6]
    assert [one.sequence for one in ledger.rows(run="a", after=2)] == [5, 6]
    assert [one.sequence for one in ledger.rows(after=6)] == []


def test_rows_that_do_not_follow_the_head_are_refused(ledger: Ledger) -> None:
    """A gap, or a number that is taken, keeps nothing."""
    put(ledger, 2)
    for wrong in (2, 4, 1):
        with pytest.raises(StoreError):
            ledger.append(lambda head, wrong=wrong: Batch([row(wrong)]))
    assert ledger.head().sequence == 2


def test_a_row_is_kept_behind_the_last_one_only(ledger: Ledger) -> None:
    """`follow` keeps what has the next number, and says False to a number that is taken, or leaves a gap."""
    put(ledger, 2)
    for wrong in (1, 2, 4):
        assert ledger.follow(row(wrong)) is False
    assert ledger.follow(row(3)) is True
    assert ledger.follow(row(4, payload=None)) is True
    assert [one.sequence for one in ledger.rows()] == [1, 2, 3, 4]
    assert ledger.head() == Head(4, f"{4:064x}")


def test_a_batch_is_kept_whole_or_not_at_all(ledger: Ledger) -> None:
    """What fails in the middle leaves nothing behind, and the next batch follows the old head."""

    def build(head: Head) -> Batch:
        raise KeyError("no")

    put(ledger, 1)
    with pytest.raises(KeyError):
        ledger.append(build)
    with pytest.raises(StoreError):
        ledger.append(lambda head: Batch([row(2), row(2)]))
    put(ledger, 1)
    assert [one.sequence for one in ledger.rows()] == [1, 2]


def test_erased_payloads_are_gone_and_rows_stay(ledger: Ledger) -> None:
    """Only what was named is erased."""
    put(ledger, 3)
    ledger.append(lambda head: Batch([row(4)], erased=[1, 3]))
    assert [one.payload for one in ledger.rows()] == [None, b"{}", None, b"{}"]
    assert [one.data for one in ledger.rows()] == [row(number).data for number in range(1, 5)]


def test_policies_are_kept_by_digest(ledger: Ledger) -> None:
    """All their files; none for a digest that nobody kept."""
    ledger.append(lambda head: Batch([row(1)], policies={"d": {"a.policy": b"policy a", "": b"{}"}}))
    assert ledger.policy("d") == {"a.policy": b"policy a", "": b"{}"}
    assert ledger.policy("e") is None


def test_threads_share_one_chain(ledger: Ledger) -> None:
    """Eight threads that write at once leave no gap and no row twice."""
    threads = [threading.Thread(target=lambda: [put(ledger, 1) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.sequence for one in ledger.rows()] == list(range(1, 401))


def test_two_ledgers_on_one_file_share_one_chain(tmp_path: Path) -> None:
    """The second sees what the first kept, its id, and goes on after it."""
    first, second = (SqliteLedger(Database(tmp_path / "state.db")) for _ in range(2))
    put(first, 2)
    put(second, 2)
    put(first, 1)
    assert first.id == second.id
    assert [one.sequence for one in second.rows()] == [1, 2, 3, 4, 5]


def test_what_was_erased_stands_nowhere_in_the_files(tmp_path: Path) -> None:
    """Neither in the database nor in its write-ahead log."""
    database = Database(tmp_path / "state.db")
    ledger = SqliteLedger(database)
    secret = b"the answer is forty-two " * 40
    ledger.append(lambda head: Batch([row(1, payload=secret), row(2)]))
    ledger.append(lambda head: Batch([row(3)], erased=[1]))
    for file in tmp_path.iterdir():
        assert b"forty-two" not in file.read_bytes(), file.name


def test_a_ledger_that_wrote_last_notices_who_wrote_since(tmp_path: Path) -> None:
    """Two hosts take turns, one record each: none is lost, and none takes the number of another."""
    one, other = (SqliteLedger(Database(tmp_path / "state.db")) for _ in range(2))
    for _ in range(5):
        put(one, 1)
        put(one, 1)
        put(other, 1)
    assert list(one.rows()) == [row(number) for number in range(1, 16)]
    assert one.head() == other.head() == Head(15, f"{15:064x}")


def test_two_that_take_turns_are_told_to_look(tmp_path: Path) -> None:
    """A row whose number another process has taken meanwhile is not kept; the next one, with the right number, is."""
    one, other = (SqliteLedger(Database(tmp_path / "state.db")) for _ in range(2))
    put(one, 1)
    put(other, 1)
    assert one.follow(row(2)) is False
    put(one, 1)
    assert one.follow(row(4)) is True
    assert other.follow(row(3)) is False
    assert [kept.sequence for kept in other.rows()] == [1, 2, 3, 4]
