"""Tables, bars and sparklines of plain text, for people. What stands in a cell was made safe by whoever wrote it there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

BAR_COLUMNS: Final = 10
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_HEIGHTS: Final = "▁▂▃▄▅▆▇█"


def table(rows: Sequence[Sequence[str]], *, indent: str = "  ") -> list[str]:
    """Aligned lines: the first column to the left, the others to the right; the first row is the head."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append((indent + "  ".join(cells)).rstrip())
    return lines


def bar(share: float | None, columns: int = BAR_COLUMNS) -> str:
    """A share of 0…1 as a bar of a fixed width, to an eighth of a column."""
    eighths = round(min(max(share or 0.0, 0.0), 1.0) * columns * 8)
    full, rest = divmod(eighths, 8)
    drawn = "█" * full + (_EIGHTHS[rest] if rest else "")
    return drawn.ljust(columns, "·")


def sparkline(heights: Sequence[int]) -> str:
    """Numbers as a row of blocks; nothing where all are zero. What is not zero is never drawn as nothing."""
    most = max(heights, default=0)
    if not most:
        return ""
    return "".join(" " if not height else _HEIGHTS[-(-height * 7 // most)] for height in heights)


def percent(share: float | None) -> str:
    """A share as per cent, or a dash."""
    return "–" if share is None else f"{share:.1%}".replace("%", " %")


def duration(nanos: float | None) -> str:
    """Nanoseconds in the unit that fits, with three digits."""
    if nanos is None:
        return "–"
    for unit, size in (("h", 3_600_000_000_000), ("min", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000)):
        if nanos >= size:
            return f"{nanos / size:.3g} {unit}"
    return f"{nanos:.0f} ns"


def named(counts: dict[str, int], most: int = 5) -> str:
    """Counts as «policy 3, limit 1», the first ones only."""
    shown = ", ".join(f"{name} {count}" for name, count in list(counts.items())[:most])
    return f"{shown} and {len(counts) - most} more" if len(counts) > most else shown
