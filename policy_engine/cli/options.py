"""Options that several commands share, declared once so that they read the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from policy_engine.base.errors import MisfitError
from policy_engine.cli.exits import stop
from policy_engine.semantics.schema.strict_json import parse_json


class Format(str, Enum):
    """How a command speaks: to people or to programs."""

    text = "text"
    json = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="For people (text) or for programs (json).")]
UnderOption = Annotated[
    list[Path] | None, typer.Option("--under", help="A policy to impose above this one; may be repeated.")
]
ParamOption = Annotated[
    list[str] | None, typer.Option("--param", help="NAME=VALUE for a `param` of the policy; may be repeated.")
]


def params_from(given: Sequence[str] | None) -> dict[str, Any]:
    """The params of `--param NAME=VALUE`: a value that is JSON counts as that, anything else as text."""
    params: dict[str, Any] = {}
    for item in given or ():
        name, equals, text = item.partition("=")
        if not equals or not name:
            stop(f"`--param {item}` has no `=`", suggestion="--param cap=100.0")
        if name in params:
            stop(f"`--param {name}` is given twice")
        try:
            params[name] = parse_json(text)
        except MisfitError:
            params[name] = text
    return params
