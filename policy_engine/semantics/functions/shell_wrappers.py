"""Programs that run other programs: what their arguments say they run. Called by `shell_reading`.

Only arguments known for certain are taken; anything else raises `Unknown`, and the whole text is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

Words: TypeAlias = Sequence[str | None]
"""Arguments of a call; None where only the shell will know what stands there."""


class Unknown(Exception):
    """Nobody can tell from the text what is run."""


@dataclass(frozen=True, slots=True)
class Wrapper:
    """How a program finds the one it runs: `valued` options take a value, `flags` none; `skip` words stand before it.

    `assigns`: `NAME=value` words may stand before it. `feeds`: it adds arguments of its own to those written.
    """

    valued: str = ""
    flags: str = ""
    long_valued: tuple[str, ...] = ()
    long_flags: tuple[str, ...] = ()
    skip: int = 0
    assigns: bool = False
    feeds: bool = False


WRAPPERS: Final = {
    "sudo": Wrapper(
        "ughpCTrtUDR", "AbBEHnPSkKiNs", ("user", "group", "host", "prompt", "chdir"),
        ("preserve-env", "non-interactive", "login", "stdin"), assigns=True,
    ),
    "doas": Wrapper("uC", "nLs"),
    "env": Wrapper("uC", "i0", ("unset", "chdir"), ("ignore-environment", "null"), assigns=True),
    "nice": Wrapper("n", "", ("adjustment",)),
    "ionice": Wrapper("cn", "t", ("class", "classdata"), ("ignore",)),
    "nohup": Wrapper(),
    "setsid": Wrapper("", "cfw", (), ("ctty", "fork", "wait")),
    "stdbuf": Wrapper("ioe", "", ("input", "output", "error")),
    "timeout": Wrapper("ks", "vp", ("kill-after", "signal"), ("foreground", "preserve-status", "verbose"), skip=1),
    "time": Wrapper("fo", "pav", ("format", "output"), ("portability", "append", "verbose")),
    "xargs": Wrapper(
        "InPLsdaE", "0rtpx", ("replace", "max-args", "max-procs", "max-lines", "delimiter", "arg-file"),
        ("null", "no-run-if-empty", "verbose"), feeds=True,
    ),
    "command": Wrapper("", "pvV"),
    "builtin": Wrapper(),
    "exec": Wrapper("a", "cl"),
    "busybox": Wrapper(),
    "chronic": Wrapper(),
    "unbuffer": Wrapper("", "p"),
}  # fmt: skip
SHELLS: Final = frozenset(("sh", "bash", "zsh", "dash", "ksh", "ash", "fish"))
EVALUATED: Final = frozenset(("eval",))
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_STEERING: Final = re.compile(
    r"(?:PATH|IFS|ENV|BASH_ENV|BASHOPTS|SHELLOPTS|PS4|PROMPT_COMMAND|PAGER|EDITOR|VISUAL|BROWSER|SHELL|PERL5OPT|RUBYOPT|NODE_OPTIONS"
    r"|LD_.*|DYLD_.*|GIT_.*|PYTHON.*|PERL5.*|.*_PAGER|.*_EDITOR|BASH_FUNC_.*)"
)
_SETTERS: Final = frozenset(("read", "printf", "mapfile", "readarray", "getopts", "let", "export", "declare", "local", "typeset"))
_FIND_RUNS: Final = ("-exec", "-execdir", "-ok", "-okdir")


def check_variable(name: str) -> None:
    """Raises for a variable that decides which program is run, or what a program runs."""
    if _STEERING.fullmatch(name):
        raise Unknown


def check_variables(program: str, words: Words) -> None:
    """The same for programs of the shell that set the variables they are told."""
    if program in _SETTERS and (program != "printf" or "-v" in words):
        for word in words:
            if word is None:
                raise Unknown
            check_variable(word.partition("=")[0].partition("[")[0].rstrip("+"))


def wrapped(program: str, words: Words) -> tuple[Words, bool] | None:
    """The words of the program that `program` runs, and whether more are added to them; None where it runs none."""
    if program == "find":
        return None
    wrapper = WRAPPERS.get(program)
    if wrapper is None:
        return None
    rest = list(words)
    while rest:
        word = rest[0]
        if word is None:
            raise Unknown
        if word == "--":
            del rest[0]
            break
        if not word.startswith("-") or word == "-":
            break
        if program == "command" and set(word[1:]) & {"v", "V"}:
            return None
        del rest[: _option_length(wrapper, word)]
    while wrapper.assigns and rest and rest[0] is not None and (found := _ASSIGNMENT.match(rest[0])):
        check_variable(found[1])
        del rest[0]
    if len(rest) < wrapper.skip or None in rest[: wrapper.skip]:
        raise Unknown
    del rest[: wrapper.skip]
    return (rest, wrapper.feeds) if rest else None


def _option_length(wrapper: Wrapper, word: str) -> int:
    """How many words an option takes; raises for one that is not known."""
    if word.startswith("--"):
        name, equals, _ = word[2:].partition("=")
        if name in wrapper.long_valued:
            return 1 if equals else 2
        if name in wrapper.long_flags:
            return 1
        raise Unknown
    for place, letter in enumerate(word[1:], start=2):
        if letter in wrapper.valued:
            return 1 if place < len(word) else 2
        if letter not in wrapper.flags:
            raise Unknown
    return 1


def found_by_find(words: Words) -> list[Words]:
    """The commands of `find … -exec CMD ;`; raises where a word is not known, for it might be `-exec`."""
    commands: list[Words] = []
    if None in words:
        raise Unknown
    place = 0
    while place < len(words):
        if words[place] in _FIND_RUNS:
            ends = (n for n in range(place + 1, len(words)) if words[n] == ";" or list(words[n - 1 : n + 1]) == ["{}", "+"])
            end = next(ends, None)
            if end is None or end == place + 1:
                raise Unknown
            commands.append(words[place + 1 : end])
            place = end
        place += 1
    return commands


def script_of(program: str, words: Words) -> str | None:
    """The text that `bash -c`, `eval` or `trap` runs; None where there is none."""
    if program in EVALUATED:
        known = [word for word in words if word is not None]
        if len(known) != len(words):
            raise Unknown
        return " ".join(known) if known else None
    if program == "trap":
        actions = [word for word in words if word != "--"]
        if not actions or len(actions) == 1:
            return None
        if actions[0] is None:
            raise Unknown
        return None if actions[0] in ("-", "") or actions[0].startswith("-") else actions[0]
    if program not in SHELLS:
        return None
    takes_text = False
    for word in words:
        if word is None:
            raise Unknown
        if takes_text and not word.startswith(("-", "+")):
            return word
        if word.startswith("--") and word not in ("--norc", "--noprofile", "--posix", "--login"):
            raise Unknown
        if word.startswith("-") and not word.startswith("--"):
            if set(word[1:]) & {"o", "O"} or word in ("-", "--"):
                raise Unknown
            takes_text |= "c" in word[1:]
        elif not word.startswith("-"):
            return None  # the name of a script
    if takes_text:
        raise Unknown
    return None
