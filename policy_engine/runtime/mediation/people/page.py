"""What a person sees of a question, as text for a terminal. Wrapped, never cut; no value can imitate the frame.

Values were spelled out before (`rendering.py`): they hold no line break, and each of their lines begins with the mark of
the frame and an indentation, which no line of the frame has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from policy_engine.diagnostics.visible import width_of
from policy_engine.runtime.mediation.people.rendering import digest_of_shown
from policy_engine.runtime.mediation.people.spelling import respelled
from policy_engine.runtime.ports.approvals import Question

_INDENT: Final = "│     "
_WORDS: Final = "│  ┆  "
_LEAST_WIDTH: Final = 20


def page_of(question: Question, *, width: int = 100) -> str:
    """The whole question. What it shows may have been written by others: it is spelled again."""
    shown = question.shown
    lines = [f"┌─ question {respelled(question.id)}"]
    lines += _line("tool", [str(shown.get("tool"))], width)
    lines += _line("for", _fields(shown.get("principal")), width)
    lines += _line("agent", _fields(shown.get("agent")), width)
    lines += _line("asked by", [question.rule], width)
    lines += _line("because", _texts(shown.get("because")), width)
    lines += _line("detail", _texts(shown.get("detail")), width)
    arguments = shown.get("arguments") or []
    lines.append(f"├─ arguments ({len(arguments)})")
    for leaf in arguments:
        lines += _argument(leaf, width)
    words = shown.get("words")
    if words is not None:
        lines.append("├─ the model's own words (nobody checked them)")
        lines += _wrapped(respelled(words), _WORDS, width)
    lines.append(f"└─ digest {digest_of_shown(shown)}")
    return "\n".join(lines)


def _argument(leaf: Mapping[str, Any], width: int) -> Iterator[str]:
    yield from _wrapped(f"{respelled(leaf.get('path'))}  ({respelled(leaf.get('kind'))})", "│  ", width)
    yield from _wrapped(respelled(leaf.get("value")), _INDENT, width)
    for word in leaf.get("from", ()):
        yield from _wrapped(f"← {respelled(word)}", "│   ", width)
    labels = leaf.get("labels")
    if labels:
        yield from _wrapped(f"← labelled {', '.join(map(respelled, labels))}", "│   ", width)
    for warning in leaf.get("warnings", ()):
        yield from _wrapped(f"! {respelled(warning)}", "│   ", width)


def _fields(fields: Any) -> list[str]:
    return [f"{one.get('path')} = {one.get('value')} ({one.get('kind')})" for one in fields or ()]


def _texts(text: Any) -> list[str]:
    return [] if text is None else [str(text)]


def _line(name: str, values: Sequence[str], width: int) -> Iterator[str]:
    for index, value in enumerate(values):
        head = name if index == 0 else ""
        yield from _wrapped(respelled(value), f"│  {head:<9} ", width, after=f"│  {'':<9} ")


def _wrapped(text: str, begin: str, width: int, *, after: str | None = None) -> Iterator[str]:
    """The text in lines of at most `width` columns, each behind the frame."""
    room = max(_LEAST_WIDTH, width - width_of(begin))
    line, used, head = "", 0, begin
    for character in text:
        size = width_of(character)
        if used + size > room:
            yield head + line
            line, used, head = "", 0, begin if after is None else after
        line += character
        used += size
    yield head + line
