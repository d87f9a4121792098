"""Arguments that mean more than their text: paths, web and mail addresses, SQL, shell commands.

Declared, so that policies using them are checked and formatted; their bodies come in a later version and until then
`load` refuses a policy that calls one. What a parser cannot read will be an error, hence a refusal.
"""

from __future__ import annotations

from typing import Final

from policy_engine.semantics.functions.declaration import Example, Function, Overload
from policy_engine.semantics.functions.signatures import examples, takes
from policy_engine.semantics.types import BOOL, INT, STRING, ListType, OpaqueType, RecordField, RecordType, Type

_TEXTS: Final = ListType(STRING)


def _record(name: str, **fields: Type) -> RecordType:
    return RecordType(name, tuple(RecordField(field, kind, required=True) for field, kind in sorted(fields.items())))


PATH: Final = OpaqueType("path")
URL: Final = _record(
    "url", fragment=STRING, host=STRING, path=STRING, port=INT, private=BOOL, query=STRING, scheme=STRING
)
EMAIL: Final = _record("email", address=STRING, domain=STRING, local=STRING)
SQL: Final = _record("sql", columns=_TEXTS, filters=_TEXTS, limit=INT, parsed=BOOL, statements=_TEXTS, tables=_TEXTS)
SHELL: Final = _record(
    "shell",
    calls=ListType(_record("shell call", args=_TEXTS, program=STRING)),
    parsed=BOOL,
    pipes=ListType(_record("shell pipe", **{"from": STRING, "to": STRING})),
    programs=_TEXTS,
)


def _declared(
    name: str, overloads: tuple[Overload, ...], meaning: str, shown: tuple[Example, ...], *, method: bool = False
) -> Function:
    return Function(name, overloads, meaning, shown, None, method=method, cost=20, source="policy language")


FUNCTIONS: Final = (
    _declared(
        "path",
        (takes(STRING, to=PATH),),
        "The file path a text spells, with `.` and `..` resolved.",
        examples(("path('/work/../etc/passwd').within('/work')", "false")),
    ),
    _declared(
        "within",
        (takes(PATH, STRING, to=BOOL), takes(PATH, PATH, to=BOOL)),
        "Whether the path lies in the folder, by its text alone.",
        examples(("path('/work/a.txt').within('/work')", "true")),
        method=True,
    ),
    _declared(
        "url",
        (takes(STRING, to=URL),),
        "The parts of a web address: `scheme host port path query fragment`; `private` for addresses inside a network.",
        examples(("url('https://acme.com/a').host", "'acme.com'"), ("url('http://10.0.0.1/').private", "true")),
    ),
    _declared(
        "urls",
        (takes(STRING, to=_TEXTS),),
        "The web addresses in a text.",
        examples(("urls('see https://acme.com/a')", "['https://acme.com/a']")),
    ),
    _declared(
        "email",
        (takes(STRING, to=EMAIL),),
        "The parts of a mail address: `local`, `domain`, and `address`, the bare one.",
        examples(("email('Ann <ann@acme.com>').domain", "'acme.com'")),
    ),
    _declared(
        "glob",
        (takes(STRING, STRING, to=BOOL),),
        "Whether a path matches a pattern: `*` within one folder, `**` across folders.",
        examples(("glob('src/.git/config', '**/.git/**')", "true")),
    ),
    _declared(
        "sql",
        (takes(STRING, to=SQL),),
        "What an SQL text does: `statements tables columns filters limit`.",
        examples(("sql('SELECT a FROM t').statements", "['select']")),
    ),
    _declared(
        "with_limit",
        (takes(SQL, INT, to=STRING),),
        "The SQL text with at most so many rows asked for.",
        examples(("sql('SELECT a FROM t').with_limit(10)", "'SELECT a FROM t LIMIT 10'")),
        method=True,
    ),
    _declared(
        "shell",
        (takes(STRING, to=SHELL),),
        "What a shell command runs: `programs`, `calls` with `program` and `args`, `pipes` with `from` and `to`, "
        "`parsed` = whether all of it was understood.",
        examples(("shell('cat a | sort').programs", "['cat', 'sort']")),
    ),
)
