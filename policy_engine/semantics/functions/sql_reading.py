"""SQL read by sqlglot, imported when first needed: the one door of that package. Called by `sql`.

Everything here errs to the side that asks for more: names are in lower case, a table or column is listed when in doubt,
a filter is not. What databases read differently (backslashes, `/*!`, `--x`, `$$`, nested comments) is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any, Final

from policy_engine.base.values import MAX_INT
from policy_engine.semantics.functions.signatures import invalid

_MAX_CHARS: Final = 20_000
_MAX_PARENTHESES: Final = 64
_READ_DIFFERENTLY: Final = re.compile(
    r"[\\\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xa0\u2028\u2029\u200b-\u200f\ufeff\ud800-\udfff`]|/\*M?!|--[^\s-]|\$\w*\$|/\*(?:(?!\*/).)*/\*",
    re.DOTALL,
)
_ALONE: Final = re.compile(
    r"\b(?:shutdown|reconfigure|checkpoint|revert|exec|execute|waitfor|kill|outfile|dumpfile)\b", re.IGNORECASE
)
"""Words that some databases run as a statement of their own without a `;`, where others see a new name for a column."""
_KINDS: Final = {
    "Select": "select", "Union": "select", "Intersect": "select", "Except": "select", "Subquery": "select",
    "Values": "select", "Insert": "insert", "Update": "update", "Delete": "delete", "Merge": "merge", "Create": "create",
    "Drop": "drop", "Alter": "alter", "TruncateTable": "truncate", "Grant": "grant", "Revoke": "revoke", "Copy": "copy",
    "Set": "set", "Use": "use", "Pragma": "pragma", "Describe": "describe", "Transaction": "begin", "Commit": "commit",
    "Rollback": "rollback", "Kill": "kill", "Analyze": "analyze", "Comment": "comment",
}  # fmt: skip
_WRITES: Final = ("Insert", "Update", "Delete", "Merge", "Create", "Drop", "Alter", "TruncateTable", "Copy", "Into")
_COMPARED: Final = ("EQ", "LT", "LTE", "GT", "GTE", "Between", "In")


class _Unread(Exception):
    """The text is not understood."""


def open_sqlglot() -> Any:
    """The package; raises `ImportError`."""
    import sqlglot
    import sqlglot.errors
    import sqlglot.parser

    return sqlglot


@lru_cache(maxsize=64)
def described(text: str) -> dict[str, Any]:
    """What `sql(x)` gives."""
    try:
        trees = _parsed(text)
        return {
            "parsed": True, "text": text, "statements": _statements(trees), "tables": sorted(_tables(trees)),
            "columns": sorted(_columns(trees)), "filters": sorted(_filters(trees)), "limit": max(map(_limit, trees)),
        }  # fmt: skip
    except (_Unread, RecursionError):
        return {"parsed": False}


def limited(text: str, rows: int) -> str:
    """The one query of `text` with at most `rows` rows; raises `EvaluationError`."""
    sqlglot = open_sqlglot()
    try:
        trees = _parsed(text)
        if len(trees) != 1 or _statements(trees) != ["select"] or type(trees[0]).__name__ == "Values":
            raise invalid("only the text of one query that writes nothing can be given a limit")
        tree = trees[0]
        if _limit(tree) <= rows:
            return text
        if tree.args.get("limit") is not None and type(tree.args["limit"]).__name__ != "Limit":
            raise invalid("the query limits its rows in a way that cannot be changed")
        if list(tree.find_all(sqlglot.exp.Lock)):
            raise invalid("a query that locks rows cannot be given a limit")
        made = tree.limit(rows, copy=True).sql(comments=False, unsupported_level=sqlglot.errors.ErrorLevel.RAISE)
    except (_Unread, RecursionError, sqlglot.errors.SqlglotError):
        raise invalid("the query could not be written with a limit") from None
    if described(made).get("limit") != rows:
        raise invalid("the query could not be written with a limit")
    return str(made)


def _parsed(text: str) -> list[Any]:
    """The trees of the statements, at least one, each of a kind that is known here."""
    sqlglot = open_sqlglot()
    if len(text) > _MAX_CHARS or _READ_DIFFERENTLY.search(text) or _ALONE.search(text):
        raise _Unread
    if text.count("(") > _MAX_PARENTHESES * 16 or _depth(text) > _MAX_PARENTHESES:
        raise _Unread
    try:
        tokens = sqlglot.tokenize(text)
        found = _strict()(error_level=sqlglot.errors.ErrorLevel.RAISE).parse(tokens, text)
    except (sqlglot.errors.SqlglotError, ValueError, AttributeError, TypeError, IndexError, KeyError):
        raise _Unread from None
    trees = [tree for tree in found if tree is not None and type(tree).__name__ != "Semicolon"]
    if not trees or any(type(tree).__name__ not in _KINDS for tree in trees):
        raise _Unread
    if any(list(tree.find_all(sqlglot.exp.Command)) for tree in trees):
        raise _Unread
    return trees


@cache
def _strict() -> Any:
    """A class of parser that refuses where sqlglot's would keep the text unread, and log it."""

    class Strict(open_sqlglot().parser.Parser):  # type: ignore[misc]
        def _parse_as_command(self, start: Any) -> Any:
            raise _Unread

        def _warn_unsupported(self) -> None:
            raise _Unread

    return Strict


def _depth(text: str) -> int:
    depth = deepest = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        deepest = max(deepest, depth)
    return deepest


def _statements(trees: list[Any]) -> list[str]:
    """The kind of each statement, behind those of the writes inside it."""
    kinds: list[str] = []
    for tree in trees:
        for node in tree.walk():
            name = type(node).__name__
            if node is not tree and name in _WRITES and type(node.parent).__name__ != "Alter":
                kinds.append("create" if name == "Into" else _KINDS[name])
        kinds.append(_KINDS[type(tree).__name__])
    return kinds


def _tables(trees: list[Any]) -> set[str]:
    exp = open_sqlglot().exp
    found: set[str] = set()
    for tree in trees:
        for table in tree.find_all(exp.Table):
            if not _is_defined_inside(table, exp):
                found.add(_name_of(table, exp))
    return found


def _name_of(table: Any, exp: Any) -> str:
    if isinstance(table.this, exp.Func):
        called = table.this.name if isinstance(table.this, exp.Anonymous) else table.this.sql_name()
        return f"{called.lower()}()"
    parts = [part for part in table.parts if part is not None]
    if not parts or not all(isinstance(part, exp.Identifier) for part in parts):
        raise _Unread
    return ".".join(part.name for part in parts).lower()


def _is_defined_inside(table: Any, exp: Any) -> bool:
    """Whether the name is surely that of a `WITH` before it, and no table."""
    if table.args.get("db") is not None or table.args.get("catalog") is not None or not isinstance(table.this, exp.Identifier):
        return False
    node, inside = table, None
    while node is not None:
        if isinstance(node, exp.CTE):
            inside = node
        elif isinstance(node, exp.With):
            node, inside = node.parent, inside or node
            if _visible(node, inside, table, exp):
                return True
            inside = None
        elif _visible(node, None, table, exp):
            return True
        node = node.parent
    return False


def _visible(owner: Any, inside: Any, table: Any, exp: Any) -> bool:
    """Whether `owner WITH …` defines the name, before the definition that the table stands in."""
    clause = None if owner is None else owner.args.get("with_") or owner.args.get("with")
    if clause is None or table is owner.args.get("this"):
        return False
    for definition in clause.expressions:
        same = definition.alias.lower() == table.name.lower()
        if definition is inside:
            return bool(same and clause.args.get("recursive"))
        if same:
            return True
    return False


def _columns(trees: list[Any]) -> set[str]:
    exp = open_sqlglot().exp
    found: set[str] = set()
    for tree in trees:
        rows = {name.lower() for table in tree.find_all(exp.Table, exp.Subquery, exp.CTE) for name in (table.alias_or_name,)}
        for node in tree.walk():
            if isinstance(node, exp.Column):
                name = node.name.lower()
                found.add("*" if name in rows and not node.table else name)
                found.add(name)
            elif isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count):
                found.add("*")
            elif isinstance(node, exp.Join):
                found.update(part.name.lower() for part in node.args.get("using") or ())
                if node.args.get("method"):
                    found.add("*")
            elif isinstance(node, exp.Schema | exp.Insert):
                found.update(part.name.lower() for part in node.expressions if part.name)
    return found - {""}


def _filters(trees: list[Any]) -> set[str]:
    """Columns by which every part that reads or changes a table restricts its rows for certain."""
    exp = open_sqlglot().exp
    common: set[str] | None = None
    for tree in trees:
        for block in tree.find_all(exp.Select, exp.Update, exp.Delete, exp.Merge, exp.TruncateTable, exp.Drop, exp.Copy):
            found = _filters_of(block, exp)
            if found is not None:
                common = found if common is None else common & found
    return common or set()


def _filters_of(block: Any, exp: Any) -> set[str] | None:
    """None for a query that reads no table itself."""
    joins = block.args.get("joins") or ()
    if isinstance(block, exp.Select):
        start = block.args.get("from_") or block.args.get("from")
        sources = [] if start is None else [start.this, *(join.this for join in joins)]
        if not any(isinstance(source, exp.Table) and not _is_defined_inside(source, exp) for source in sources):
            return None
        alone = len(sources) == 1 and not block.args.get("laterals")
    elif isinstance(block, exp.Update | exp.Delete):
        others = any(block.args.get(word) for word in ("from_", "from", "using", "tables", "joins"))
        alone = not others and not joins
    else:
        return set()
    where = block.args.get("where")
    found: set[str] = set()
    for test in [] if where is None else _conjuncts(where.this, exp):
        column = _restricted(test, exp)
        if column is not None:
            found.add(column.name.lower() if alone else f"{column.table}.{column.name}".lower())
    return {name for name in found if not name.startswith(".")}


def _conjuncts(node: Any, exp: Any) -> Iterator[Any]:
    if isinstance(node, exp.Paren):
        yield from _conjuncts(node.this, exp)
    elif isinstance(node, exp.And):
        yield from _conjuncts(node.left, exp)
        yield from _conjuncts(node.right, exp)
    else:
        yield node


def _restricted(test: Any, exp: Any) -> Any | None:
    """The column that a comparison with constants is about."""
    if type(test).__name__ not in _COMPARED:
        return None
    sides = list(test.iter_expressions())
    columns = [side for side in sides if isinstance(side, exp.Column)]
    constants = [side for side in sides if side.find(exp.Column, exp.Query) is None]
    if len(columns) != 1 or len(columns) + len(constants) != len(sides) or test.args.get("query") is not None:
        return None
    return columns[0] if constants else None


def _limit(tree: Any) -> int:
    """The most rows that a statement gives; the largest int where nothing bounds them."""
    exp = open_sqlglot().exp
    limit = tree.args.get("limit") if isinstance(tree, exp.Query) else None
    if limit is None or limit.args.get("expressions"):
        return MAX_INT
    options = limit.args.get("limit_options")
    if options is not None and (options.args.get("percent") or options.args.get("with_ties")):
        return MAX_INT
    count = limit.args.get("count") if isinstance(limit, exp.Fetch) else limit.expression
    if isinstance(count, exp.Literal) and not count.is_string and count.name.isascii() and count.name.isdigit():
        return min(int(count.name[:20]), MAX_INT)
    return MAX_INT
