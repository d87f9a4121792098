"""The file behind the SQLite stores: what it refuses, what a transaction keeps, what forks and crowds do to it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from policy_engine.stores.errors import StoreBusy, StoreError
from policy_engine.stores.sqlite.database import Database

STEPS = ("CREATE TABLE words (word TEXT PRIMARY KEY)",)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A file with a table of words."""
    opened = Database(tmp_path / "state.db", patience=2.0)
    opened.migrate("words", STEPS)
    yield opened
    opened.close()


def _add(database: Database, word: str) -> None:
    with database.write() as connection:
        connection.execute("INSERT INTO words VALUES (?)", (word,))


def _words(database: Database) -> list[str]:
    with database.read() as connection:
        return [word for (word,) in connection.execute("SELECT word FROM words ORDER BY word")]


def test_only_the_owner_may_read_the_files(database: Database) -> None:
    """The file and what SQLite keeps beside it, whatever the umask is."""
    _add(database, "a")
    files = list(Path(database.path).parent.iterdir())
    assert len(files) == 3 and {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_a_link_is_refused(tmp_path: Path) -> None:
    """Where it leads is another's choice."""
    (tmp_path / "real.db").touch()
    (tmp_path / "state.db").symlink_to(tmp_path / "real.db")
    with pytest.raises(StoreError, match="no plain file"):
        Database(tmp_path / "state.db")


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o1777])
def test_a_folder_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    """They could put another file in its place; the message says what to do."""
    tmp_path.chmod(mode)
    with pytest.raises(StoreError, match="chmod go-w"):
        Database(tmp_path / "state.db")


def test_a_file_that_others_may_write_is_refused(tmp_path: Path) -> None:
    """They could raise their own limits."""
    (tmp_path / "state.db").touch()
    (tmp_path / "state.db").chmod(0o620)
    with pytest.raises(StoreError, match="chmod go-w"):
        Database(tmp_path / "state.db")


def test_something_else_is_refused(tmp_path: Path) -> None:
    """A missing folder, and a file that is no database."""
    with pytest.raises(StoreError, match="No such file"):
        Database(tmp_path / "missing" / "state.db")
    (tmp_path / "state.db").write_text("no database at all, but long enough to be looked at" * 40)
    (tmp_path / "state.db").chmod(0o600)
    with pytest.raises(StoreError, match="not a database"):
        Database(tmp_path / "state.db")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, sqlite3.IntegrityError])
def test_an_exception_undoes_the_transaction(database: Database, error: type[BaseException]) -> None:
    """Also one that is no `Exception`, and the next transaction works."""
    with pytest.raises(error), database.write() as connection:
        connection.execute("INSERT INTO words VALUES ('a')")
        raise error
    _add(database, "b")
    assert _words(database) == ["b"]


def test_a_read_does_not_change_under_the_reader(database: Database) -> None:
    """It sees what was committed when it began."""
    _add(database, "a")
    with database.read() as connection:
        _add(database, "b")
        assert connection.execute("SELECT count(*) FROM words").fetchone() == (1,)
    assert _words(database) == ["a", "b"]


def test_a_transaction_within_a_transaction_is_an_error(database: Database) -> None:
    """It would wait for itself."""
    with database.write(), pytest.raises(StoreError, match="within a transaction"), database.write():
        pass
    _add(database, "a")


def test_waiting_ends(tmp_path: Path, database: Database) -> None:
    """Behind another thread and behind another process (here: another opening of the file)."""
    hasty, other = Database(tmp_path / "state.db", patience=0.05), Database(tmp_path / "state.db", patience=0.05)
    refused = []

    def try_to_write() -> None:
        with pytest.raises(StoreBusy) as caught:
            _add(hasty, "a")
        refused.append(caught.value)

    for holder in (hasty, other):
        with holder.write():
            thread = threading.Thread(target=try_to_write)
            thread.start()
            thread.join()
    assert len(refused) == 2 and _words(hasty) == []
    _add(hasty, "a")


def test_steps_run_once_and_together(database: Database) -> None:
    """A step that fails leaves nothing of those before it; several statements may stand in one."""
    with pytest.raises(sqlite3.OperationalError):
        database.migrate("words", (*STEPS, "CREATE TABLE more (word TEXT); CREATE TABLE last (word TEXT)", "CREATE NONSENSE"))
    database.migrate("words", (*STEPS, "CREATE TABLE more (word TEXT); CREATE TABLE last (word TEXT);"))
    database.migrate("words", (*STEPS, "CREATE TABLE more (word TEXT); CREATE TABLE last (word TEXT);"))
    with database.read() as connection:
        assert connection.execute("SELECT count(*) FROM last").fetchone() == (0,)


def test_a_file_of_a_newer_version_is_refused(database: Database) -> None:
    """The message names the part."""
    with pytest.raises(StoreError, match="`words` is at step 1, and this one knows 0"):
        database.migrate("words", ())


def test_a_closed_store_answers_nothing(database: Database) -> None:
    """Closing twice is closing once."""
    database.close()
    database.close()
    for transaction in (database.read, database.write):
        with pytest.raises(StoreError, match="closed"), transaction():
            pass


CROWD = """
import sys, threading
from policy_engine.stores.sqlite.database import Database

database = Database(sys.argv[1], patience=60)
database.migrate("numbers", ("CREATE TABLE numbers (number INTEGER)", "INSERT INTO numbers VALUES (0)"))

def add():
    for _ in range(25):
        with database.write() as connection:
            (number,) = connection.execute("SELECT number FROM numbers").fetchone()
            connection.execute("UPDATE numbers SET number = ?", (number + 1,))

threads = [threading.Thread(target=add) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_a_crowd_loses_nothing(tmp_path: Path) -> None:
    """Four processes that make the same new file, each with four threads that read and write back."""
    file = tmp_path / "state.db"
    crowd = [subprocess.Popen([sys.executable, "-c", CROWD, str(file)]) for _ in range(4)]
    assert [process.wait(timeout=120) for process in crowd] == [0] * 4
    with Database(file).read() as connection:
        assert connection.execute("SELECT number FROM numbers").fetchone() == (400,)


def _in_a_fork(database: Database, word: str) -> int:
    """What a forked child's exit code is: 0 = it wrote the word, 1 = it was refused."""
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        try:
            _add(database, word)
        except StoreError:
            os._exit(1)
        except BaseException:
            os._exit(2)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_forked_process_goes_on(database: Database) -> None:
    """Child and parent write to what was open before the fork, and neither loses what it wrote."""
    _add(database, "a")
    _words(database)
    assert _in_a_fork(database, "b") == 0
    _add(database, "c")
    assert _in_a_fork(database, "d") == 0
    assert _words(database) == ["a", "b", "c", "d"]


def test_what_a_child_wrote_outlives_its_parent(tmp_path: Path) -> None:
    """The parent ends first, as servers do that put themselves into the background."""
    file = tmp_path / "state.db"
    program = (
        "import os, sys, time\n"
        "from policy_engine.stores.sqlite.database import Database\n"
        "d = Database(sys.argv[1]); d.migrate('w', ('CREATE TABLE w (w TEXT)',))\n"
        "r, w = os.pipe()\n"
        "if os.fork():\n"
        "    os.close(w); os.read(r, 1); sys.exit()\n"
        "with d.read(): pass\n"
        "os.write(w, b'x'); os.close(w); os.close(r)\n"
        "parent = os.getppid()\n"
        "while os.getppid() == parent: time.sleep(0.01)\n"
        "for n in range(3):\n"
        "    with d.write() as c: c.execute('INSERT INTO w VALUES (?)', (str(n),))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(file)], stdout=subprocess.PIPE, timeout=60)
    assert done.returncode == 0  # the pipe of its output is closed when the child has ended too
    with Database(file).read() as connection:
        assert connection.execute("SELECT count(*) FROM w").fetchone() == (3,)


def test_a_fork_within_a_transaction_harms_nobody(database: Database) -> None:
    """The child is refused, the parent's transaction stands."""
    with database.write() as connection:
        connection.execute("INSERT INTO words VALUES ('a')")
        assert _in_a_fork(database, "b") == 1
    _add(database, "c")
    assert _words(database) == ["a", "c"]


def test_forks_while_another_thread_writes(database: Database) -> None:
    """Each child reads and writes at once, and of the parent's transactions none is lost or halved."""
    stop, written = threading.Event(), []

    def write_on() -> None:
        while not stop.is_set():
            with database.write() as connection:
                for half in "ab":
                    connection.execute("INSERT INTO words VALUES (?)", (f"parent {len(written)} {half}",))
            written.append(1)

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        assert [_in_a_fork(database, f"child {number}") for number in range(10)] == [0] * 10
    finally:
        stop.set()
        writer.join()
    words = _words(database)
    assert len(words) == 2 * len(written) + 10
    with database.read() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
