"""`sql(x)`: nothing that a statement does is hidden, and what databases read differently is not understood."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from policy_engine import Request, cel, loads
from policy_engine.base.values import MAX_INT
from policy_engine.semantics.functions.sql_reading import described

BACKENDS: tuple[cel.Backend, ...] = ("generated", "interpreter")

STATEMENTS = [
    ("SELECT 1", ["select"]), ("select 1; drop table t", ["select", "drop"]), ("(SELECT 1) UNION SELECT 2", ["select"]),
    ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", ["delete", "select"]),
    ("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", ["insert"]),
    ("SELECT * INTO copied FROM t", ["create", "select"]), ("TRUNCATE t", ["truncate"]),
    ("ALTER TABLE t DROP COLUMN c", ["alter"]),
    ("UPDATE t SET a = (SELECT max(b) FROM u)", ["update"]), ("begin; commit;", ["begin", "commit"]),
    ("MERGE INTO a USING b ON a.x = b.x WHEN MATCHED THEN DELETE", ["merge"]), ("GRANT ALL ON t TO x", ["grant"]),
    ("-- hello\nSELECT 1 /* drop */", ["select"]), ("CREATE TABLE x AS SELECT 1", ["create"]), ("SET a = 1", ["set"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kinds"), STATEMENTS)
def test_every_statement_is_named(text: str, kinds: list[str]) -> None:
    """Writes inside queries come first, comments do nothing."""
    assert described(text)["statements"] == kinds


TABLES = [
    ("SELECT * FROM Orders o JOIN crm.Users u ON o.id = u.id", ["crm.users", "orders"]),
    ("WITH users AS (SELECT * FROM users) SELECT * FROM users", ["users"]), ("WITH x AS (SELECT 1) SELECT * FROM x", []),
    ("SELECT * FROM users WHERE id IN (WITH users AS (SELECT 1) SELECT * FROM users)", ["users"]),
    ("WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", ["b"]), ("WITH t AS (SELECT 1) DELETE FROM t", ["t"]),
    ("WITH RECURSIVE r AS (SELECT 1 UNION SELECT * FROM r) SELECT * FROM r", []),
    ("SELECT 1 FROM x WHERE EXISTS (SELECT 1 FROM y)", ["x", "y"]),
    ("INSERT INTO a SELECT * FROM b", ["a", "b"]), ("DROP TABLE a, b", ["a", "b"]),
    ("SELECT * FROM read_csv('/etc/passwd')", ["read_csv()"]),
    ("SELECT * FROM pg_ls_dir('/')", ["pg_ls_dir()"]), ("WITH x AS (SELECT 1) SELECT * FROM public.x", ["public.x"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "tables"), TABLES)
def test_every_table_is_listed(text: str, tables: list[str]) -> None:
    """A name of a `WITH` hides a table only where the database says so too."""
    assert described(text)["tables"] == tables


COLUMNS = [
    ("SELECT a, B.c FROM b WHERE d = 1 ORDER BY e", ["a", "c", "d", "e"]), ("SELECT count(*) FROM t", []),
    ("SELECT * FROM t", ["*"]),
    ("SELECT t.* FROM t", ["*"]), ("SELECT u FROM users u", ["*", "u"]),
    ("SELECT to_jsonb(users) FROM users", ["*", "users"]),
    ("SELECT 1 FROM a NATURAL JOIN b", ["*"]), ("SELECT 1 FROM a JOIN b USING (ssn)", ["ssn"]),
    ("INSERT INTO t (a, b) VALUES (1, 2)", ["a", "b"]),
    ("UPDATE t SET a = 1 WHERE id = 2 RETURNING *", ["*", "a", "id"]), ('SELECT "SSN" FROM t', ["ssn"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "columns"), COLUMNS)
def test_every_column_is_listed(text: str, columns: list[str]) -> None:
    """A whole row is `*`, however it is asked for."""
    assert described(text)["columns"] == columns


FILTERS = [
    ("SELECT a FROM t WHERE x = 1 AND (y IN (1, 2) AND z BETWEEN 1 AND 2)", ["x", "y", "z"]),
    ("SELECT a FROM t WHERE x = 1 OR true", []),
    ("SELECT a FROM t WHERE NOT x = 1", []), ("SELECT a FROM t WHERE x = x", []), ("SELECT a FROM t WHERE x LIKE '%'", []),
    ("SELECT a FROM t WHERE x = 1 UNION SELECT a FROM t", []),
    ("SELECT a FROM t WHERE x = 1 UNION SELECT a FROM s WHERE x = 2", ["x"]),
    ("DELETE FROM t WHERE x = 1; DELETE FROM t", []), ("SELECT a FROM t, s WHERE s.x = 1", ["s.x"]),
    ("SELECT a FROM t, s WHERE x = 1", []),
    ("SELECT a FROM t WHERE x IN (SELECT y FROM s)", []), ("UPDATE t SET x = 1", []), ("DELETE FROM t WHERE x = ?", ["x"]),
    ("SELECT a FROM (SELECT * FROM t WHERE x = 1) q", ["x"]), ("DROP TABLE t", []),
    ("SELECT 1 WHERE x = 1; DELETE FROM t WHERE y = 1", ["y"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "filters"), FILTERS)
def test_a_filter_restricts_every_part(text: str, filters: list[str]) -> None:
    """One `OR`, one branch or one statement without it, and it is none."""
    assert described(text)["filters"] == filters


@pytest.mark.parametrize(("text", "limit"), [
    ("SELECT a FROM t", MAX_INT), ("SELECT a FROM t LIMIT 5", 5), ("SELECT a FROM t LIMIT 5 OFFSET 9", 5),
    ("(SELECT a FROM t) LIMIT 3", 3),
    ("SELECT a FROM t LIMIT ALL", MAX_INT), ("SELECT a FROM t LIMIT 5 + 5", MAX_INT), ("SELECT a FROM t LIMIT ?", MAX_INT),
    ("SELECT a FROM (SELECT a FROM t LIMIT 5) q", MAX_INT), ("SELECT a FROM t FETCH FIRST 5 ROWS ONLY", 5),
    ("SELECT a FROM t FETCH FIRST 5 PERCENT ROWS ONLY", MAX_INT), ("SELECT a FROM t FETCH FIRST 5 ROWS WITH TIES", MAX_INT),
    ("SELECT a FROM t LIMIT 5; SELECT a FROM t LIMIT 50", 50), ("SELECT a FROM t LIMIT 5; DELETE FROM t", MAX_INT),
    ("SELECT a FROM t UNION ALL SELECT a FROM s LIMIT 5", 5), ("SELECT a FROM t LIMIT 99999999999999999999999", MAX_INT),
])  # fmt: skip
def test_the_limit_bounds_the_rows_for_certain(text: str, limit: int) -> None:
    """Without one, it is larger than any bound a rule could name."""
    assert described(text)["limit"] == limit


UNREAD = [
    "", "-- nothing", ";", "SELEC a", "SELECT /*! secret */ 1", "SELECT /*M! x */ 1", "SELECT 'a\\' OR 1=1 --'",
    "SELECT a--1\nFROM t",
    "SELECT 1 # x", "SELECT `a` FROM t", "SELECT $$x$$", "SELECT $a$x$a$", "SELECT /* /* */ DROP TABLE t */ 1",
    "CALL p(1)", "EXEC x",
    "EXPLAIN ANALYZE DELETE FROM t", "VACUUM", "SHOW TABLES", "SELECT a FROM t SHUTDOWN", "SELECT 1 DROP TABLE t",
    "SELECT a INTO OUTFILE '/x' FROM t",
    "IF 1=1 DROP TABLE x", "LOAD DATA INFILE 'x' INTO TABLE t", "SELECT 1\0", "SELECT a FROM t WHERE x = 'a\u2028b'",
    "(" * 100 + ")" * 100,
    "SELECT " + "a + " * 10_000 + "a", "DECLARE @x INT", "SELECT a FROM [t]",
]  # fmt: skip


@pytest.mark.parametrize("text", UNREAD, ids=range(len(UNREAD)))
@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_not_understood_answers_nothing_but_that(
    text: str, backend: cel.Backend, capfd: pytest.CaptureFixture[str]
) -> None:
    """`parsed` is false, every other field an error, and no library prints the text."""
    assert cel.evaluate("sql(x).parsed", {"x": text}, backend=backend) is False
    for question in ("sql(x).statements == []", "sql(x).tables.all(t, t == 'a')", "sql(x).limit > 0",
        "sql(x).with_limit(1) == ''"):
        with pytest.raises(cel.EvaluationError):
            cel.evaluate(question, {"x": text}, backend=backend)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


@given(st.text(alphabet="SELCTFROMWHDab *,;()'\"-=1/\n", max_size=40))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    """Whatever it is: understood or not."""
    assert described(text)["parsed"] in (True, False)


@pytest.mark.parametrize(("text", "limited"), [
    ("SELECT a FROM t", "SELECT a FROM t LIMIT 10"), ("SELECT a FROM t LIMIT 500", "SELECT a FROM t LIMIT 10"),
    ("SELECT a FROM t LIMIT 3", "SELECT a FROM t LIMIT 3"),
    ("SELECT a FROM t LIMIT 500 OFFSET 5", "SELECT a FROM t LIMIT 10 OFFSET 5"),
    ("SELECT a FROM t UNION SELECT b FROM s", "SELECT a FROM t UNION SELECT b FROM s LIMIT 10"),
    ("SELECT a FROM t -- all of it", "SELECT a FROM t LIMIT 10"),
])  # fmt: skip
def test_with_limit_bounds_one_query(text: str, limited: str) -> None:
    """And what it gives has that limit when it is read again."""
    made = cel.evaluate("sql(x).with_limit(10)", {"x": text})
    assert made == limited
    assert described(made)["limit"] <= 10


@pytest.mark.parametrize("text", [
    "DELETE FROM t", "SELECT 1; SELECT 2", "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
    "SELECT a FROM t FOR UPDATE",
    "SELECT a FROM t FETCH FIRST 500 ROWS ONLY", "SELECT * INTO n FROM t",
])  # fmt: skip
def test_with_limit_of_anything_else_is_an_error(text: str) -> None:
    """Nothing is rewritten that is no plain query."""
    with pytest.raises(cel.EvaluationError):
        cel.evaluate("sql(x).with_limit(10)", {"x": text})


def test_a_policy_reads_and_rewrites_queries() -> None:
    """Reads are allowed with a limit; a hidden write, an unreadable text and another tenant's rows are not."""
    policy = loads("""policy p
rewrite few on db.query set args.text to sql(args.text).with_limit(100) when sql(args.text).limit > 100
allow reads on db.query when sql(args.text).statements.all(s, s == "select") && sql(args.text).tables.all(t, t in ["orders"])
deny other-tenants on db.query unless "tenant" in sql(args.text).filters
""")

    def decided(text: str) -> tuple[str, Any]:
        decision = policy.decide(Request(tool="db.query", args={"text": text}))
        return decision.effect, decision.args and decision.args["text"]

    assert decided("SELECT a FROM orders WHERE tenant = 'x'") == ("allow",
        "SELECT a FROM orders WHERE tenant = 'x' LIMIT 100")
    assert decided("SELECT a FROM orders WHERE tenant = 'x' LIMIT 5")[0] == "allow"
    for text in (
        "SELECT a FROM orders LIMIT 5", "SELECT a FROM users WHERE tenant = 'x' LIMIT 5",
        "SELECT a FROM orders WHERE tenant = 'x' OR 1 = 1 LIMIT 5",
        "DELETE FROM orders WHERE tenant = 'x'", "SELECT /*! x */ a FROM orders LIMIT 5", "",
    ):  # fmt: skip
        assert decided(text)[0] == "deny"
