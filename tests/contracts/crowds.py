"""A crowd: processes of a module that play a round for each line they are told, and answer with a line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def crowd_of(
    module: str, processes: int, arguments: Callable[[int], Sequence[object]]
) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are ready for rounds; gone afterwards. `arguments` of each, by its number."""
    begun = [
        subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments(number))],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for number in range(processes)
    ]  # fmt: skip
    try:
        assert [heard(process) for process in begun] == ["ready"] * processes
        yield begun
    finally:
        for process in begun:
            process.kill()
            process.communicate()


def tell(process: subprocess.Popen[str], line: str) -> None:
    """Ask a process for a round."""
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def heard(process: subprocess.Popen[str]) -> str:
    """What a process answers."""
    assert process.stdout is not None
    return process.stdout.readline().strip()
