"""The start of the program `policy`: simple calls are decided from the cache before anything heavy is imported.

`policy decide POLICY --calls …` without further options goes through `lean` line by line; from the first line that is
not simple on, and for every other command, the program itself (`cli/app.py`) takes over and goes on where this stopped.
"""

from __future__ import annotations

import sys

from policy_engine.lean.deciding import Desk
from policy_engine.lean.serving import BROKEN, FINDINGS, FINE, Left, desk_for, serve

TYPE_CHECKING = False
if TYPE_CHECKING:  # type checkers take this for true; the imports would cost what is saved here
    from typing import Any

_MOST_BYTES = 1_000_000
"""A larger file of calls is worth the start of the whole program."""


class Resumed:
    """Standard input from the line on that was not simple; blank lines stand for those before it, so that it counts alike."""

    def __init__(self, left: Left, rest: Any) -> None:
        self._waiting = b"\n" * left.lines + left.line
        self._rest = rest

    @property
    def buffer(self) -> Resumed:
        """Itself: it has only bytes."""
        return self

    def readline(self, size: int) -> bytes:
        """The next line, at most `size` bytes of it."""
        if not self._waiting:
            found: bytes = self._rest.readline(size)
            return found
        end = self._waiting.find(b"\n") + 1 or len(self._waiting)
        line, self._waiting = self._waiting[: min(end, size)], self._waiting[min(end, size) :]
        if not line.endswith(b"\n") and len(line) < size and not self._waiting:
            line += self._rest.readline(size - len(line))
        return line


def main() -> None:
    """Run the program with the arguments of the process. Ends by `SystemExit`, whatever happens."""
    asked = _asked(sys.argv[1:])
    desk = None if asked is None else desk_for(asked[0])
    if asked is None or desk is None:
        _whole()
        return
    try:
        left = _file(desk, asked[1]) if asked[1] != "-" else serve(desk, sys.stdin.buffer.readline, _say)
    except (KeyboardInterrupt, OSError):
        sys.exit(BROKEN)
    if left is not None and not left.line:
        sys.exit(FINDINGS if left.refused else FINE)
    if left is not None:
        stream: Any = Resumed(left, sys.stdin.buffer)
        sys.stdin = stream
    try:
        _whole()
    except SystemExit as end:
        if left is not None and left.refused and not end.code:
            sys.exit(FINDINGS)
        raise


def _whole() -> None:
    """The program itself; imported only now."""
    __import__("policy_engine.cli.app", fromlist=["main"]).main()


def _asked(arguments: list[str]) -> tuple[str, str] | None:
    """The policy and the calls of a `decide` without further options."""
    if len(arguments) != 4 or arguments[0] != "decide":
        return None
    if arguments[2] == "--calls":
        policy, calls = arguments[1], arguments[3]
    elif arguments[1] == "--calls":
        policy, calls = arguments[3], arguments[2]
    else:
        return None
    plain = not policy.startswith("-") and (calls == "-" or not calls.startswith("-"))
    return (policy, calls) if plain else None


def _file(desk: Desk, calls: str) -> Left | None:
    """All lines of a file answered; None, and nothing said, where one of them is not simple."""
    answers: list[str] = []
    try:
        with open(calls, "rb") as stream:
            if stream.seek(0, 2) > _MOST_BYTES:
                return None
            stream.seek(0)
            left = serve(desk, stream.readline, answers.append)
    except (OSError, ValueError):
        return None
    if left.line:
        return None
    _say("".join(answers))
    return left


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
