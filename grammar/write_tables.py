"""Writes `grammar/*.tables.json` from the grammars, after a change of one or of Lark: `python grammar/write_tables.py`.

A test compares them.
"""

from pathlib import Path

from policy_engine.compiler.cel.parser import GRAMMAR as CEL
from policy_engine.compiler.language.grammar import GRAMMAR as POLICY

if __name__ == "__main__":
    for grammar in (CEL, POLICY):
        (Path(__file__).parent / f"{grammar.name}.tables.json").write_text(grammar.written(), encoding="utf-8")
