"""What every store of calls across runs promises, against each of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from policy_engine import loads
from policy_engine.audit.encoding import encoded, from_json
from policy_engine.base.request import Outcome, Principal, Request
from policy_engine.base.values import NONE, Duration, Optional, Timestamp, TypeValue, UInt
from policy_engine.runtime.ports.history import HistoryStore
from policy_engine.stores.errors import StoreError
from policy_engine.stores.memory.history import MemoryHistory
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.history import SqliteHistory


def opened(folder: Path) -> SqliteHistory:
    """The history in the file of a folder."""
    return SqliteHistory(
        Database(folder / "state.db"), write=lambda value: encoded(value)[1], read=lambda raw: from_json(orjson.loads(raw))
    )


@pytest.fixture(params=["memory", "sqlite"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HistoryStore]:
    """An empty store of each kind."""
    yield MemoryHistory() if request.param == "memory" else opened(tmp_path)


def element(at: int, **more: Any) -> dict[str, Any]:
    """A call at a moment."""
    made = {"tool": "crm.refund", "args": {}, "result": None, "outcome": "returned", "at": Timestamp(at), "labels": [], "id": ""}
    return {**made, **more}


def moments(store: HistoryStore, key: str = "k", since: int = 0, most: int = 100) -> list[int]:
    """When the calls that are kept were made."""
    return [call["at"].nanos for call in store.get("h", key, since_nanos=since, most=most)]


def test_calls_come_back_in_the_order_they_were_begun(history: HistoryStore) -> None:
    """Not in that of their moments; one that goes on stays where it was."""
    for call, at in (("a", 30), ("b", 10), ("c", 20)):
        history.put("h", "k", call, element(at, outcome="running"), keep_nanos=100)
    history.put("h", "k", "b", element(10, result=[1]), keep_nanos=100)
    kept = history.get("h", "k", since_nanos=0, most=10)
    assert [(call["at"].nanos, call["outcome"]) for call in kept] == [(30, "running"), (10, "returned"), (20, "running")]
    assert kept[1] == element(10, result=[1])


def test_only_those_since_then_and_one_too_many(history: HistoryStore) -> None:
    """One more than asked shows that there are more."""
    for at in range(10):
        history.put("h", "k", str(at), element(at), keep_nanos=100)
    assert moments(history, since=7) == [7, 8, 9] and moments(history, since=10) == []
    assert len(moments(history, most=4)) == 5


def test_what_is_too_old_goes(history: HistoryStore) -> None:
    """By the moment of the call that comes; one that is exactly as old stays."""
    for at in (0, 1, 100):
        history.put("h", "k", str(at), element(at), keep_nanos=99)
    assert moments(history) == [1, 100]


def test_keys_and_histories_are_apart(history: HistoryStore) -> None:
    """Also where their texts meet in the middle, or are half of a character."""
    keys = [("h", "k"), ("hk", ""), ("", "hk"), ("h", "\ud800"), ("h", "K")]
    for at, (name, key) in enumerate(keys):
        history.put(name, key, "same", element(at), keep_nanos=100)
    for at, (name, key) in enumerate(keys):
        assert [call["at"].nanos for call in history.get(name, key, since_nanos=0, most=9)] == [at]


def test_runs_have_names_of_their_own(history: HistoryStore) -> None:
    """However many begin."""
    assert len({history.begin() for _ in range(1000)}) == 1000


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(st.characters(), max_size=5)
    | st.binary(max_size=5) | st.builds(UInt, st.integers(0, 2**64 - 1)) | st.builds(Timestamp, st.integers(-(10**20), 10**20))
    | st.builds(Duration, st.integers(-(2**63), 2**63)) | st.just(TypeValue("int")) | st.just(NONE) | st.just("$uint"),
    lambda inner: st.lists(inner, max_size=3) | st.builds(Optional, st.just(True), inner)
    | st.dictionaries(st.text(max_size=3) | st.integers(0, 9) | st.booleans() | st.just("$uint"), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(VALUES, VALUES, st.integers(0, 2**80).map(str))
def test_values_come_back_as_they_were(history: HistoryStore, args: Any, result: Any, call: str) -> None:
    """Of the same kind and in the same order: `1` is not `1.0`, an unsigned is not an integer, NaN stays NaN."""
    given_one = element(5, args={"x": args}, result=result)
    history.put("h", call, call, given_one, keep_nanos=100)
    assert repr(history.get("h", call, since_nanos=0, most=1)) == repr([given_one])


@pytest.mark.parametrize("at", [-62_135_596_800 * 10**9, 253_402_300_799 * 10**9])
def test_the_first_and_the_last_year_are_kept_too(history: HistoryStore, at: int) -> None:
    """Moments that 64 bits of nanoseconds cannot hold."""
    history.put("h", "k", "1", element(at), keep_nanos=10**18)
    assert moments(history, since=at) == [at]


def test_a_file_is_shared_and_outlives_its_process(tmp_path: Path) -> None:
    """What another process kept decides here."""
    program = (
        "import sys; from pathlib import Path; from tests.contracts.test_history_stores import element, opened\n"
        "opened(Path(sys.argv[1])).put('h', 'k', '1', element(7), keep_nanos=100)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=60)
    assert moments(opened(tmp_path)) == [7]


def test_calls_of_keys_that_never_come_again_go(tmp_path: Path) -> None:
    """A few are looked at whenever another is kept."""
    history = opened(tmp_path)
    for number in range(50):
        history.put("h", f"once {number}", "1", element(number), keep_nanos=100)
    for number in range(50):
        history.put("h", "often", str(number), element(10_000 + number), keep_nanos=100)
    with history._database.read() as connection:
        assert connection.execute("SELECT count(*) FROM kept_calls").fetchone() == (50,)


def test_a_call_that_somebody_changed_is_an_error(tmp_path: Path) -> None:
    """Never another value."""
    history = opened(tmp_path)
    history.put("h", "k", "1", element(7), keep_nanos=100)
    for broken in (b"", b"{", b'{"at": {"$nothing": 1}}', b"7"):
        with history._database.write() as connection:
            connection.execute("UPDATE kept_calls SET element = ?", (broken,))
        with pytest.raises(StoreError, match="cannot be read"):
            moments(history)


def test_a_policy_decides_by_what_was_kept_before_its_start(tmp_path: Path) -> None:
    """A loaded policy over a file: the third refund of the same customer is refused after a restart."""
    text = (
        "policy p\nhistory customer by args.customer for 30d\nallow refund on crm.refund\n"
        "deny often on crm.refund when customer.calls.size() >= 2\n"
    )
    effects = []
    for _ in range(3):
        policy = loads(text, history=opened(tmp_path))
        run = policy.run()
        request = Request(tool="crm.refund", args={"customer": "c1"}, principal=Principal(id="u1"))
        effects.append(policy.decide(request, run=run).effect)
        run.record(request, Outcome(result={"at": Timestamp(0)}))
    assert effects == ["allow", "allow", "deny"]
