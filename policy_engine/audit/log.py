"""The audit log: what the mediation tells is chained and kept, or the caller hears that it is not.

Threads that wait while one of them writes are written together by whoever is next (group commit): one transaction for all,
and each returns only once its own record is kept.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from threading import Lock
from typing import Any, Final

from policy_engine.audit import payloads as beside
from policy_engine.audit.chain import content_of, genesis, link
from policy_engine.audit.checkpoints import statement
from policy_engine.audit.encoding import canonical
from policy_engine.audit.entries import Entry, entry_of
from policy_engine.audit.payloads import Keeping
from policy_engine.audit.signing import Signer
from policy_engine.base.records import RecordKind
from policy_engine.runtime.ports.audit import Record
from policy_engine.runtime.ports.ledger import Batch, Durability, Head, Ledger, Row

ABOUT: Final = ""
"""The name under which the `about` of a policy is kept among its sources: no file has it."""
_NEVER_SHOWN: Final[Mapping[str, frozenset[str]]] = {"result": frozenset(("result",)), "asked": frozenset(("asked",))}
_NOTHING: Final[frozenset[str]] = frozenset()
_NO_PAYLOADS: Final[tuple[dict[str, Any], None]] = ({}, None)


class AuditError(Exception):
    """A record was not kept, so nothing may go on. The cause is what the store raised."""


class _Waiting:
    """A record on its way. `digest` once it is kept, `fault` once it is sure that it is not."""

    __slots__ = ("at", "content", "data", "digest", "fault", "payload", "run")

    def __init__(self, run: str, at: int, data: bytes, payload: bytes | None, content: bytes) -> None:
        self.run = run
        self.at = at
        self.data = data
        self.content = content
        self.payload = payload
        self.digest: str | None = None
        self.fault: BaseException | None = None


class Audit:
    """Implements `runtime.ports.audit.AuditLog` over a ledger.

    `payloads`: `masked` keeps them without secrets, as the agent saw them; `whole` keeps all; `digests` keeps none. With a
    `signer`, the chain is signed after every `checkpoint_every` records and when the log is closed; `clock` (nanoseconds)
    dates those.
    """

    def __init__(
        self, ledger: Ledger, *, payloads: Keeping = "masked", signer: Signer | None = None, checkpoint_every: int = 1000,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:  # fmt: skip
        if payloads not in ("masked", "whole", "digests"):
            raise ValueError(f"payloads are kept `masked`, `whole` or as `digests`, not {payloads!r}")
        if checkpoint_every < 1:
            raise ValueError("a checkpoint stands after one record or more")
        self.ledger = ledger
        self.blocking = ledger.blocking
        self.durability: Durability = ledger.durability
        self._payloads: Keeping = payloads
        self._signer = signer
        self._every = checkpoint_every
        self._clock = clock
        self._genesis = genesis(ledger.id)
        self._writing = Lock()
        self._queue: deque[_Waiting] = deque()
        self._number, self._digest = 0, ""
        """Of the last row, as far as this log knows: it, or another process, may have written since."""
        self._known: set[str] = set()

    # ------------------------------------------------------------------ writing
    def append(self, record: Record) -> str:
        """Keep a record; its digest. Raises `AuditError`."""
        kind, at, run, call, body, payloads = record
        withheld = _withheld(kind, body, payloads) if kind == "outcome" or "asked" in payloads else _NOTHING
        said, payload = beside.kept(payloads, self._payloads, withheld) if payloads else _NO_PAYLOADS
        data = canonical({
            "at": at, "body": body if type(body) is dict else dict(body), "call": call, "kind": kind, "payloads": said,
            "run": run,
        })  # fmt: skip
        content = sha256(data).digest()
        if self._queue or self._writing.locked():  # others wait: together with them
            return self._together(_Waiting(run, at, data, payload, content))
        with self._writing:
            before, sequence = self._digest, self._number + 1
            if before and (self._signer is None or sequence % self._every):  # nothing else is due: it follows at once
                digest = link(before, sequence, content)
                try:
                    kept = self.ledger.follow((sequence, digest, run, at, data, payload))
                except Exception as fault:
                    raise AuditError(f"the record was not kept: {fault}") from fault
                if kept is True:
                    self._number, self._digest = sequence, digest
                    return digest
        return self._together(_Waiting(run, at, data, payload, content))

    def _together(self, mine: _Waiting) -> str:
        """Written with all that wait, by whoever is next."""
        self._queue.append(mine)
        with self._writing:
            if mine.digest is None and mine.fault is None:
                self._write([self._queue.popleft() for _ in range(len(self._queue))])
        if mine.digest is None:
            raise AuditError(f"the record was not kept: {mine.fault}") from mine.fault
        return mine.digest

    def _write(self, waiting: Sequence[_Waiting]) -> None:
        """Write what waits, in one go. Called by one thread at a time."""
        made: list[Head] = []
        try:
            self.ledger.append(lambda head: self._chained(head, waiting, made))
            for one, head in zip(waiting, made, strict=True):
                one.digest = head.digest
            self._number, self._digest = made[-1]
        except BaseException as fault:
            for one in waiting:
                one.digest, one.fault = None, fault
            if not isinstance(fault, Exception):
                raise

    def _chained(self, head: Head, waiting: Sequence[_Waiting], made: list[Head]) -> Batch:
        """The rows that follow `head`, with a checkpoint wherever one is due; `made` gets the head after each that waits."""
        made.clear()
        rows: list[Row] = []
        sequence, digest = head
        digest = digest or self._genesis
        for one in waiting:
            sequence += 1
            digest = link(digest, sequence, one.content)
            rows.append(Row(sequence, digest, one.run, one.at, one.data, one.payload))
            made.append(Head(sequence, digest))
            if self._signer is not None and sequence % self._every == 0:
                rows.append(self._checkpoint(made[-1], self._signer))
                sequence, digest = rows[-1].sequence, rows[-1].digest
        return Batch(rows)

    def _own(self, head: Head, kind: RecordKind, body: Mapping[str, Any]) -> Row:
        """The row of a record that the log makes itself."""
        at = self._clock()
        data = canonical({"kind": kind, "at": at, "run": "", "call": None, "body": body, "payloads": {}})
        digest = link(head.digest or self._genesis, head.sequence + 1, content_of(data))
        return Row(head.sequence + 1, digest, "", at, data, None)

    def _checkpoint(self, head: Head, signer: Signer) -> Row:
        return self._own(head, "checkpoint", statement(self.ledger.id, head, self._clock(), signer))

    def _alone(self, build: Callable[[Head], Batch]) -> None:
        with self._writing:
            try:
                self.ledger.append(build)
            except Exception as fault:
                raise AuditError(f"the record was not kept: {fault}") from fault

    def keep_policy(self, digest: str, sources: Mapping[str, bytes], about: Mapping[str, Any]) -> None:
        """Keep what a policy is made of, once; the chain says what was kept. Raises `AuditError`."""
        if digest in self._known:
            return
        contents = {ABOUT: canonical(about), **sources}
        names = {name: sha256(content).hexdigest() for name, content in contents.items()}

        def build(head: Head) -> Batch:
            return Batch([self._own(head, "policy", {"policy": digest, "sources": names})], policies={digest: contents})

        try:
            kept = self.ledger.policy(digest)
        except Exception as fault:
            raise AuditError(f"the policy was not kept: {fault}") from fault
        if kept is None or _damaged(kept, contents):
            self._alone(build)
        self._known.add(digest)

    def checkpoint(self) -> dict[str, Any] | None:
        """Sign the chain as it stands now, unless its last record is a signature; the statement that was signed.

        None without a signer, or while there is no record.
        """
        signer = self._signer
        if signer is None:
            return None
        last = self.ledger.head()
        newest = next(iter(self.ledger.rows(after=last.sequence - 1)), None) if last.sequence else None
        if newest is None:
            return None
        entry = entry_of(newest)
        if entry.kind == "checkpoint" and entry.body.get("key") == signer.key:
            return dict(entry.body)
        made: list[dict[str, Any]] = []

        def build(head: Head) -> Batch:
            made.append(statement(self.ledger.id, head, self._clock(), signer))
            return Batch([self._own(head, "checkpoint", made[-1])])

        self._alone(build)
        return made[-1]

    def erase(self, numbers: Sequence[int], body: Mapping[str, Any]) -> None:
        """Forget the payloads of these records, and record that. `body` is an `ErasedBody`. Raises `AuditError`."""
        self._alone(lambda head: Batch([self._own(head, "erased", body)], erased=numbers))

    def close(self) -> None:
        """Sign what was not signed yet, and let go of the ledger."""
        self.checkpoint()
        self.ledger.close()

    # ------------------------------------------------------------------ reading
    def entries(self, *, after: int = 0, upto: int | None = None, run: str | None = None) -> Iterator[Entry]:
        """The records that are kept, in order, with numbers beyond `after` up to `upto`; those of one run, if one is named."""
        return map(entry_of, self.ledger.rows(after=after, upto=upto, run=run))


def _damaged(kept: Mapping[str, bytes], contents: Mapping[str, bytes]) -> bool:
    """Whether these files were kept, and are not whole any more. The same policy may have been kept from other files, or to be
    loaded in another way: that counts as well, and what an earlier record says of it must stay true."""
    return kept.get(ABOUT, contents[ABOUT]) == contents[ABOUT] and set(kept) <= set(contents) and kept != contents


def _withheld(kind: RecordKind, body: Mapping[str, Any], payloads: Mapping[str, Any]) -> frozenset[str]:
    """What must not be kept where secrets are masked: what the policy took out before the agent, or the tool, saw it."""
    if kind == "outcome" and body.get("effect") != "pass":
        return _NEVER_SHOWN["result"]
    if "asked" in payloads and "args" in payloads:
        return _NEVER_SHOWN["asked"]
    return _NOTHING
