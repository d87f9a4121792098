"""`sql(x)` and `.with_limit(n)`: what an SQL text does. Reading is behind the door `sql_reading`, which needs an extra.

A text that does not parse, or that two databases read differently, gives a record with `parsed` false and nothing else:
every other question about it is an error, hence a refusal.
"""

from __future__ import annotations

from typing import Any, Final

from policy_engine.semantics.functions.declaration import Extra, Function
from policy_engine.semantics.functions.signatures import examples, invalid, record, takes, typed
from policy_engine.semantics.functions.sql_reading import described, limited, open_sqlglot
from policy_engine.semantics.types import BOOL, INT, STRING, ListType

_TEXTS: Final = ListType(STRING)
SQL: Final = record(
    "sql", columns=_TEXTS, filters=_TEXTS, limit=INT, parsed=BOOL, statements=_TEXTS, tables=_TEXTS, text=STRING
)
EXTRA: Final = Extra("sql", open_sqlglot)


def with_limit(sql: dict[Any, Any], rows: int) -> str:
    """The text of the one query in `sql(x)`, asking for at most `rows` rows."""
    text = sql.get("text")
    if type(text) is not str or not sql.get("parsed"):
        raise invalid("`with_limit` is asked of `sql(x)` that was understood")
    if rows < 0:
        raise invalid("a limit is not negative")
    return limited(text, rows)


FUNCTIONS: Final = (
    Function(
        "sql",
        (takes(STRING, to=SQL),),
        "What an SQL text does: `statements` (kinds, writes hidden in queries among them), `tables`, `columns` (`*` for all), "
        "`filters` (columns that every query compares with a constant and `AND`), `limit` (the most rows; without one the "
        "largest int), all in lower case; `parsed` = whether it was understood, otherwise the other fields are errors.",
        examples(
            ("sql('SELECT a FROM t').statements", "['select']"),
            ("sql('WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x').statements", "['delete', 'select']"),
            ("sql('SELECT a FROM t WHERE b = 1 OR true').filters", "[]"),
            ("sql('SELEC a').parsed", "false"),
        ),
        typed("sql", described, (str,)),
        cost=500,
        source="policy language",
        extra=EXTRA,
    ),
    Function(
        "with_limit",
        (takes(SQL, INT, to=STRING),),
        "The text of the one query with at most so many rows asked for; a smaller limit stays.",
        examples(
            ("sql('SELECT a FROM t').with_limit(10)", "'SELECT a FROM t LIMIT 10'"),
            ("sql('SELECT a FROM t LIMIT 5').with_limit(10)", "'SELECT a FROM t LIMIT 5'"),
        ),
        typed("with_limit", with_limit, (dict, int)),
        method=True,
        cost=500,
        source="policy language",
        extra=EXTRA,
    ),
)
