"""Questions and answers in a SQLite file: they survive a restart, and any number of processes share them.

Whoever can write the file can write anything into it. What cannot be read is left out where many are listed, and is a
`StoreError` where one is asked for; what can be read is judged by the mediation.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from policy_engine.base.values import NANOS_PER_SECOND
from policy_engine.runtime.ports.approvals import Answer, AskedTier, NotAsked, Question, State, TooManyQuestions
from policy_engine.stores.admitting import refusal_of
from policy_engine.stores.errors import StoreError
from policy_engine.stores.sqlite.database import Database

_STEPS: Final = (
    """
    CREATE TABLE questions (
        id TEXT PRIMARY KEY, binding TEXT NOT NULL, facts TEXT NOT NULL, rule TEXT NOT NULL, digest TEXT NOT NULL,
        asked INTEGER NOT NULL, expires INTEGER NOT NULL, tiers TEXT NOT NULL, run TEXT NOT NULL, principal TEXT NOT NULL,
        shown TEXT NOT NULL, seal BLOB NOT NULL, tier INTEGER NOT NULL, state TEXT NOT NULL, used_by TEXT, last INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX questions_asked ON questions (binding, facts) WHERE state IN ('open', 'refused');
    CREATE INDEX questions_of_run ON questions (run) WHERE state = 'open';
    CREATE INDEX questions_of_principal ON questions (principal) WHERE state = 'open';
    CREATE INDEX questions_by_time ON questions (state, asked);
    CREATE TABLE waiting (
        number INTEGER PRIMARY KEY, call TEXT NOT NULL, question TEXT NOT NULL, UNIQUE (call, question)
    ) STRICT;
    CREATE INDEX waiting_for ON waiting (question);
    CREATE TABLE answers (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL, question TEXT NOT NULL, queue TEXT NOT NULL, answer TEXT NOT NULL,
        approver TEXT NOT NULL, at INTEGER NOT NULL, signature BLOB NOT NULL, record TEXT NOT NULL, reason TEXT NOT NULL
    ) STRICT;
    CREATE INDEX answers_to ON answers (question);
    CREATE TABLE question_marks (
        question TEXT NOT NULL, mark TEXT NOT NULL, PRIMARY KEY (question, mark)
    ) STRICT, WITHOUT ROWID;
    """,
)
_QUESTION: Final = (
    "id, binding, facts, rule, digest, asked, expires, tiers, run, principal, shown, seal, tier, state, used_by"
)
_ANSWER: Final = "id, question, queue, answer, approver, at, signature, record, reason"
_MOST_ANSWERS: Final = 1000
FORGET_AFTER: Final = 90 * 24 * 3600 * NANOS_PER_SECOND
"""Closed questions are kept so long after they were asked, and at least until they expire: the audit log has them for good."""
_MOST_FORGOTTEN: Final = 100
"""At once: more than one question that is asked can bring."""


class SqliteApprovals:
    """Implements `runtime.ports.approvals.ApprovalStore`."""

    blocking = True

    def __init__(self, database: Database) -> None:
        self._database = database
        database.migrate("approvals", _STEPS)

    def open(self, question: Question, call: str, *, most_per_run: int, most_per_principal: int) -> Question:
        """Ask, or join the same question."""
        with self._database.write() as file:
            file.execute(
                "UPDATE questions SET state = 'expired' WHERE state IN ('open', 'refused') AND (expires <= ? OR tier >= last)",
                (question.asked,),
            )
            found = _one(file.execute(
                f"SELECT {_QUESTION} FROM questions WHERE state IN ('open', 'refused') AND binding = ? AND facts = ?",
                (question.binding, question.facts),
            ))  # fmt: skip
            if found is None:
                _check_room(file, "run", question.run, most_per_run)
                _check_room(file, "principal", question.principal, most_per_principal)
                _forget(file, question.asked)
                file.execute(f"INSERT INTO questions ({_QUESTION}, last) VALUES ({'?, ' * 15}?)", _row(question))
            chosen = found or question
            file.execute("INSERT OR IGNORE INTO waiting (call, question) VALUES (?, ?)", (call, chosen.id))
            return chosen

    def waiting(self, call: str) -> Sequence[Question]:
        """The questions of a call."""
        columns = ", ".join(f"questions.{name}" for name in _QUESTION.split(", "))
        with self._database.read() as file:
            rows = file.execute(
                f"SELECT {columns} FROM waiting JOIN questions ON questions.id = waiting.question WHERE call = ? ORDER BY number",
                (call,),
            )
            return [_question(row) for row in rows]

    def leave(self, question: str, call: str) -> bool:
        """The call waits no longer."""
        with self._database.write() as file:
            file.execute("DELETE FROM waiting WHERE call = ? AND question = ?", (call, question))
            known = file.execute("SELECT 1 FROM questions WHERE id = ?", (question,)).fetchone()
            if known is None or file.execute("SELECT 1 FROM waiting WHERE question = ?", (question,)).fetchone():
                return False
            file.execute("UPDATE questions SET state = 'withdrawn' WHERE id = ? AND state = 'open'", (question,))
            return True

    def move(self, question: Question) -> bool:
        """Put a question into its next tier."""
        return self._changed(
            "UPDATE questions SET tier = tier + 1 WHERE id = ? AND tier = ? AND tier < last AND state IN ('open', 'expired')",
            (question.id, question.tier),
        )

    def close(self, question: str, state: State) -> bool:
        """Put an open question into another state."""
        return self._changed("UPDATE questions SET state = ? WHERE id = ? AND state = 'open'", (state, question))

    def _changed(self, statement: str, values: tuple[Any, ...]) -> bool:
        with self._database.write() as file:
            return file.execute(statement, values).rowcount == 1

    def get(self, id: str) -> Question | None:
        """A question by its id, or the beginning of it."""
        with self._database.read() as file:
            found = _one(file.execute(f"SELECT {_QUESTION} FROM questions WHERE id = ?", (id,)))
            if found is not None or not id:
                return found
            rows = file.execute(
                f"SELECT {_QUESTION} FROM questions WHERE substr(id, 1, ?) = ? LIMIT 2", (len(id), id)
            ).fetchall()
        return _question(rows[0]) if len(rows) == 1 else None

    def list(self, *, queue: str | None = None, state: State | None = "open", most: int = 1000) -> Sequence[Question]:
        """Questions, the oldest first."""
        found = []
        with self._database.read() as file:
            rows = file.execute(
                f"SELECT {_QUESTION} FROM questions WHERE ? IS NULL OR state = ? ORDER BY asked, id", (state, state)
            )
            for question in _readable(rows):
                if queue is None or (question.queue == queue and not question.over):
                    found.append(question)
                    if len(found) >= most:
                        break
        return found

    def answer(self, answer: Answer) -> None:
        """Keep an answer."""
        with self._database.write() as file:
            question = _one(file.execute(f"SELECT {_QUESTION} FROM questions WHERE id = ?", (answer.question,)))
            problem = refusal_of(question, answer)
            if problem is not None:
                raise NotAsked(problem)
            row = (
                answer.id, answer.question, answer.queue, answer.answer, answer.approver, answer.at, answer.signature,
                json.dumps(dict(answer.record)), answer.reason,
            )  # fmt: skip
            file.execute(f"INSERT INTO answers ({_ANSWER}) VALUES ({'?, ' * 8}?)", row)

    def answers(self, question: str) -> Sequence[Answer]:
        """The answers to a question."""
        with self._database.read() as file:
            rows = file.execute(
                f"SELECT {_ANSWER} FROM answers WHERE question = ? ORDER BY number LIMIT ?", (question, _MOST_ANSWERS)
            )
            return [answer for row in rows if (answer := _answer(row)) is not None]

    def use(self, questions: Sequence[str], call: str) -> bool:
        """Use up all or none."""
        wanted = list(dict.fromkeys(questions))
        with self._database.write() as file:
            for question in wanted:
                row = file.execute("SELECT state, used_by FROM questions WHERE id = ?", (question,)).fetchone()
                if row is None or not (row[0] == "open" or (row[0] == "used" and row[1] == call)):
                    return False
            file.executemany(
                "UPDATE questions SET state = 'used', used_by = ? WHERE id = ?", [(call, question) for question in wanted]
            )
            return True

    def first(self, question: str, marks: Sequence[str]) -> frozenset[str]:
        """Set marks that nobody set."""
        with self._database.write() as file:
            return frozenset(
                mark
                for mark in marks
                if file.execute("INSERT OR IGNORE INTO question_marks VALUES (?, ?)", (question, mark)).rowcount == 1
            )


def _forget(file: sqlite3.Connection, now: int) -> None:
    """Let the oldest of the closed ones go, with their answers: none of them can count any more."""
    rows = file.execute(
        "SELECT id FROM questions WHERE state IN ('used', 'withdrawn', 'expired') AND asked < ? AND expires <= ? LIMIT ?",
        (now - FORGET_AFTER, now, _MOST_FORGOTTEN),
    ).fetchall()
    for table, column in (("answers", "question"), ("waiting", "question"), ("question_marks", "question"), ("questions", "id")):
        file.executemany(f"DELETE FROM {table} WHERE {column} = ?", rows)


def _check_room(file: sqlite3.Connection, column: str, value: str, most: int) -> None:
    count = file.execute(f"SELECT count(*) FROM questions WHERE state = 'open' AND {column} = ?", (value,)).fetchone()[0]
    if count >= most:
        raise TooManyQuestions(f"the {column} has {most} open questions, as many as it may")


def _row(question: Question) -> tuple[Any, ...]:
    tiers = [[tier.queue, tier.count, tier.within] for tier in question.tiers]
    return (
        question.id, question.binding, question.facts, question.rule, question.digest, question.asked, question.expires,
        json.dumps(tiers), question.run, question.principal, json.dumps(dict(question.shown)), question.seal, question.tier,
        question.state, question.used_by, len(tiers),
    )  # fmt: skip


def _one(rows: Iterable[Any]) -> Question | None:
    for row in rows:
        return _question(row)
    return None


def _readable(rows: Iterable[Any]) -> Iterator[Question]:
    for row in rows:
        try:
            yield _question(row)
        except StoreError:
            continue


def _question(row: Any) -> Question:
    """A question from its row; raises `StoreError` for one that is none."""
    id, binding, facts, rule, digest, asked, expires, tiers, run, principal, shown, seal, tier, state, used_by = row
    try:
        steps = tuple(_tier(*step) for step in json.loads(tiers))
        seen = json.loads(shown)
    except (ValueError, TypeError, RecursionError):
        raise StoreError("a question in the store cannot be read") from None
    if not steps or not isinstance(seen, dict) or not 0 <= tier <= len(steps):
        raise StoreError("a question in the store cannot be read")
    return Question(
        id, binding, facts, rule, digest, asked, expires, steps, run, principal, seen, bytes(seal), tier, state, used_by
    )  # fmt: skip


def _tier(queue: Any, count: Any, within: Any) -> AskedTier:
    if not isinstance(queue, str) or type(count) is not int or type(within) is not int:
        raise ValueError("not a tier")
    return AskedTier(queue, count, within)


def _answer(row: Any) -> Answer | None:
    """An answer from its row; None for one that is none, which counts for nothing."""
    try:
        record = json.loads(row[7])
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    return Answer(row[0], row[1], row[2], row[3], row[4], row[5], bytes(row[6]), record, row[8])
