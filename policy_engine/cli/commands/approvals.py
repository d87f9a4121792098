"""`policy approvals list|show|approve|reject`: what people are asked, and their signed answers."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal as OneOf
from uuid import uuid4

import typer

from policy_engine.assembly.approver_keys import ApproverKey, KeyFault, LockedKey, read_key
from policy_engine.cli import terminal
from policy_engine.cli.approval_store import QuestionArgument, StoreOption, found, questions_of
from policy_engine.cli.exits import FINDINGS, stop
from policy_engine.cli.options import Format, FormatOption
from policy_engine.cli.person import confirmed, passphrase
from policy_engine.cli.spans import span
from policy_engine.runtime.approvals import USER_QUEUE
from policy_engine.runtime.mediation.people.ladder import overdue
from policy_engine.runtime.mediation.people.page import page_of
from policy_engine.runtime.mediation.people.rendering import digest_of_shown
from policy_engine.runtime.mediation.people.spelling import respelled
from policy_engine.runtime.mediation.people.statements import statement_of
from policy_engine.runtime.ports.approvals import Answer, ApprovalStore, NotAsked, Question
from policy_engine.stores.errors import StoreError

HELP: Final = "Questions that rules ask people, and your answers to them."
CONFIRMING: Final = 6
"""Characters of the digest that a person types, so that nothing is answered unseen."""
KeyOption = Annotated[Path, typer.Option("--key", help="Your key, made by `policy keys new`.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the operators.")]


def list_(
    store: StoreOption,
    queue: Annotated[str | None, typer.Option("--queue", help="Only what this queue is asked.")] = None,
    closed: Annotated[bool, typer.Option("--all", help="Answered, withdrawn and expired ones too.")] = False,
    form: FormatOption = Format.text,
) -> None:
    """List what people are asked, the oldest first.

    \b
    Example:
      policy approvals list --store sqlite:///state.db --queue finance
    """
    asked = questions_of(store)
    now = time.time_ns()
    try:
        rows = [_row(question, now) for question in asked.list(queue=queue, state=None if closed else "open")]
    except StoreError as fault:
        stop(str(fault))
    if form is Format.json:
        terminal.say(json.dumps(rows, indent=2))
        return
    if not rows:
        terminal.say("nobody is asked anything")
        return
    columns = ("id", "queue", "age", "left", "state", "tool", "rule")
    table = [columns, *(tuple(_cell(column, row[column]) for column in columns) for row in rows)]
    widths = [max(len(line[at]) for line in table) for at in range(len(columns))]
    for line in table:
        terminal.say("  ".join(f"{text:<{width}}" for text, width in zip(line, widths, strict=True)).rstrip())


def show(question: QuestionArgument, store: StoreOption, form: FormatOption = Format.text) -> None:
    """Show a question whole: the call, where each argument comes from, who asks.

    \b
    Example:
      policy approvals show 3f2a --store sqlite:///state.db
    """
    asked = questions_of(store)
    one = found(asked, question, time.time_ns())
    if form is Format.json:
        answers = [
            {name: getattr(answer, name) for name in ("approver", "queue", "answer", "at", "reason")}
            for answer in asked.answers(one.id)
        ]
        row = {**_row(one, time.time_ns()), "digest": digest_of_shown(one.shown), "shown": one.shown, "claimed_answers": answers}
        terminal.say(json.dumps(row, indent=2))
        return
    _show(asked, one)


def approve(
    question: QuestionArgument, store: StoreOption, key: KeyOption, reason: ReasonOption = "", form: FormatOption = Format.text
) -> None:
    """Let the call of a question pass, once, signed with your key.

    The question is shown; you type the first characters of its digest, and your passphrase.

    \b
    Example:
      policy approvals approve 3f2a --store sqlite:///state.db --key alice.key
    """
    _answer("approved", question, store, key, None, reason, form)


def reject(
    question: QuestionArgument,
    store: StoreOption,
    key: KeyOption,
    queue: Annotated[str | None, typer.Option("--queue", help="For which queue, if another is asked by now.")] = None,
    reason: ReasonOption = "",
    form: FormatOption = Format.text,
) -> None:
    """Refuse the call of a question for good, signed with your key.

    \b
    Example:
      policy approvals reject 3f2a --store sqlite:///state.db --key alice.key --reason "not this customer"
    """
    _answer("refused", question, store, key, queue, reason, form)


def _answer(
    said: OneOf["approved", "refused"], id: str, url: str, key: Path, queue: str | None, reason: str, form: Format
) -> None:
    store = questions_of(url)
    locked = _key(key)
    question = found(store, id, time.time_ns())
    where = queue or question.queue
    if where == USER_QUEUE:
        stop("this asks the human of the conversation, who answers there", suggestion="policy approvals list --queue finance")
    _show(store, question, terminal.say if form is Format.text else terminal.complain)
    digest = digest_of_shown(question.shown)
    verb = "approve" if said == "approved" else "refuse"
    who = f"{respelled(locked.approver)} ({respelled(where)})"
    if not confirmed(f"to {verb} as {who}, type the first {CONFIRMING} characters of the digest", digest[:CONFIRMING]):
        terminal.complain("these are not the first characters of the digest; nothing was answered")
        raise typer.Exit(FINDINGS)
    unlocked = _unlocked(locked)
    answer = Answer(uuid4().hex, question.id, where, said, unlocked.approver, time.time_ns(), b"", {}, reason)
    answer = replace(answer, signature=unlocked.sign(statement_of(question, answer)))
    try:
        store.answer(answer)
    except NotAsked as fault:
        terminal.complain(f"not taken: {fault}")
        raise typer.Exit(FINDINGS) from None
    except StoreError as fault:
        stop(str(fault))
    if form is Format.json:
        terminal.say(json.dumps({"question": question.id, "answer": said, "approver": unlocked.approver, "digest": digest}))
        return
    terminal.say(f"{said} as {who}; it counts if the host knows this key for that queue")


def _key(path: Path) -> LockedKey:
    try:
        return read_key(path)
    except KeyFault as fault:
        stop(str(fault), suggestion="policy keys new YOUR-ID --out FILE")


def _unlocked(locked: LockedKey) -> ApproverKey:
    try:
        return locked.unlock(passphrase(f"the key of {respelled(locked.approver)}"))
    except KeyFault as fault:
        stop(str(fault))


def _show(store: ApprovalStore, question: Question, say: Callable[[str], None] = terminal.say) -> None:
    say(page_of(question, width=terminal.page_width(sys.stdout)))
    now = time.time_ns()
    many = "one person" if question.count == 1 else f"{question.count} people"
    left = f"{span(question.until - now)} left" if now <= question.until else "the time is over"
    say(f"   {many} of {respelled(question.queue)} asked {span(now - question.asked)} ago, {left}; {respelled(question.state)}")
    for answer in store.answers(question.id):
        who = f"{respelled(answer.approver)} ({respelled(answer.queue)})"
        say(f"   claims to be {respelled(answer.answer)} by {who} {respelled(answer.reason)}".rstrip())


def _row(question: Question, now: int) -> dict[str, Any]:
    return {
        "id": question.id,
        "queue": question.queue,
        "count": question.count,
        "tier": question.tier,
        "age": (now - question.asked) // 1_000_000_000,
        "left": None if overdue(question, now) or question.over else (question.until - now) // 1_000_000_000,
        "state": question.state,
        "tool": question.shown.get("tool"),
        "rule": question.rule,
        "run": question.run,
    }


def _cell(column: str, value: Any) -> str:
    if column in ("age", "left"):
        return "over" if value is None else span(value * 1_000_000_000)
    return respelled(value)


COMMANDS: Final = (list_, show, approve, reject)
