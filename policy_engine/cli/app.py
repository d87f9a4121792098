"""The program `policy`: one file a command, all of them in `COMMANDS`. Whatever happens, it never shows a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, Final

import typer

from policy_engine.cli import terminal
from policy_engine.cli.commands import approvals, keys
from policy_engine.cli.commands.audit_compare import compare
from policy_engine.cli.commands.audit_erase import erase
from policy_engine.cli.commands.audit_export import export
from policy_engine.cli.commands.audit_recover import recover
from policy_engine.cli.commands.audit_redo import redo
from policy_engine.cli.commands.audit_show import show
from policy_engine.cli.commands.audit_sign import checkpoint, key
from policy_engine.cli.commands.audit_stats import stats
from policy_engine.cli.commands.audit_verify import verify
from policy_engine.cli.commands.check import check
from policy_engine.cli.commands.decide import decide
from policy_engine.cli.commands.explain import explain
from policy_engine.cli.commands.fmt import fmt
from policy_engine.cli.commands.init import init
from policy_engine.cli.commands.plan import plan
from policy_engine.cli.commands.rule import rule
from policy_engine.cli.commands.test import test
from policy_engine.cli.exits import BROKEN

COMMANDS: Final[tuple[Callable[..., Any], ...]] = (init, check, fmt, decide, explain, plan, rule, test)
"""Every command, in the order of the help page. Its name is that of its function."""
GROUPS: Final[tuple[tuple[str, str, tuple[Callable[..., Any], ...]], ...]] = (
    ("approvals", approvals.HELP, approvals.COMMANDS),
    ("audit", "The record of what was decided and what came of it.", (
        verify, show, export, redo, erase, recover, checkpoint, key, stats, compare,
    )),
    ("keys", keys.HELP, keys.COMMANDS),
)
"""Commands that are several: `policy approvals show`. A name that Python has for itself stands with a `_` behind it."""
_HELP: Final = """Rules between AI agents and the world: write, check, test and try them.

Exit codes: 0 fine, 1 findings or a refusal, 2 wrong usage or input that cannot be read.

\b
Begin with:
  policy init my-rules
  policy test my-rules
"""


def application() -> typer.Typer:
    """The commands put together."""
    app = typer.Typer(
        name="policy", help=_HELP, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )  # fmt: skip
    app.callback()(_nothing)
    for command in COMMANDS:
        app.command(command.__name__)(command)
    for name, about, members in GROUPS:
        group = typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=None)
        for command in members:
            group.command(command.__name__.rstrip("_"))(command)
        app.add_typer(group, name=name)
    return app


def _nothing() -> None:
    """No options stand before the command."""


_nothing.__doc__ = _HELP


def main() -> None:
    """Run the program with the arguments of the process. Ends by `SystemExit`, whatever happens."""
    terminal.make_streams_robust()
    try:
        application()()
    except KeyboardInterrupt:
        terminal.complain("stopped")
        sys.exit(BROKEN)
    except BrokenPipeError:  # whoever read our output has gone; nothing is left to say, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN)
    except Exception as fault:
        terminal.complain(
            f"error: policy itself failed ({type(fault).__name__}: {fault}); nothing was decided. "
            "Please report it with the command and the files, see CONTRIBUTING.md"
        )
        sys.exit(BROKEN)
