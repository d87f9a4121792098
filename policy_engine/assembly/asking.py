"""The desk for questions to people, with all it stands on plugged in: a store, a registry, a notifier, a key of the host."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from contextlib import suppress

from policy_engine.assembly.approvers import Approvers
from policy_engine.runtime.mediation.people.desk import MOST_PER_PRINCIPAL, MOST_PER_RUN, People
from policy_engine.runtime.ports.approvals import ApprovalStore
from policy_engine.runtime.ports.notifier import Notice, Notifier


def desk(
    store: ApprovalStore,
    *,
    new_id: Callable[[], str],
    approvers: Approvers | None = None,
    notifier: Notifier | None = None,
    host_key: bytes | None = None,
    most_per_run: int = MOST_PER_RUN,
    most_per_principal: int = MOST_PER_PRINCIPAL,
) -> People:
    """Without `approvers` nobody can answer but the user of a conversation. `host_key` marks what the host says of its user;
    without one it is made here, and answers of users count in this process only.
    """
    key = os.urandom(32) if host_key is None else host_key
    if len(key) < 16:
        raise ValueError("a key of the host has at least 16 bytes")
    known = Approvers(()) if approvers is None else approvers
    return People(
        store, verify=known.verify, seal=lambda statement: hmac.digest(key, statement, hashlib.sha256),
        notify=_nobody if notifier is None else _told(notifier), new_id=new_id,
        most_per_run=most_per_run, most_per_principal=most_per_principal,
    )  # fmt: skip


def _told(notifier: Notifier) -> Callable[[Notice], None]:
    def tell(notice: Notice) -> None:
        with suppress(Exception):  # the question stands; who looks finds it
            notifier.tell(notice)

    return tell


def _nobody(notice: Notice) -> None:
    """Nobody is told; questions are found in the store."""
