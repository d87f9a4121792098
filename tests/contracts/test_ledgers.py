"""What every ledger promises (`runtime/ports/ledger.py`), in memory and in SQLite, with its tail and without."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from policy_engine.runtime.ports.ledger import Batch, Head, Ledger, Row
from policy_engine.stores.errors import StoreError
from policy_engine.stores.memory.ledger import MemoryLedger
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.ledger import SqliteLedger
from policy_engine.stores.sqlite.rows import STEPS


@pytest.fixture(params=["memory", "sqlite", "sqlite without tail"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    if request.param == "memory":
        return MemoryLedger()
    return SqliteLedger(Database(tmp_path / "state.db"), tail=request.param == "sqlite")


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


@pytest.fixture(params=[(True, True), (True, False), (False, True), (False, False)], ids=str)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[SqliteLedger, SqliteLedger]:
    """Two ledgers on one file, as two hosts have them; one, both or none with a tail."""
    first, second = (SqliteLedger(Database(tmp_path / "state.db"), tail=tail) for tail in request.param)
    return first, second


def add(ledger: Ledger, run: str = "r1") -> None:
    """A row as the audit keeps it: behind the last one, or behind what `append` finds."""
    if not ledger.follow(row(ledger.head().sequence + 1, run)):
        put(ledger, 1, run)


def test_two_ledgers_on_one_file_share_one_chain(pair: tuple[SqliteLedger, SqliteLedger]) -> None:
    """The second sees what the first kept, its id, and goes on after it."""
    first, second = pair
    put(first, 2)
    put(second, 2)
    put(first, 1)
    assert first.id == second.id
    assert [one.sequence for one in second.rows()] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("tail", [True, False])
def test_what_was_erased_stands_nowhere_in_the_files(tail: bool, tmp_path: Path) -> None:
    """Neither in the database, nor in its write-ahead log, nor in the tail, also while another holds that open."""
    database = Database(tmp_path / "state.db")
    ledger = SqliteLedger(database, tail=tail)
    secret = b"the answer is forty-two " * 40
    ledger.append(lambda head: Batch([row(1, payload=secret), row(2)]))
    for number in (3, 4):
        assert ledger.follow(row(number, payload=secret)) is True
    names = list(tmp_path.iterdir())
    held = [os.open(name, os.O_RDONLY) for name in names if name.name.endswith("-tail")]
    assert len(held) == tail
    ledger.append(lambda head: Batch([row(5)], erased=[1, 3, 4]))
    for file in tmp_path.iterdir():
        assert b"forty-two" not in file.read_bytes(), file.name
    for handle in held:
        assert b"forty-two" not in os.pread(handle, 1 << 20, 0)
        os.close(handle)
    assert [one.payload for one in ledger.rows()] == [None, b"{}", None, None, b"{}"]


def test_a_ledger_that_wrote_last_notices_who_wrote_since(pair: tuple[SqliteLedger, SqliteLedger]) -> None:
    """Two hosts take turns, one record each: none is lost, and none takes the number of another."""
    one, other = pair
    for _ in range(5):
        put(one, 1)
        put(one, 1)
        put(other, 1)
    assert list(one.rows()) == [row(number) for number in range(1, 16)]
    assert one.head() == other.head() == Head(15, f"{15:064x}")


def test_two_that_take_turns_are_told_to_look(pair: tuple[SqliteLedger, SqliteLedger]) -> None:
    """A row whose number another process has taken meanwhile is not kept; the next one, with the right number, is."""
    one, other = pair
    put(one, 1)
    put(other, 1)
    assert one.follow(row(2)) is False
    put(one, 1)
    assert one.follow(row(4)) in (True, False)  # False where there is no tail yet
    assert other.follow(row(3)) is False
    put(one, 4 - one.head().sequence)
    assert [kept.sequence for kept in other.rows()] == [1, 2, 3, 4]


def test_a_closed_ledger_leaves_the_database_whole(tmp_path: Path) -> None:
    """Its tail is gone, and a ledger that knows none has all rows. Closing twice is closing once; going on opens it again."""
    ledger = SqliteLedger(Database(tmp_path / "state.db"))
    for _ in range(3):
        add(ledger)
    assert (tmp_path / "state.db-tail").stat().st_mode & 0o777 == 0o600
    ledger.close()
    ledger.close()
    assert not (tmp_path / "state.db-tail").exists()
    with Database(tmp_path / "state.db").read() as connection:
        assert connection.execute("SELECT count(*), max(sequence) FROM audit_rows").fetchone() == (3, 3)
    add(ledger)
    assert [one.sequence for one in ledger.rows()] == [1, 2, 3, 4]


def test_what_has_to_reach_the_disk_is_a_commit(tmp_path: Path) -> None:
    """A host that asks for that beside one that does not: it leaves no tail behind what it writes, and both go on."""
    synced = SqliteLedger(Database(tmp_path / "state.db", durability="fsync"))
    other = SqliteLedger(Database(tmp_path / "state.db"))
    for _ in range(3):
        add(other)
        add(other)
        assert (tmp_path / "state.db-tail").exists()
        add(synced)
        assert not (tmp_path / "state.db-tail").exists()
    assert [one.sequence for one in other.rows()] == list(range(1, 10))


def test_a_full_tail_is_moved_into_the_database(tmp_path: Path) -> None:
    """After a thousand rows, or a megabyte, so that reading them again stays cheap; nothing is lost, and none is there twice."""
    ledger = SqliteLedger(Database(tmp_path / "state.db"))
    sizes = []
    for number in range(2500):
        add(ledger) if number % 400 else put(ledger, 3)
        sizes.append((tmp_path / "state.db-tail").stat().st_size if (tmp_path / "state.db-tail").exists() else 0)
    large = b"x" * 400_000
    for _ in range(7):
        if not ledger.follow(row(ledger.head().sequence + 1, payload=large)):
            ledger.append(lambda head: Batch([row(head.sequence + 1, payload=large)]))
    assert 2 <= sizes.count(0) <= 4
    assert [one.sequence for one in ledger.rows()] == list(range(1, 2522))
    assert (tmp_path / "state.db-tail").stat().st_size < 3 * 400_000


def test_a_log_from_before_there_were_tails_goes_on(tmp_path: Path) -> None:
    """Its rows stay, and what knows no tails cannot open it any more."""
    database = Database(tmp_path / "state.db")
    database.migrate("audit", STEPS[:2])
    with database.write() as connection:
        connection.execute("INSERT INTO audit_log VALUES (1, 'abc', 0, '')")
        connection.executemany("INSERT INTO audit_rows VALUES (?, ?, ?, ?, ?, ?)", [row(1), row(2)])
    ledger = SqliteLedger(database)
    assert (ledger.id, ledger.head()) == ("abc", Head(2, f"{2:064x}"))
    for _ in range(3):
        add(ledger)
    assert [one.sequence for one in ledger.rows()] == [1, 2, 3, 4, 5]
    with pytest.raises(StoreError, match="newer version"):
        database.migrate("audit", STEPS[:2])


def test_readers_change_nothing(tmp_path: Path) -> None:
    """Whoever only reads, while a host holds the tail open, finds all rows, and leaves all files as they are."""
    ledger = SqliteLedger(Database(tmp_path / "state.db"))
    for _ in range(5):
        add(ledger)
    tail = (tmp_path / "state.db-tail").read_bytes()
    for with_tail in (True, False):
        reader = SqliteLedger(Database(tmp_path / "state.db"), tail=with_tail)
        assert [one.sequence for one in reader.rows(after=1, upto=4)] == [2, 3, 4]
        assert reader.head() == Head(5, f"{5:064x}")
        reader.close()
    assert (tmp_path / "state.db-tail").read_bytes() == tail
    assert ledger.follow(row(6)) is True


def test_a_reader_that_was_interrupted_by_a_move_misses_nothing(tmp_path: Path) -> None:
    """Rows move from the tail into the table, and more follow, between two that are read."""
    ledger = SqliteLedger(Database(tmp_path / "state.db"))
    reader = SqliteLedger(Database(tmp_path / "state.db"))
    put(ledger, 1500)
    for _ in range(20):
        add(ledger)
    reading = reader.rows()
    found = [next(reading).sequence for _ in range(700)]
    ledger.close()
    for _ in range(20):
        add(ledger)
    found += [one.sequence for one in reading]
    assert found == list(range(1, 1541))


def test_a_forked_process_and_its_parent_share_one_chain(tmp_path: Path) -> None:
    """Both go on with what was open, at the same time: a lock that the fork shares would lock nobody out."""
    ledger = SqliteLedger(Database(tmp_path / "state.db", patience=60))
    add(ledger)
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                for _ in range(400):
                    add(ledger)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    for _ in range(400):
        add(ledger)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert [one.sequence for one in ledger.rows()] == list(range(1, 1602))


def test_threads_of_two_ledgers_share_one_chain(pair: tuple[SqliteLedger, SqliteLedger]) -> None:
    """Eight threads that follow and append through two ledgers on one file."""
    threads = [threading.Thread(target=lambda one=pair[n % 2]: [add(one) for _ in range(60)]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.sequence for one in pair[0].rows()] == list(range(1, 481))
