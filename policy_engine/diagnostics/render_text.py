"""Diagnostics as a person reads them: headline, the places with their labels, effect, try, notes, where to read more.

Called by the command line and by `PolicyError` users who want more than its one-line summary. Whether there is colour
and how wide the page is, the caller knows: nothing here looks at the terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from textwrap import wrap
from typing import Final

from policy_engine.base.source import Source
from policy_engine.diagnostics.model import Diagnostic, Label, Severity
from policy_engine.diagnostics.snippet import Mark, Paint, Snippet, line_of
from policy_engine.diagnostics.visible import shown_line, shown_text

DEFAULT_WIDTH: Final = 120
_COLOURS: Final = {"error": "1;31", "warning": "1;33", "note": "1;36"}
_ROLES: Final = {"gutter": "1;34", "secondary": "1;34"}


def render_text(diagnostics: Iterable[Diagnostic], *, colour: bool = False, width: int = DEFAULT_WIDTH) -> str:
    """All diagnostics with a blank line between them. `width` is in columns, `colour` = with ANSI codes."""
    return "\n\n".join(render_one(diagnostic, colour=colour, width=width) for diagnostic in diagnostics)


def render_one(diagnostic: Diagnostic, *, colour: bool = False, width: int = DEFAULT_WIDTH) -> str:
    """One diagnostic, without a line break at its end."""
    width = max(width, 40)
    paint = _painter(diagnostic.severity, colour)
    groups = _by_source(diagnostic.labels)
    numbers = [line_of(label.span.source, max(label.span.start, label.span.end - 1)) for label in diagnostic.labels]
    digits = len(str(max(numbers, default=1)))
    rows = _headline(diagnostic, paint, width, colour)
    bar = paint("gutter", " " * (digits + 1) + "|")
    for index, (source, marks) in enumerate(groups):
        arrow = "-->" if index == 0 else ":::"
        rows.append(f"{paint('gutter', ' ' * digits + arrow)} {_place(source, marks[0])}")
        if source.text:
            rows.append(bar)
            rows.extend(Snippet(source, marks, digits, width, paint).render())
            rows.append(bar)
    rows.extend(_footer(diagnostic, digits, width, paint))
    return "\n".join(rows)


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """How many there are: `2 errors, 1 warning`; empty for none."""
    counts = Counter(diagnostic.severity for diagnostic in diagnostics)
    order: tuple[Severity, ...] = ("error", "warning", "note")
    return ", ".join(f"{counts[s]} {s}{'' if counts[s] == 1 else 's'}" for s in order if counts[s])


def _headline(diagnostic: Diagnostic, paint: Paint, width: int, colour: bool) -> list[str]:
    head = f"{diagnostic.severity}[{diagnostic.code.name}]"
    lines = wrap(f"{head}: {shown_line(diagnostic.message)}", width, break_long_words=False, break_on_hyphens=False)
    first, *rest = lines
    if not colour:
        return [first, *(f"  {line}" for line in rest)]
    first = paint("primary", head) + first[len(head) :]
    return [first, *(f"  {line}" for line in rest)]


def _footer(diagnostic: Diagnostic, digits: int, width: int, paint: Paint) -> list[str]:
    """The lines after the source, each under a name of its own."""
    entries: list[tuple[str, str]] = []
    if diagnostic.effect is not None:
        entries.append(("effect", diagnostic.effect))
    if diagnostic.suggestion is not None:
        entries.append(("try", diagnostic.suggestion))
    entries.extend(("note", note) for note in diagnostic.notes)
    entries.append(("more", f"policy rule {diagnostic.code.name}"))
    indent = " " * (digits + 1)
    rows = []
    for name, text in entries:
        head = f"{indent}{paint('gutter', '=')} {name + ':':<7} "
        following = " " * (digits + 1 + 2 + 8)
        lines = _wrapped(shown_text(text), width - len(following), keep=name == "try")
        rows.append(head + lines[0])
        rows.extend(following + line for line in lines[1:])
    return rows


def _wrapped(text: str, room: int, *, keep: bool) -> list[str]:
    """Lines no longer than `room`; `keep` leaves code as it was written, for it is there to be copied."""
    lines: list[str] = []
    for line in text.split("\n"):
        broken = wrap(line, max(room, 20), break_long_words=False, break_on_hyphens=False) or [""]
        lines.extend([line] if keep else broken)
    return lines


def _by_source(labels: Iterable[Label]) -> list[tuple[Source, list[Mark]]]:
    """Labels gathered by source, the one of the fault first."""
    groups: dict[int, tuple[Source, list[Mark]]] = {}
    for index, label in enumerate(labels):
        source = label.span.source
        mark = Mark(label.span.start, label.span.end, label.text, primary=index == 0)
        groups.setdefault(id(source), (source, []))[1].append(mark)
    return list(groups.values())


def _place(source: Source, mark: Mark) -> str:
    name = shown_line(source.name)
    if not source.text:
        return f"{name}: {shown_line(mark.text)}" if mark.text else name
    line, column = source.position(min(mark.start, len(source.text)))
    return f"{name}:{line}:{column}"


def _painter(severity: Severity, colour: bool) -> Paint:
    if not colour:
        return lambda _, text: text

    def paint(role: str, text: str) -> str:
        return f"\x1b[{_ROLES.get(role, _COLOURS[severity])}m{text}\x1b[0m" if text else text

    painter: Callable[[str, str], str] = paint
    return painter
