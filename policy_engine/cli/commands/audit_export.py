"""`policy audit export`: JSON lines that can be verified without the store."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Annotated

import typer

from policy_engine.audit.encoding import parsed
from policy_engine.audit.entries import Entry
from policy_engine.audit.exporting import exported
from policy_engine.audit.log import ABOUT
from policy_engine.cli import terminal
from policy_engine.cli.audit_keys import moment
from policy_engine.cli.audit_records import LogArgument, ledger_at
from policy_engine.cli.exits import stop
from policy_engine.runtime.ports.ledger import Ledger, UnreadableRows


def export(
    file: LogArgument,
    by_tag: Annotated[str | None, typer.Option("--by-tag", help="Only decisions by rules with this tag.")] = None,
    run: Annotated[str | None, typer.Option("--run", help="Only this run.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only from this date or moment on.")] = None,
) -> None:
    """Write the log, or a part of it, as JSON lines. What is left out stands there as its digest, so that it verifies.

    \b
    Examples:
      policy audit export state.db > all.jsonl
      policy audit export state.db --by-tag soc2:CC6.1 --since 2026-01-01 > evidence.jsonl
    """
    ledger = ledger_at(file)
    begin = None if since is None else moment("--since", since)
    tagged = _Tagged(ledger, by_tag)

    def wanted(entry: Entry) -> bool:
        return (run is None or entry.run == run) and (begin is None or entry.at >= begin) and (by_tag is None or tagged(entry))

    try:
        with terminal.stepper("exporting", None) as step:
            for line in exported(ledger, wanted, time.time_ns()):
                sys.stdout.write(line.decode() + "\n")
                step()
    except (ValueError, UnreadableRows) as fault:
        stop(str(fault), suggestion="policy audit verify")
    sys.stdout.flush()


class _Tagged:
    """Tells whether a rule with a tag had a hand in a record."""

    def __init__(self, ledger: Ledger, tag: str | None) -> None:
        self._ledger = ledger
        self._tag = tag
        self._tags: dict[str, Mapping[str, list[str]]] = {}

    def __call__(self, entry: Entry) -> bool:
        policy = entry.body.get("policy")
        if not isinstance(policy, str) or "rules" not in entry.body:
            return False
        if policy not in self._tags:
            kept = self._ledger.policy(policy)
            self._tags[policy] = {} if kept is None else parsed(kept[ABOUT]).get("tags", {})
        rules = (*entry.body["rules"], *entry.body.get("observed", ()))
        return any(self._tag in self._tags[policy].get(rule, ()) for rule in rules)
