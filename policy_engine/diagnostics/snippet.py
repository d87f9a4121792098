"""Source lines with their labels underlined: the middle of a diagnostic as `render_text` shows it.

Knows nothing of codes or effects. Lines are cropped around their labels when they are wider than the page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Final, Literal as OneOf

from policy_engine.base.source import Source
from policy_engine.diagnostics.visible import shown_character, shown_line, width_of

Role = OneOf["gutter", "primary", "secondary"]
Paint = Callable[[Role, str], str]
_SHOWN_LINES: Final = 4
"""A label over more lines than this shows only its first and last ones."""
_MARGIN: Final = 10
"""Columns kept on both sides of the labels when a line is cropped."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A label on one source: characters `start` to `end`; `primary` is where the fault is."""

    start: int
    end: int
    text: str
    primary: bool

    @property
    def role(self) -> Role:
        """How it is painted."""
        return "primary" if self.primary else "secondary"

    @property
    def sign(self) -> str:
        """What it is underlined with."""
        return "^" if self.primary else "-"


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A mark within one shown line, in columns."""

    left: int
    right: int
    mark: Mark
    words: bool


@dataclass(frozen=True, slots=True)
class _Block:
    """A mark over several lines, `first` to `last`."""

    first: int
    last: int
    mark: Mark


class Snippet:
    """The lines of one source that some marks touch. `number_width` is that of the diagnostic's longest line number."""

    def __init__(self, source: Source, marks: Sequence[Mark], number_width: int, width: int, paint: Paint) -> None:
        self._source = source
        self._paint = paint
        self._bar = paint("gutter", " " * (number_width + 1) + "|")
        self._number_width = number_width
        self._single: dict[int, list[Mark]] = {}
        self._blocks: list[_Block] = []
        for mark in marks:
            first, last = line_of(source, mark.start), line_of(source, max(mark.start, mark.end - 1))
            if first == last:
                self._single.setdefault(first, []).append(mark)
            else:
                self._blocks.append(_Block(first, last, mark))
        self._room = max(20, width - number_width - 3 - 2 * len(self._blocks))

    def render(self) -> list[str]:
        """The lines to print, without the bare gutter lines around them."""
        rows: list[str] = []
        before: int | None = None
        for number in self._numbers():
            if before is not None and number > before + 1:
                rows.append(self._paint("gutter", "..."))
            rows.extend(self._line(number))
            before = number
        return rows

    def _numbers(self) -> list[int]:
        """The lines to show, in order."""
        numbers = set(self._single)
        for block in self._blocks:
            if block.last - block.first < _SHOWN_LINES:
                numbers.update(range(block.first, block.last + 1))
            else:
                numbers.update((block.first, block.first + 1, block.last))
        return sorted(numbers)

    def _line(self, number: int) -> list[str]:
        """One source line and what hangs below it."""
        raw = self._source.line(number)
        start = self._source.line_start(number)
        cells = [shown_character(character) for character in raw]
        columns = [0]
        for cell in cells:
            columns.append(columns[-1] + width_of(cell))
        stretches = [_stretch(mark, start, columns) for mark in self._single.get(number, ())]
        text, shift = _cropped(cells, columns, stretches, self._room)
        stretches = [_Stretch(s.left - shift, s.right - shift, s.mark, s.words) for s in stretches]
        label = self._paint("gutter", f"{number:>{self._number_width}} |")
        rows = [f"{label} {self._margin(number)}{text}".rstrip()]
        inner = self._margin(number, below=True)
        rows.extend(f"{self._bar} {inner}{row}".rstrip() for row in self._underlines(stretches))
        rows.extend(self._closings(number, columns, start))
        return rows

    # ------------------------------------------------------------------ labels within a line
    def _underlines(self, stretches: Sequence[_Stretch]) -> list[str]:
        """The row of marks, the rightmost words beside it, the other words hanging below."""
        if not stretches:
            return []
        ordered = sorted(stretches, key=lambda s: (s.left, s.right))
        spoken = [stretch for stretch in ordered if stretch.words]
        signs: dict[int, tuple[str, Role]] = {}
        for stretch in sorted(stretches, key=lambda s: s.mark.primary):
            for column in range(stretch.left, max(stretch.right, stretch.left + 1)):
                signs[column] = (stretch.mark.sign, stretch.mark.role)
        end = max(signs) + 1
        row = self._signs(signs)
        hanging = spoken
        if spoken and max(s.right for s in ordered) <= max(spoken[-1].right, spoken[-1].left + 1):
            beside = spoken[-1]
            words = shown_line(beside.mark.text)
            if end + 1 + width_of(words) <= self._room:
                row += " " + self._paint(beside.mark.role, words)
                hanging = spoken[:-1]
        rows = [row]
        for index in range(len(hanging) - 1, -1, -1):
            rows.extend(self._hanging(hanging[: index + 1]))
        return rows

    def _hanging(self, stretches: Sequence[_Stretch]) -> list[str]:
        """The words of the last stretch below its mark, with the stalks of those that are still to come."""
        stalks: dict[int, tuple[str, Role]] = {s.left: ("|", s.mark.role) for s in stretches}
        last = stretches[-1]
        lines = wrap(shown_line(last.mark.text), max(20, self._room - last.left)) or [""]
        del stalks[last.left]
        rows = [self._signs({**stalks, last.left: ("|", last.mark.role)})]
        for line in lines:
            prefix = self._signs({column: sign for column, sign in stalks.items() if column < last.left})
            length = max((column + 1 for column in stalks if column < last.left), default=0)
            rows.append(prefix + " " * (last.left - length) + self._paint(last.mark.role, line))
        return rows

    def _signs(self, signs: dict[int, tuple[str, Role]]) -> str:
        """Signs at their columns; neighbours of one role are painted together."""
        row, column = "", 0
        places = sorted(signs)
        while places:
            start, role = places[0], signs[places[0]][1]
            run = ""
            while places and places[0] == start + len(run) and signs[places[0]][1] == role:
                run += signs[places.pop(0)][0]
            row += " " * (start - column) + self._paint(role, run)
            column = start + len(run)
        return row

    # ------------------------------------------------------------------ labels over several lines
    def _margin(self, number: int, *, below: bool = False) -> str:
        """The bars of the blocks that pass by line `number`, two columns each."""
        parts = []
        for block in self._blocks:
            if number == block.first and not below:
                parts.append(self._paint(block.mark.role, "/") + " ")
            elif block.first <= number <= block.last:
                parts.append(self._paint(block.mark.role, "|") + " ")
            else:
                parts.append("  ")
        return "".join(parts)

    def _closings(self, number: int, columns: Sequence[int], start: int) -> list[str]:
        """The feet of the blocks that end on line `number`, with their words."""
        rows = []
        for place, block in enumerate(self._blocks):
            if block.last != number:
                continue
            right = columns[min(max(block.mark.end - start, 1), len(columns) - 1)]
            right = min(right, self._room)
            foot = "|" + "_" * (2 * (len(self._blocks) - place - 1) + max(right, 1)) + block.mark.sign
            words = shown_line(block.mark.text)
            row = "  " * place + self._paint(block.mark.role, f"{foot} {words}".rstrip())
            rows.append(f"{self._bar} {row}")
        return rows


def line_of(source: Source, offset: int) -> int:
    """The number of the line that a character stands on."""
    return source.position(min(offset, len(source.text)))[0]


def _stretch(mark: Mark, start: int, columns: Sequence[int]) -> _Stretch:
    limit = len(columns) - 1
    left = columns[min(mark.start - start, limit)]
    right = columns[min(mark.end - start, limit)]
    return _Stretch(left, right, mark, bool(mark.text))


def _cropped(
    cells: Sequence[str], columns: Sequence[int], stretches: Sequence[_Stretch], room: int
) -> tuple[str, int]:
    """The part of a line that fits and how many columns were cut on its left (what replaces them counted)."""
    total = columns[-1]
    if total <= room:
        return "".join(cells), 0
    left = min((stretch.left for stretch in stretches), default=0)
    first = 0 if left < room - _MARGIN else left - _MARGIN
    begin = next(index for index, column in enumerate(columns) if column >= first)
    ellipsis = "..." if begin else ""
    shift = columns[begin] - len(ellipsis)
    stop = begin
    while stop < len(cells) and columns[stop + 1] - shift <= room - 3:
        stop += 1
    tail = "..." if stop < len(cells) else ""
    return ellipsis + "".join(cells[begin:stop]) + tail, shift
