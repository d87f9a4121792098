"""The tail of a log when things go wrong: a kill at every step, a disk that is full, files that are not what they should be."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from policy_engine.audit.exporting import verified_ledger
from policy_engine.audit.log import Audit, AuditError
from policy_engine.runtime.ports.audit import Record
from policy_engine.runtime.ports.ledger import Batch, Row
from policy_engine.stores.errors import StoreError
from policy_engine.stores.sqlite import frames, ledger as sqlite
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.ledger import SqliteLedger
from policy_engine.stores.sqlite.recovering import recover

from .tail_steps import Steps, Wrong, stepped

ROOT = Path(__file__).resolve().parents[2]
TURNS = 12


def record(number: int) -> Record:
    return Record("event", number, "r1", None, {"name": f"n{number}"}, {"fields": {"n": number}})


def work(audit: Audit, tell: Callable[[str], None]) -> None:
    """Records of a host: its tail is moved several times on the way, also for a policy and an erasure. Tells each that is kept,
    and goes on where one is not."""
    for number in range(TURNS):
        try:
            tell(audit.append(record(number)))
        except AuditError:
            continue
        if number == 5:
            try_to(lambda: audit.keep_policy("d" * 64, {"main.policy": b"policy main"}, {}))
        if number == 7:
            try_to(lambda: audit.erase([2], {"by": "run", "ranges": [[2, 2]], "count": 1}))


def try_to(step: Callable[[], None]) -> None:
    with suppress(AuditError):
        step()


def kept(path: Path) -> list[str]:
    """The digests of the records that a host made, after the chain was followed, and written on."""
    database = Database(path)
    ledger = SqliteLedger(database)
    found = [row.digest for row in ledger.rows() if row.run]
    assert [str(fault) for fault in verified_ledger(ledger).faults] == []
    Audit(ledger).append(record(99))
    assert [str(fault) for fault in verified_ledger(ledger).faults] == []
    ledger.close()
    database.close()
    assert not Path(f"{path}-tail").exists()
    return found


def killed(path: Path, at: int, wrong: Wrong) -> tuple[bool, list[str]]:
    """A process that works, and dies at a step. Whether it did, and what it had been told is kept."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with stepped(Steps(at, wrong)):
                audit = Audit(SqliteLedger(Database(path)), payloads="whole")
                work(audit, lambda digest: os.write(writing, digest.encode() + b"\n") and None)
                audit.close()
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as told:
        digests = told.read().split()
    status = os.waitpid(child, 0)[1]
    assert status == 0 or os.WIFSIGNALED(status), status
    return status != 0, digests


def before(name: str, step: Callable[[], Any]) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def after(name: str, step: Callable[[], Any]) -> Any:
    try:
        step()
    finally:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("wrong", [before, after])
def test_a_kill_at_any_step_loses_nothing(wrong: Wrong, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before or after each lock, write, cut, commit and removal: what was told is kept, in order, and the chain goes on."""
    monkeypatch.setattr(sqlite, "MOST_ROWS", 3)
    at, died = 0, True
    while died:
        at += 1
        path = tmp_path / f"{at}.db"
        died, told = killed(path, at, wrong)
        there = kept(path)
        assert told == [digest for digest in there if digest in set(told)], at
        assert len(there) - len(told) in (0, 1), at  # the one in whose midst it died
    assert at > 80


def fails(name: str, step: Callable[[], Any]) -> Any:
    if name == "committed":  # nothing is done any more that could fail
        return step()
    raise OSError(errno.ENOSPC, "No space left on device")


def is_short(name: str, step: Callable[[], Any]) -> Any:
    return fails(name, step) if name not in ("write", "pwrite", "pread") else _short(step)


def _short(step: Callable[[], Any]) -> Any:
    done = step()
    return done[:-1] if isinstance(done, bytes) else done - 1


@pytest.mark.parametrize("wrong", [fails, is_short])
def test_a_step_that_fails_keeps_all_that_was_told_and_nothing_else(
    wrong: Wrong, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full at one step, or a call does a part of its work: a record is kept and told, or neither; the next one is."""
    monkeypatch.setattr(sqlite, "MOST_ROWS", 3)
    at, reached = 0, True
    while reached:
        at += 1
        path = tmp_path / f"{at}.db"
        database = Database(path)
        audit = Audit(SqliteLedger(database), payloads="whole")
        told: list[str] = []
        steps = Steps(at, wrong)
        with stepped(steps):
            work(audit, told.append)
            reached = steps.reached
            audit.ledger.close()
        database.close()
        assert len(told) >= TURNS - 1, (at, steps.taken[at - 1])
        assert kept(path) == told, (at, steps.taken[at - 1])
    assert at > 80


def rows(count: int, size: int = 10) -> list[Row]:
    return [Row(number, f"{number:064x}", "r1", number, b"x" * size, None) for number in range(1, count + 1)]


@pytest.mark.parametrize("name", ["lseek", "write", "pwrite", "flock", "in memory"])
def test_an_interrupt_leaves_no_gap(name: str, tmp_path: Path) -> None:
    """Ctrl-C right after a step: the record is there or not, those before and after it are, and rows move without a gap."""
    audit = Audit(SqliteLedger(Database(tmp_path / "state.db")), payloads="whole")
    told = [audit.append(record(number)) for number in range(3)]

    def interrupted(name: str, step: Callable[[], Any]) -> Any:
        step()
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt), stepped(steps := Steps(0, interrupted)):
        if name == "in memory":
            patch.setattr(frames, "packed", lambda row: interrupted("", lambda: None))
        steps.also(name)
        audit.append(record(3))
    SqliteLedger(Database(tmp_path / "state.db", patience=0.1)).append(lambda head: Batch(()))  # nobody holds it locked
    told += [audit.append(record(number)) for number in range(4, 7)]
    audit.close()
    there = kept(tmp_path / "state.db")
    assert set(told) <= set(there) and len(there) in (len(told), len(told) + 1)


def test_a_disk_that_is_really_full_keeps_nothing_of_a_row(tmp_path: Path) -> None:
    """The system writes a part of a frame and then refuses (here: a limit on the size of files): the rest is as before."""
    database = Database(tmp_path / "state.db")
    ledger = SqliteLedger(database)
    first, second, large = rows(3, 5000)
    ledger.append(lambda head: Batch([first]))
    assert ledger.follow(second)
    size = (tmp_path / "state.db-tail").stat().st_size
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            ledger.append(lambda head: Batch(()))
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 2500, resource.RLIM_INFINITY))
            with pytest.raises(StoreError, match="could not be kept"):
                ledger.follow(large)
            assert (tmp_path / "state.db-tail").stat().st_size == size
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            ledger.append(lambda head: Batch([large]))
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert list(ledger.rows()) == rows(3, 5000)


@pytest.mark.parametrize("kind", ["link", "folder", "others may write"])
def test_a_tail_that_is_not_ours_alone_is_not_used(kind: str, tmp_path: Path) -> None:
    """A link, something else, or a file that others may write: refused by who writes, told by who reads, and left alone."""
    database = Database(tmp_path / "state.db")
    ledger = SqliteLedger(database)
    first, second, third = rows(3)
    ledger.append(lambda head: Batch([first]))
    assert ledger.follow(second)
    tail, moved = tmp_path / "state.db-tail", tmp_path / "elsewhere"
    if kind == "others may write":
        tail.chmod(0o666)
    else:
        tail.rename(moved)
        tail.symlink_to(moved) if kind == "link" else tail.mkdir()
    again = SqliteLedger(Database(tmp_path / "state.db"))
    with pytest.raises(StoreError, match=r"state\.db-tail"):
        again.append(lambda head: Batch([third]))
    assert [str(fault) for fault in verified_ledger(again).faults if "record 2 and all behind it cannot be read" in str(fault)]
    assert moved.exists() == (kind != "others may write")


def test_a_link_in_the_place_of_the_next_tail_is_not_followed(tmp_path: Path) -> None:
    """It is replaced, and where it leads nothing is written."""
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "state.db-tail").symlink_to(tmp_path / "elsewhere")
    ledger = SqliteLedger(Database(tmp_path / "state.db"))
    first, second = rows(2)
    ledger.append(lambda head: Batch([first]))
    assert ledger.follow(second)
    assert (tmp_path / "elsewhere").read_text() == "mine" and not (tmp_path / "state.db-tail").is_symlink()


def test_a_folder_in_which_nothing_can_be_made_refuses_records() -> None:
    """The record is refused; it is kept once the folder can be written again. In a process that is not root."""
    folder = Path(tempfile.mkdtemp())
    nobody = 65534
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.chown(folder, nobody, nobody)
                os.setuid(nobody)
            ledger = SqliteLedger(Database(folder / "state.db"))
            (first,) = rows(1)
            folder.chmod(0o500)
            with pytest.raises(StoreError, match="cannot be made"):
                ledger.append(lambda head: Batch([first]))
            assert list(ledger.rows()) == []
            folder.chmod(0o700)
            ledger.append(lambda head: Batch([first]))
            assert list(ledger.rows()) == [first]
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    shutil.rmtree(folder)


def test_a_tail_that_is_deleted_under_a_host_stops_it_or_is_made_good(tmp_path: Path) -> None:
    """The host that holds it open moves its rows into the database; another one refuses to write."""
    ledger, other = (SqliteLedger(Database(tmp_path / "state.db")) for _ in range(2))
    first, second, third = rows(3)
    ledger.append(lambda head: Batch([first]))
    assert ledger.follow(second)
    (tmp_path / "state.db-tail").unlink()
    with pytest.raises(StoreError, match=r"state\.db-tail is missing"):
        other.append(lambda head: Batch([third]))
    ledger.close()
    other.append(lambda head: Batch([third]))
    assert list(other.rows()) == rows(3)


@pytest.mark.parametrize("last", ["committed", "unlink"])
def test_nobody_writes_into_a_tail_that_somebody_gave_up_and_died(last: str, tmp_path: Path) -> None:
    """One moves the rows, and is killed before, or after, it takes the file away; another one has it open, and knows its end."""
    database = Database(tmp_path / "state.db")
    ledger = SqliteLedger(database)
    first, second, third, fourth, fifth = rows(5)
    ledger.append(lambda head: Batch([first]))
    assert ledger.follow(second)
    child = os.fork()
    if child == 0:
        try:
            other = SqliteLedger(Database(tmp_path / "state.db"))
            other.append(lambda head: Batch(()))
            with stepped(steps := Steps(0, after)):
                steps.also(last)
                other.close()
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert (tmp_path / "state.db-tail").exists() == (last == "committed")
    assert ledger.follow(third) is False
    ledger.append(lambda head: Batch([third]))
    assert ledger.follow(fourth)
    other = SqliteLedger(Database(tmp_path / "state.db"))
    other.append(lambda head: Batch([fifth]))
    assert list(ledger.rows()) == list(other.rows()) == rows(5)


def test_a_tail_that_others_began_meanwhile_is_not_taken_away(tmp_path: Path) -> None:
    """One has moved its rows and is about to remove the file; in its place there is the next tail already."""
    ledger, other = (SqliteLedger(Database(tmp_path / "state.db")) for _ in range(2))
    first, second, third, fourth, fifth = rows(5)
    ledger.append(lambda head: Batch([first]))
    assert ledger.follow(second)
    begun: list[str] = []

    def between(name: str, step: Callable[[], Any]) -> Any:
        step()
        if not begun:
            begun.append(name)
            other.append(lambda head: Batch([third]))
            assert other.follow(fourth)

    with stepped(steps := Steps(0, between)):
        steps.also("committed")
        ledger.close()
    assert begun
    ledger.append(lambda head: Batch([fifth]))
    assert list(ledger.rows()) == list(other.rows()) == rows(5)


FORKED = """
import ctypes, os, sys
from policy_engine.runtime.ports.ledger import Batch, Row
from policy_engine.stores.errors import StoreError
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.ledger import SqliteLedger

row = lambda number: Row(number, f"{number:064x}", "r1", number, b"{}", None)
ledger = SqliteLedger(Database(sys.argv[1]))
ledger.append(lambda head: Batch([row(1)]))
child = ctypes.PyDLL(None).fork()
if child == 0:
    refused = 0
    for attempt in (lambda: ledger.follow(row(2)), lambda: ledger.append(lambda head: Batch([row(2)]))):
        try:
            attempt()
        except StoreError as fault:
            refused += "forked" in str(fault)
    os._exit(refused)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
assert ledger.follow(row(2))
"""


def test_a_fork_that_python_does_not_know_of_writes_nothing(tmp_path: Path) -> None:
    """A library forked: the child would share the parent's lock."""
    subprocess.run([sys.executable, "-c", FORKED, str(tmp_path / "state.db")], cwd=ROOT, check=True)


def test_a_database_put_back_under_a_host_stops_it(tmp_path: Path) -> None:
    """An older copy of the file has not the rows that the host knows to be kept."""
    ledger = SqliteLedger(Database(tmp_path / "state.db"))
    ledger.append(lambda head: Batch(rows(5)))
    ledger.close()
    with Database(tmp_path / "state.db").write() as connection:
        connection.execute("DELETE FROM audit_rows WHERE sequence > 3")
        connection.execute("UPDATE audit_log SET sequence = 3")
    with pytest.raises(StoreError, match="record 4 and those up to 5"):
        ledger.append(lambda head: Batch([rows(6)[5]]))


def _flipped(tail: Path, at: int) -> None:
    data = bytearray(tail.read_bytes())
    data[at] ^= 1
    tail.write_bytes(data)


@pytest.mark.parametrize("wrong", ["frame", "slot", "gone", "another's", "link"])
def test_a_log_goes_on_without_what_cannot_be_read(wrong: str, tmp_path: Path) -> None:
    """A person decides so: what can be read is kept, that records are missing is found for ever, what is left is put aside."""
    database = Database(tmp_path / "state.db")
    audit = Audit(SqliteLedger(database))
    assert recover(database) is None
    for number in range(6):
        audit.append(record(number))
    assert recover(database) is None
    tail = tmp_path / "state.db-tail"
    match wrong:
        case "frame":
            _flipped(tail, tail.stat().st_size // 2)
        case "slot":
            _flipped(tail, frames.SLOT_AT)
        case "gone":
            tail.unlink()
        case "another's":
            tail.write_bytes(b"something else")
        case _:
            tail.unlink()
            tail.symlink_to(tmp_path / "nowhere")
    again = SqliteLedger(Database(tmp_path / "state.db"), tail=False)
    with pytest.raises(StoreError, match="policy audit recover"):
        again.append(lambda head: Batch([rows(head.sequence + 1)[-1]]))
    found = recover(database)
    assert found is not None
    expected = {"frame": range(2, 6), "slot": (7,)}.get(wrong, (2,))
    assert found.first in expected and found.last == (6 if wrong == "frame" else found.first)
    assert (found.aside is None) == (wrong == "gone") and not tail.exists()
    after = Audit(SqliteLedger(database))
    for number in range(3):
        after.append(record(number))
    faults = [str(fault) for fault in verified_ledger(after.ledger).faults]
    assert len(faults) == 1 and faults[0].startswith(f"record {found.first} ") and "missing" in faults[0]
    assert [row.sequence for row in after.ledger.rows()][-3:] == [found.last + 1, found.last + 2, found.last + 3]


def test_a_tail_that_has_only_to_be_made_ours_is_not_given_up(tmp_path: Path) -> None:
    """Others may write it: the message says what to do, and nothing is lost."""
    database = Database(tmp_path / "state.db")
    audit = Audit(SqliteLedger(database))
    for number in range(3):
        audit.append(record(number))
    (tmp_path / "state.db-tail").chmod(0o666)
    with pytest.raises(StoreError, match="chmod go-w"):
        recover(database)
    (tmp_path / "state.db-tail").chmod(0o600)
    assert recover(database) is None and len(list(audit.ledger.rows())) == 3


CROWD = """
import sys
from policy_engine.audit.log import Audit
from policy_engine.runtime.ports.audit import Record
from policy_engine.stores.sqlite import ledger
from policy_engine.stores.sqlite.database import Database

ledger.MOST_ROWS = int(sys.argv[3])
opened = ledger.SqliteLedger(Database(sys.argv[1], patience=60), tail=sys.argv[2] != "plain")
audit = Audit(opened, payloads="whole")
for number in range(400):
    record = Record("decision", number, sys.argv[2], f"c{number}", {"effect": "allow"}, {"args": {"n": number}})
    print(audit.append(record))
    if number % 97 == 0 and sys.argv[2] == "erasing":
        audit.erase([1], {"by": "run", "ranges": [[1, 1]], "count": 1})
audit.close()
"""


def test_processes_that_append_and_move_at_once_make_one_chain(tmp_path: Path) -> None:
    """One of them has no tail, one erases, all move rows all the time; each record stands there once, a reader meanwhile finds
    no fault."""
    path = tmp_path / "state.db"
    hosts = [
        subprocess.Popen([sys.executable, "-c", CROWD, str(path), name, most], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for name, most in (("one", "5"), ("two", "9"), ("plain", "7"), ("erasing", "1000"))
    ]
    ledger = SqliteLedger(Database(path, patience=60))
    while any(host.poll() is None for host in hosts):
        assert [str(fault) for fault in verified_ledger(ledger).faults] == []
    told = [digest for host in hosts for digest in host.communicate()[0].split()]
    assert [host.returncode for host in hosts] == [0] * 4
    assert sorted(told) == sorted(row.digest for row in ledger.rows() if row.run)
    assert len(told) == 1600 and [str(fault) for fault in verified_ledger(ledger).faults] == []
