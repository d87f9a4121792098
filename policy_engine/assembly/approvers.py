"""Who may answer questions to people: a registry file, read once when the host starts.

    approvers:
      - id: alice
        key: 6rMn…=                 # the public half, as `policy keys new` shows it
        queues: [finance, managers]
        record: { branch: north }   # the other fields of the policy's `approver`

Nothing else says who somebody is: no argument, no environment variable, no user of the machine. Who may write the file may
approve, so it must belong to root or to the host's user, and nobody else may write it or its folder.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from policy_engine.assembly.approver_keys import KeyFault, holds, public_key
from policy_engine.base.errors import MisfitError
from policy_engine.compiler.analysis.data_text import parse_yaml
from policy_engine.runtime.approvals import USER_QUEUE

_OTHERS_WRITE: Final = 0o022
_MOST_BYTES: Final = 1_000_000
_FIELDS: Final = {"id", "key", "queues", "record"}


class ApproversError(Exception):
    """A registry that cannot be used; says why."""


@dataclass(frozen=True, slots=True)
class Approver:
    """One person: their id, where they may answer, and what is known of them besides."""

    id: str
    key: str
    queues: frozenset[str]
    record: Mapping[str, Any]


class Approvers:
    """The people who may answer. Immutable: what is written into the file later counts at the next start."""

    def __init__(self, people: Sequence[Approver]) -> None:
        """Raises `ApproversError` where two share an id or a key, or somebody shall answer for a user."""
        self._people = {person.id: person for person in people}
        if len(self._people) < len(people):
            raise ApproversError("two approvers have the same id")
        if any(USER_QUEUE in person.queues for person in people):
            raise ApproversError(f"`{USER_QUEUE}` is the human of a conversation, for whom the host answers; no key does")
        try:
            self._keys = {person.id: public_key(person.key) for person in people}
        except KeyFault as fault:
            raise ApproversError(str(fault)) from None
        if len({key.public_bytes_raw() for key in self._keys.values()}) < len(people):
            raise ApproversError("two approvers have the same key: one person could count as two")

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Approvers:
        """Read a registry (YAML or JSON). Raises `ApproversError`, also where others may write the file."""
        name = os.fspath(path)
        try:
            _only_ours(os.stat(os.path.dirname(os.path.abspath(name))), os.path.dirname(os.path.abspath(name)))
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as stream:
                status = os.fstat(stream.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise ApproversError(f"{name} is no plain file")
                _only_ours(status, name)
                text = stream.read(_MOST_BYTES + 1)
        except OSError as fault:
            raise ApproversError(f"{name} cannot be read: {fault.strerror}") from None
        if len(text) > _MOST_BYTES:
            raise ApproversError(f"{name} is larger than a registry of people is")
        try:
            return cls(_people(parse_yaml(text.decode())))
        except (MisfitError, UnicodeDecodeError, ApproversError) as fault:
            raise ApproversError(f"{name}: {fault}") from None

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all of them, sorted."""
        return tuple(sorted(self._people))

    def signed(self, approver: str, queue: str, statement: bytes, signature: bytes) -> bool:
        """Whether a person who may answer in the queue signed the statement."""
        return self.verify(approver, queue, statement, signature) is not None

    def verify(self, approver: str, queue: str, statement: bytes, signature: bytes) -> Mapping[str, Any] | None:
        """The `approver` record of a person who may answer in the queue and signed the statement; else None."""
        person = self._people.get(approver)
        if person is None or queue not in person.queues or not holds(self._keys[approver], statement, signature):
            return None
        return {**person.record, "id": person.id}


def _only_ours(status: os.stat_result, name: str) -> None:
    if status.st_uid not in (os.geteuid(), 0):
        raise ApproversError(f"{name} belongs to another user")
    if status.st_mode & _OTHERS_WRITE and not (stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX):
        raise ApproversError(f"others may write to {name}, and so approve; take that right from them (chmod go-w {name})")


def _people(held: Any) -> list[Approver]:
    rows = held.get("approvers") if isinstance(held, dict) else None
    if not isinstance(rows, list) or set(held) != {"approvers"}:
        raise ApproversError("it has no list `approvers`, or something else besides")
    return [_person(row, number) for number, row in enumerate(rows, 1)]


def _person(row: Any, number: int) -> Approver:
    where = f"approver {number}"
    if not isinstance(row, dict) or not set(row) <= _FIELDS:
        raise ApproversError(f"{where}: an approver has `id`, `key`, `queues`, and perhaps `record`, and nothing else")
    id, key, queues, record = row.get("id"), row.get("key"), row.get("queues"), row.get("record", {})
    if not isinstance(id, str) or not id or not isinstance(key, str):
        raise ApproversError(f"{where}: `id` and `key` are text")
    if not isinstance(queues, list) or not queues or not all(isinstance(queue, str) and queue for queue in queues):
        raise ApproversError(f"{where}: `queues` is a list of their names")
    if not isinstance(record, dict) or not all(isinstance(name, str) and name != "id" for name in record):
        raise ApproversError(f"{where}: `record` holds the other fields of the policy's `approver`")
    return Approver(id, key, frozenset(queues), record)
