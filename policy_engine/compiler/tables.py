"""Parsers from tables that are shipped beside their grammar, because making them of it takes a third of a second.

Called by the parsers of expressions and of policies. Tables count only for the very grammar and the very Lark they were
made with; otherwise the grammar itself is read, which takes longer and comes to the same. They are JSON, so that reading
them runs nothing; `python grammar/write_tables.py` writes them, and a test compares them with the grammar.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeAlias

import lark
from lark import Lark, Transformer
from lark.grammar import Rule
from lark.lexer import TerminalDef

from policy_engine.resources import resource

Tables: TypeAlias = "tuple[dict[str, Any], dict[int, Any]]"


@dataclass(frozen=True)
class Grammar:
    """A grammar of ours: the name of its tables, how its text is read, and where parsing begins."""

    name: str
    text: Callable[[], str]
    start: tuple[str, ...]

    def parser(self, transformer: Transformer[Any, Any]) -> Lark:
        """A parser that hands what it reads to `transformer`."""
        tables = self.shipped()
        if tables is None:
            return self.made(transformer)
        load: Callable[..., Lark] = Lark._load_from_dict  # what the modules call that Lark itself generates
        return load(*tables, transformer=transformer)

    def shipped(self) -> Tables | None:
        """The tables, if they are there and were made of this grammar by this Lark."""
        try:
            text = resource(f"grammar/{self.name}.tables.json").read_text(encoding="utf-8")
        except OSError:
            return None
        found: dict[str, Any] = json.loads(text, object_hook=_numbered)
        if found["grammar"] != self._digest() or found["lark"] != lark.__version__:
            return None
        return found["data"], found["memo"]

    def tables(self) -> Tables:
        """The tables, made of the grammar."""
        found: Tables = self.made(None).memo_serialize([TerminalDef, Rule])
        return found

    def written(self) -> str:
        """The text of the tables' file."""
        data, memo = self.tables()
        made = {"grammar": self._digest(), "lark": lark.__version__, "data": data, "memo": memo}
        return json.dumps(made, separators=(",", ":")) + "\n"

    def made(self, transformer: Transformer[Any, Any] | None) -> Lark:
        """The same, made of the grammar itself."""
        return Lark(
            self.text(), parser="lalr", lexer="contextual", start=list(self.start), transformer=transformer,
            maybe_placeholders=True,
        )  # fmt: skip

    def _digest(self) -> str:
        return sha256(self.text().encode()).hexdigest()


def _numbered(found: dict[str, Any]) -> dict[Any, Any]:
    """JSON has no numbers as keys; the tables have no texts of digits as keys."""
    return {int(key) if key.isdecimal() else key: value for key, value in found.items()}
