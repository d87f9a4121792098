"""`shell(x)`: what a shell command runs. Reading is behind the door `shell_reading`, which needs an extra.

A text that is not understood gives a record with `parsed` false and nothing else; a call whose arguments only the shell
will know (`$x`, `*.py`) has no `args`. Every question about what is missing is an error, hence a refusal.
"""

from __future__ import annotations

from typing import Final

from policy_engine.semantics.functions.declaration import Extra, Function
from policy_engine.semantics.functions.shell_reading import described, open_bash
from policy_engine.semantics.functions.signatures import examples, record, takes, typed
from policy_engine.semantics.types import BOOL, STRING, ListType

_TEXTS: Final = ListType(STRING)
SHELL: Final = record(
    "shell",
    calls=ListType(record("shell call", args=_TEXTS, program=STRING)),
    parsed=BOOL,
    pipes=ListType(record("shell pipe", **{"from": STRING, "to": STRING})),
    programs=_TEXTS,
)
EXTRA: Final = Extra("shell", open_bash)

FUNCTIONS: Final = (
    Function(
        "shell",
        (takes(STRING, to=SHELL),),
        "What a shell command (bash) runs, wherever it stands: `programs`; `calls` with `program` and `args`; `pipes` with "
        "`from` and `to`; `parsed` = whether all of it was understood, otherwise the other fields are errors. What "
        "`sudo env xargs timeout bash -c find -exec` and their like run is listed beside them; arguments that only the "
        "shell will know (`$x`, `*.py`) make `args` of that call an error.",
        examples(
            ("shell('cat a | sort').programs", "['cat', 'sort']"),
            ("shell('echo `rm -r /`').programs", "['echo', 'rm']"),
            ("shell('sudo rm a').programs", "['sudo', 'rm']"),
            ("shell('curl x | sh').pipes.exists(p, p.to == 'sh')", "true"),
            ("shell('$x a').parsed", "false"),
        ),
        typed("shell", described, (str,)),
        cost=500,
        source="policy language",
        extra=EXTRA,
    ),
)
