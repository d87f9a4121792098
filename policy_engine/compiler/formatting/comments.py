"""Gives every comment a place in the formatted text: above a clause, behind a clause, or between items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from policy_engine.compiler.formatting.layout import Part
from policy_engine.compiler.language.scanning import Scrap


@dataclass(slots=True, eq=False)
class Clause:
    """One clause of an item in canonical order, with where it stood (`start`, `end`) and the comments it takes along."""

    parts: tuple[Part, ...]
    start: int
    end: int
    closing: str = ""
    """Put behind it when it has a line of its own (the commas of records)."""
    above: list[str] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)


def attach(clauses: Sequence[Clause], comments: Sequence[Scrap]) -> None:
    """Hang the comments of one item on its clauses. A clause keeps one comment behind it; earlier ones go above."""
    order = sorted(clauses, key=lambda clause: clause.start)
    for comment in comments:
        text = comment.text.rstrip()
        before = [clause for clause in order if clause.start <= comment.start] or order[:1]
        current = before[-1]
        following = order[len(before)] if len(before) < len(order) else None
        if comment.start < current.end:
            current.above.append(text)
        elif comment.first and following is not None:
            following.above.append(text)
        else:
            current.above.extend(current.behind)
            current.behind = [text]
