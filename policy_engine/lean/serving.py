"""Lines of calls in, lines of decisions out, until one comes that the full engine must answer.

`serve` is used by the lean entry (`__main__.py`) and by `policy decide`; whoever calls it hands what is left over.
"""

from __future__ import annotations

import sys

from policy_engine.lean import places
from policy_engine.lean.deciding import Desk
from policy_engine.lean.lines import MAX_LINE_BYTES
from policy_engine.lean.simple import NotSimple
from policy_engine.lean.vault import Untrusted, opened

try:
    import posix
except ImportError:
    posix = None  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:  # type checkers take this for true; the imports would cost half a start
    from collections.abc import Callable
    from typing import Any

FINE, FINDINGS, BROKEN = 0, 1, 2
_FULL = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv[0] = 'policy'; "
    "from policy_engine.cli.app import main; main()"
)


class Left:
    """What `serve` did not answer: the line it stopped at (empty at the end), and what it did before."""

    def __init__(self, line: bytes, lines: int, refused: bool) -> None:
        self.line = line
        self.lines = lines
        self.refused = refused


def desk_for(policy: str) -> Desk | None:
    """The desk of a policy in the cache; None where there is nothing that can be used."""
    try:
        entry, _ = opened(places.entries(policy), places.here())
        return Desk(entry) if entry.index["lean"] else None
    except (Untrusted, OSError, ValueError):
        return None


def serve(desk: Desk, readline: Callable[[int], bytes], write: Callable[[str], Any]) -> Left:
    """Answer lines one by one as they come; `write` gets whole lines."""
    lines, refused = 0, False
    while line := readline(MAX_LINE_BYTES + 1):
        if line.strip():
            try:
                text, allowed = desk.answer(line)
            except NotSimple:
                return Left(line, lines, refused)
            write(text + "\n")
            refused = refused or not allowed
        lines += 1
    return Left(b"", lines, refused)


def main(arguments: list[str]) -> int:
    """`POLICY` and lines on standard input; the exit code of `policy decide`."""
    if len(arguments) != 1 or arguments[0].startswith("-") or posix is None:
        sys.stderr.write("usage: python -I -S …/policy_engine/lean/__main__.py POLICY < calls.jsonl\n")
        return BROKEN
    stream = sys.stdin.buffer
    desk = desk_for(arguments[0])
    left = Left(b"", 0, False) if desk is None else serve(desk, stream.readline, _say)
    code = _handed_over(arguments[0], left, stream) if left.line or desk is None else FINE
    return FINDINGS if code == FINE and left.refused else code


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _handed_over(policy: str, left: Left, stream: Any) -> int:
    """Let the full engine answer from the line on; blank lines stand for those answered, so that it counts alike."""
    ours, its = posix.pipe()
    process = posix.fork()
    if process == 0:
        try:
            posix.dup2(ours, 0)
            posix.close(its)
            home = places.ROOT.rpartition("/")[0]
            posix.execv(sys.executable, [sys.executable, "-I", "-c", _FULL, home, "decide", policy, "--calls", "-"])
        finally:
            posix._exit(BROKEN)
    posix.close(ours)
    chunk = b"\n" * left.lines + left.line or stream.read1(65536)
    try:
        while chunk:
            while chunk:
                chunk = chunk[posix.write(its, chunk) :]
            chunk = stream.read1(65536)
    except BrokenPipeError:  # it has gone; its exit code says why
        pass
    posix.close(its)
    code = posix.waitstatus_to_exitcode(posix.waitpid(process, 0)[1])
    return code if code in (FINE, FINDINGS) else BROKEN
