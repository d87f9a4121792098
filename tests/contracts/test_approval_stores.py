"""What every store of questions and answers promises (`runtime/ports/approvals.py`), and what a file promises besides."""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from policy_engine.runtime.ports.approvals import Answer, ApprovalStore, AskedTier, NotAsked, Question, TooManyQuestions
from policy_engine.stores.errors import StoreError
from policy_engine.stores.memory.approvals import MemoryApprovals
from policy_engine.stores.sqlite.approvals import FORGET_AFTER, SqliteApprovals
from policy_engine.stores.sqlite.database import Database

ROOMY = {"most_per_run": 100, "most_per_principal": 100}
FIRST = Question(
    id="q-one", binding="b1", facts="f1", rule="shop/big", digest="d1", asked=1000, expires=1400,
    tiers=(AskedTier("finance", 1, 100), AskedTier("managers", 2, 200)), run="r1", principal="p1",
    shown={"tool": "crm.refund", "arguments": [{"path": "args.amount", "value": "500.0"}]}, seal=b"\x00sealed",
)  # fmt: skip


def on_file(path: Path) -> SqliteApprovals:
    return SqliteApprovals(Database(path))


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ApprovalStore:
    """A store without any question."""
    return MemoryApprovals() if request.param == "memory" else on_file(tmp_path / "state.db")


@pytest.fixture
def asked(store: ApprovalStore) -> Question:
    """The first question, asked for the call c1."""
    return store.open(FIRST, "c1", **ROOMY)


def answer(queue: str = "finance", said: Any = "approved", at: int = 1050, **changed: Any) -> Answer:
    return replace(Answer("a1", "q-one", queue, said, "fay", at, b"\x00signed", {}, "why not"), **changed)


def current(store: ApprovalStore) -> Question:
    found = store.get("q-one")
    assert found is not None
    return found


def test_a_question_comes_back_whole(store: ApprovalStore, asked: Question) -> None:
    """By its id, by a beginning that no other has, for its call, and in lists."""
    assert asked == FIRST == store.get("q-one") == store.get("q-")
    assert list(store.waiting("c1")) == list(store.list()) == list(store.list(queue="finance")) == [FIRST]
    assert store.get("") is store.get("nobody") is None
    assert list(store.list(queue="managers")) == list(store.list(state="used")) == list(store.waiting("c2")) == []


def test_a_beginning_that_two_have_finds_neither(store: ApprovalStore, asked: Question) -> None:
    """A person who types too few characters gets no other question than the one they meant; a whole id is always found."""
    store.open(replace(FIRST, id="q-on", facts="f2"), "c2", **ROOMY)
    assert store.get("q") is None
    assert store.get("q-on") == replace(FIRST, id="q-on", facts="f2")


def test_a_wildcard_of_databases_is_a_character(store: ApprovalStore, asked: Question) -> None:
    """Nothing in a beginning stands for anything else."""
    assert store.get("%") is store.get("q_one") is None


@pytest.mark.parametrize("other", [{"binding": "b2"}, {"facts": "f2"}])
def test_only_the_same_question_is_joined(store: ApprovalStore, asked: Question, other: dict[str, str]) -> None:
    """Same binding and same facts are one question; anything else is another."""
    again = replace(FIRST, id="q-two", asked=1010, expires=1410)
    assert store.open(again, "c2", **ROOMY) == FIRST
    third = replace(again, id="q-three", **other)
    assert store.open(third, "c3", **ROOMY) == third
    assert [one.id for one in store.list()] == ["q-one", "q-three"]


@pytest.mark.parametrize(("column", "cap"), [("run", "most_per_run"), ("principal", "most_per_principal")])
def test_open_questions_are_capped(store: ApprovalStore, asked: Question, column: str, cap: str) -> None:
    """For the run and the principal; others have room, and who joins needs none."""
    caps = {**ROOMY, cap: 1}
    other = {"run": "r2", "principal": "p2", column: getattr(FIRST, column)}
    with pytest.raises(TooManyQuestions):
        store.open(replace(FIRST, id="q-two", facts="f2", **other), "c2", **caps)
    assert store.open(replace(FIRST, id="q-three"), "c3", **caps).id == "q-one"
    elsewhere = replace(FIRST, id="q-four", facts="f4", run="r9", principal="p9")
    assert store.open(elsewhere, "c4", **caps) == elsewhere
    store.close("q-one", "refused")
    assert store.open(replace(FIRST, id="q-two", facts="f2", **other), "c2", **caps).id == "q-two"


def test_what_is_over_or_expired_is_joined_no_more(store: ApprovalStore, asked: Question) -> None:
    """It stays what its own call waits for."""
    later = replace(FIRST, id="q-two", asked=1400, expires=1800)
    assert store.open(later, "c2", **ROOMY) == later
    assert [one.state for one in store.waiting("c1")] == ["expired"]
    assert store.move(later) and store.move(replace(later, tier=1))
    third = replace(FIRST, id="q-three", asked=1401, expires=1801)
    assert store.open(third, "c3", **ROOMY) == third


def test_a_tier_ends_once(store: ApprovalStore, asked: Question) -> None:
    """Of two who saw it end, one moves it; past its last tier there is nothing."""
    assert store.move(asked) and not store.move(asked)
    assert current(store).tier == 1 and [one.id for one in store.list(queue="managers")] == ["q-one"]
    assert store.move(current(store)) and not store.move(current(store))
    assert current(store).over and list(store.list(queue="managers")) == []


def test_a_closed_question_is_moved_no_more(store: ApprovalStore, asked: Question) -> None:
    """Nor is it closed again."""
    assert store.close("q-one", "refused") and not store.close("q-one", "withdrawn")
    assert not store.move(asked) and current(store).state == "refused"


def test_the_last_to_leave_withdraws(store: ApprovalStore, asked: Question) -> None:
    """While another call waits, the question stays; who does not wait cannot withdraw it before."""
    store.open(FIRST, "c2", **ROOMY)
    assert not store.leave("q-one", "c1") and current(store).state == "open"
    assert not store.leave("q-one", "c1")
    assert store.leave("q-one", "c2") and current(store).state == "withdrawn"
    assert not store.leave("nobody", "c2")


def test_answers_come_back_as_they_were_given(store: ApprovalStore, asked: Question) -> None:
    """In their order, the same person's too, and whoever they claim to be."""
    given = [answer(), answer(id="a2", said="refused"), answer(id="a1", approver="mallory", record={"id": "boss", "level": 9})]
    for one in given:
        store.answer(one)
    assert list(store.answers("q-one")) == given
    assert list(store.answers("q-two")) == []


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (answer(at=1100), True),
        (answer(at=1101), False),
        (answer("managers"), False),
        (answer("user"), False),
        (answer("managers", "refused"), False),
        (answer(said="refused", at=1399), True),
        (answer(question="q-two"), False),
    ],
)
def test_an_approval_is_taken_by_the_tier_in_force(store: ApprovalStore, asked: Question, given: Answer, taken: bool) -> None:
    """In its time; a refusal however late, of a queue that was asked."""
    if taken:
        store.answer(given)
    else:
        with pytest.raises(NotAsked):
            store.answer(given)
    assert len(store.answers("q-one")) == taken


def test_the_next_tier_takes_its_own(store: ApprovalStore, asked: Question) -> None:
    """Approvals of managers from now on, refusals of either."""
    store.move(asked)
    with pytest.raises(NotAsked):
        store.answer(answer())
    for given in (answer("managers", at=1300), answer(said="refused"), answer("managers", "refused")):
        store.answer(given)
    assert len(store.answers("q-one")) == 3


@pytest.mark.parametrize("state", ["used", "withdrawn", "expired"])
def test_a_closed_question_takes_no_answer(store: ApprovalStore, asked: Question, state: Any) -> None:
    """A refused one still takes refusals, and no approval."""
    store.close("q-one", state)
    for said in ("approved", "refused"):
        with pytest.raises(NotAsked):
            store.answer(answer(said=said))


def test_a_refused_question_takes_refusals_only(store: ApprovalStore, asked: Question) -> None:
    """And is joined by those who ask the same."""
    store.close("q-one", "refused")
    store.answer(answer(said="refused"))
    with pytest.raises(NotAsked):
        store.answer(answer())
    assert store.open(replace(FIRST, id="q-two"), "c2", **ROOMY).state == "refused"


def test_answers_are_used_by_one_call(store: ApprovalStore, asked: Question) -> None:
    """As often as that call is asked again, and by no other."""
    assert store.use(["q-one"], "c1") and store.use(["q-one", "q-one"], "c1") and not store.use(["q-one"], "c2")
    assert (current(store).state, current(store).used_by) == ("used", "c1")


def test_all_questions_of_a_call_are_used_or_none(store: ApprovalStore, asked: Question) -> None:
    """Where one of them is spent, the others stay open."""
    second = store.open(replace(FIRST, id="q-two", facts="f2"), "c1", **ROOMY)
    store.use([second.id], "c9")
    assert not store.use(["q-one", second.id], "c1") and not store.use(["q-one", "nobody"], "c1")
    assert current(store).state == "open"


def test_a_mark_is_set_once(store: ApprovalStore, asked: Question) -> None:
    """Each question has its own."""
    assert store.first("q-one", ["a", "b"]) == {"a", "b"}
    assert store.first("q-one", ["b", "c"]) == {"c"}
    assert store.first("q-two", ["a"]) == {"a"}


def test_of_many_threads_one_uses_and_one_moves(store: ApprovalStore, asked: Question) -> None:
    """Sixteen threads at once, each for a call of its own."""
    moved: list[bool] = []
    used: list[bool] = []

    def race(number: int) -> None:
        moved.append(store.move(asked))
        used.append(store.use(["q-one"], f"c{number}"))

    threads = [Thread(target=race, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert used.count(True) == 1 and moved.count(True) <= 1


# ------------------------------------------------------------------ a file
def _compete(path: Path, number: int, barrier: Any, results: Any) -> None:
    store = on_file(path)
    for round in range(20):
        barrier.wait()
        question = replace(FIRST, id=f"q{round}-{number}", binding=f"b{round}")
        opened = store.open(question, f"call-{number}", **ROOMY)
        moved = store.move(replace(opened, tier=0))
        barrier.wait()
        results.put((round, opened.id, moved, store.use([opened.id], f"call-{number}")))


def test_of_eight_processes_one_asks_one_moves_and_one_uses(tmp_path: Path) -> None:
    """Twenty rounds on one file: one question each, moved once, used exactly once."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(8), context.Queue()
    workers = [
        context.Process(target=_compete, args=(tmp_path / "state.db", number, barrier, results)) for number in range(8)
    ]
    for worker in workers:
        worker.start()
    told = [results.get(timeout=120) for _ in range(160)]
    for worker in workers:
        worker.join(timeout=60)
    for round in range(20):
        mine = [row for row in told if row[0] == round]
        assert len({row[1] for row in mine}) == 1
        assert [row[2] for row in mine].count(True) == 1
        assert [row[3] for row in mine].count(True) == 1


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    """Questions, tiers, who waits, answers, marks and use."""
    before = on_file(tmp_path / "state.db")
    before.open(FIRST, "c1", **ROOMY)
    before.answer(answer())
    before.move(FIRST)
    before.first("q-one", ["a"])
    after = on_file(tmp_path / "state.db")
    assert list(after.waiting("c1")) == [replace(FIRST, tier=1)]
    assert list(after.answers("q-one")) == [answer()]
    assert after.first("q-one", ["a"]) == frozenset()
    assert before.use(["q-one"], "c1") and not after.use(["q-one"], "c2")


@pytest.mark.parametrize(
    "change",
    ["shown = '['", "shown = '[]'", "tiers = '[]'", "tiers = '[[1, 2, 3]]'", "tiers = '[[\"a\", 1]]'", "tier = 7", "tier = -1"],
)
def test_a_row_that_is_no_question_is_none(tmp_path: Path, change: str) -> None:
    """It is a failure where it is asked for, and left out where all are listed."""
    store = on_file(tmp_path / "state.db")
    store.open(FIRST, "c1", **ROOMY)
    with sqlite3.connect(tmp_path / "state.db") as file:
        file.execute(f"UPDATE questions SET {change}")
    assert list(store.list()) == []
    for ask in _asking(store):
        with pytest.raises(StoreError):
            ask()


def _asking(store: ApprovalStore) -> list[Callable[[], object]]:
    return [lambda: store.get("q-one"), lambda: store.waiting("c1"), lambda: store.answer(answer())]


def test_closed_questions_are_forgotten_once_they_can_count_no_more(tmp_path: Path) -> None:
    """Ninety days after they were asked and when they have expired, with their answers; those that are open, and those whose
    approval could still be shown, stay."""
    store, later = on_file(tmp_path / "state.db"), FORGET_AFTER + 5000
    store.open(FIRST, "c1", **ROOMY)
    store.answer(answer())
    assert store.use(["q-one"], "c1")
    store.open(replace(FIRST, id="q-long", binding="b2", expires=10 * later), "c2", **ROOMY)
    assert store.use(["q-long"], "c2")
    store.open(replace(FIRST, id="q-open", binding="b3", expires=10 * later), "c3", **ROOMY)
    store.open(replace(FIRST, id="q-new", binding="b4", asked=4000 + FORGET_AFTER - 3001, expires=2 * later), "c4", **ROOMY)
    assert store.get("q-one") is not None, "too early"
    store.open(replace(FIRST, id="q-next", binding="b5", asked=later, expires=2 * later), "c5", **ROOMY)
    assert store.get("q-one") is None
    assert list(store.waiting("c1")) == list(store.answers("q-one")) == []
    assert {question.id for question in store.list(state=None)} == {"q-long", "q-open", "q-new", "q-next"}
    assert not store.use(["q-one"], "c1"), "what is forgotten cannot be used"
