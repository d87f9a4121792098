"""A host with a registry of approvers on a SQLite file, people at terminals, and an agent with a shell."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from typer.testing import CliRunner

from policy_engine import Approval, Decision, Policy, Principal, Request, loads
from policy_engine.assembly.approvers import Approvers
from policy_engine.assembly.asking import desk
from policy_engine.cli.app import application, main
from policy_engine.runtime.mediation.people.desk import People
from policy_engine.runtime.mediation.people.rendering import Asked
from policy_engine.runtime.ports.approvals import Question
from policy_engine.stores.sqlite.approvals import SqliteApprovals
from policy_engine.stores.sqlite.database import Database
from tests.unit.people.conftest import HEADER, TOOLS

PASSPHRASE = "correct horse battery"
RULES = HEADER + """allow refund on crm.refund
escalate big on crm.refund when args.amount > 100.0 to finance within 30m
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from policy_engine.cli.app import main; main()", *arguments]


def at_terminal(arguments: Sequence[str], typed: Sequence[tuple[str, str]], folder: Path, **environment: str) -> tuple[int, str]:
    """Run `policy` with a terminal of its own, typing each answer at its prompt. Exit code, and what was shown."""
    child, terminal = pty.fork()
    if child == 0:
        _become(arguments, folder, {"NO_COLOR": "1", "COLUMNS": "100", **environment})
    shown, waiting, ends = b"", list(typed), time.monotonic() + 60
    while time.monotonic() < ends:
        if waiting and waiting[0][0].encode() in shown.rpartition(b"\n")[2]:
            os.write(terminal, waiting.pop(0)[1].encode() + b"\n")
            shown += b"\n"
        ready, _, _ = select.select([terminal], [], [], 0.2)
        if not ready:
            continue
        try:
            piece = os.read(terminal, 65_536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), shown.decode().replace("\r\n", "\n")


def _become(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Go on as `policy`, in the child of a fork: what takes long to import is imported already."""
    code = 70
    try:
        os.chdir(folder)
        os.environ.update(environment)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
        sys.argv = ["policy", *arguments]
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def told(arguments: Sequence[str], folder: Path) -> str:
    """What `policy` prints, for commands that ask nothing; they run here."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        result = CliRunner().invoke(application(), list(arguments), catch_exceptions=False)
    finally:
        os.chdir(before)
    assert result.exit_code == 0, result.output
    return result.stdout


def without_terminal(
    arguments: Sequence[str], folder: Path, typed: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `policy` as a program does: in a session without a terminal."""
    return subprocess.run(
        command(*arguments), cwd=folder, input=typed, capture_output=True, text=True, timeout=60, start_new_session=True,
        env={**os.environ, "NO_COLOR": "1", **environment},
    )  # fmt: skip


def make_key(folder: Path, approver: str, passphrase: str = PASSPHRASE) -> str:
    """`policy keys new`, and the public half."""
    code, shown = at_terminal(
        ["keys", "new", approver, "--out", f"{approver}.key", "--format", "json"],
        [("new passphrase", passphrase), ("same again", passphrase)], folder,
    )  # fmt: skip
    assert code == 0, shown
    return str(json.loads(shown.splitlines()[-1])["key"])


@dataclass
class Host:
    """The process under whose guard an agent works: its policy, its people, its store."""

    folder: Path
    people: People
    policy: Policy
    told: tuple[Approval, ...] = ()
    waits: list[Question] = field(default_factory=list)

    def ask(self, amount: float = 500.0, *, call: str = "c1", args: Mapping[str, Any] | None = None) -> Decision:
        """Decide a refund with whatever the store holds."""
        request = Request(tool="crm.refund", args={"amount": amount, **(args or {})}, principal=Principal(id="u1"))
        run = self.policy.run(input="a refund, please")
        self.told = ()
        while True:
            decision = self.policy.decide(request, run=run, approvals=self.told)
            if decision.effect != "escalate":
                return decision
            asked = Asked(
                run="r1", root="r1", call=call, tool="crm.refund", args=decision.engine_args, principal=request.principal
            )  # fmt: skip
            standing = self.people.standing(asked, decision.asks, self.told, time.time_ns())
            if standing.answers == self.told:
                self.waits = list(standing.questions)
                return decision
            self.told = standing.answers


def host(folder: Path, keys: Mapping[str, str], *, host_key: bytes | None = None, rules: str = RULES) -> Host:
    """Start a host; `keys` are written into its registry, all for finance, unless there is one."""
    registry = "approvers.yaml"
    rows = [{"id": name, "key": key, "queues": ["finance"], "record": {"level": 1}} for name, key in keys.items()]
    if not (folder / registry).exists():
        (folder / registry).write_text(json.dumps({"approvers": rows}))
        (folder / registry).chmod(0o600)
    people = desk(
        SqliteApprovals(Database(folder / "state.db")), new_id=lambda: uuid4().hex,
        approvers=Approvers.from_file(folder / registry), host_key=host_key,
    )  # fmt: skip
    return Host(folder, people, loads(rules, files={"tools.json": TOOLS}))
