"""Opening the questions of a store for a command, and finding one of them."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Annotated, Final

import typer

from policy_engine.cli.exits import stop
from policy_engine.runtime.mediation.people.ladder import climb
from policy_engine.runtime.ports.approvals import ApprovalStore, Question
from policy_engine.stores.errors import StoreError
from policy_engine.stores.sqlite.approvals import SqliteApprovals
from policy_engine.stores.sqlite.database import Database

_SQLITE: Final = "sqlite:///"
StoreOption = Annotated[str, typer.Option("--store", help="Where the host keeps its state: sqlite:///state.db")]
QuestionArgument = Annotated[str, typer.Argument(help="The id of the question, or the beginning of it.")]


def questions_of(url: str) -> ApprovalStore:
    """The questions of a store that is there; ends the command where it is not."""
    path = url.removeprefix(_SQLITE)
    if path == url or not path:
        stop(f"`--store {url}` is no store that others can read", suggestion="--store sqlite:///state.db")
    if not os.path.exists(path):
        stop(f"there is no store at {path}", suggestion="give the one that the host was started with")
    try:
        return SqliteApprovals(Database(path))
    except StoreError as fault:
        stop(str(fault))


def found(store: ApprovalStore, id: str, now: int) -> Question:
    """One question, in the tier that time has brought it to; ends the command where there is none."""
    try:
        question = store.get(id)
        if question is None:
            stop(f"there is no question `{id}`, or more than one begins so", suggestion="policy approvals list --store …")
        if question.state == "open":
            question = climb(store, question, now, store.answers(question.id))
        return replace(question)
    except StoreError as fault:
        stop(str(fault))
