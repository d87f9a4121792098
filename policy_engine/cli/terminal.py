"""The only place that looks at the terminal: colours, width, progress. Everything printed is made safe here.

Colour only on a terminal, never under `NO_COLOR` or `TERM=dumb`.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TextIO, TypeVar

from rich.console import Console
from rich.progress import Progress

from policy_engine.diagnostics.render_text import DEFAULT_WIDTH
from policy_engine.diagnostics.visible import shown_text

PATIENCE_SECONDS: Final = 1.0
"""After this long a progress bar appears, if a person is watching."""
_STYLES: Final = {"good": "32", "bad": "1;31", "dim": "2", "strong": "1", "warn": "33"}
Item = TypeVar("Item")


def colourful(stream: TextIO) -> bool:
    """Whether ANSI colours are wanted on a stream."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def page_width(stream: TextIO) -> int:
    """Columns of the page: those of the terminal, or a fixed number so that logs look the same everywhere."""
    return shutil.get_terminal_size().columns if stream.isatty() else DEFAULT_WIDTH


def styled(style: str, text: str) -> str:
    """Text for standard output in one of the styles, or plain where colours are not wanted."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if colourful(sys.stdout) else text


def say(text: str = "") -> None:
    """Print lines that this program composed (they may hold colours); names and reasons in them went through `safe`."""
    print(text)


def safe(text: str) -> str:
    """Text that others wrote, with everything spelled out that a terminal would obey or hide."""
    return shown_text(text)


def complain(text: str) -> None:
    """Print a line on standard error, made safe."""
    print(safe(text), file=sys.stderr)


def make_streams_robust() -> None:
    """A character that the terminal's encoding lacks is escaped instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def progress(items: Sequence[Item], doing: str) -> Iterator[Item]:
    """The items one by one; a progress bar on standard error once it takes long and someone watches."""
    with stepper(doing, len(items)) as step:
        for item in items:
            yield item
            step()


@contextmanager
def stepper(doing: str, total: int | None) -> Iterator[Callable[[], None]]:
    """A function to call after each step of a long work; `total` None = nobody knows how many there will be."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    bar = Progress(console=Console(stderr=True, no_color=not colourful(sys.stderr)), transient=True)
    task = bar.add_task(doing, total=total)
    begun = time.monotonic()
    running = False

    def step() -> None:
        nonlocal running
        bar.advance(task)
        if not running and time.monotonic() - begun > PATIENCE_SECONDS:
            running = True
            bar.start()

    try:
        yield step
    finally:
        if running:
            bar.stop()
