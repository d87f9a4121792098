"""Asking the person at the terminal: what they confirm, and their passphrase. Never from an argument, a variable or a pipe."""

from __future__ import annotations

import getpass
import warnings
from collections.abc import Callable

from policy_engine.assembly.approver_keys import LEAST_PASSPHRASE
from policy_engine.cli.exits import stop

_NOBODY = "nobody sits at a terminal here, and a person must"


def confirmed(question: str, expected: str) -> bool:
    """Whether the person types what is expected, letter by letter."""
    return _typed(lambda: _line(f"{question}: ")).strip().lower() == expected.lower()


def passphrase(of: str) -> str:
    """The passphrase of a key."""
    return _typed(lambda: getpass.getpass(f"passphrase of {of}: "))


def new_passphrase(of: str) -> str:
    """A passphrase for a new key, typed twice."""
    first = _typed(lambda: getpass.getpass(f"new passphrase for {of} (at least {LEAST_PASSPHRASE} characters): "))
    if _typed(lambda: getpass.getpass("the same again: ")) != first:
        stop("the two passphrases differ; nothing was written")
    return first


def _line(prompt: str) -> str:
    with open("/dev/tty", "w", errors="backslashreplace") as out, open("/dev/tty", errors="replace") as typed:
        out.write(prompt)
        out.flush()
        return typed.readline()


def _typed(ask: Callable[[], str]) -> str:
    """What is typed at the terminal of this process; without one, `getpass` would fall back to standard input."""
    try:
        with open("/dev/tty", "rb"):
            pass
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            return ask()
    except (OSError, EOFError, getpass.GetPassWarning):
        stop(_NOBODY, suggestion="run it yourself in a terminal")
