"""Exports: a log as JSON lines that can be verified on their own, whole or in part.

A line is a record's own object with its `sequence`, its `digest` and, under `beside`, its payloads. A record that was not asked
for is a line of the kind `omitted` with the digest of its content, so that the chain can be followed through it. The
first line (`export.begun`) names the log, the last (`export.ended`) tells where it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from policy_engine.audit.chain import content_of
from policy_engine.audit.encoding import canonical, written
from policy_engine.audit.entries import Entry, entry_of
from policy_engine.audit.signing import Verifier
from policy_engine.audit.verifying import Fault, Link, Report, Verification
from policy_engine.runtime.ports.ledger import Head, Ledger, Row, UnreadableRows

FORMAT: Final = 1
ALWAYS: Final = frozenset(("checkpoint", "erased", "policy"))
"""Kinds that are never left out: they hold nothing of any run, and the rest is judged by them."""
_PARTS: Final = ("kind", "at", "run", "call", "body", "payloads")


class NotAnExport(Exception):
    """A file of lines that are not those of an export; says which."""


def exported(ledger: Ledger, wanted: Callable[[Entry], bool], at: int) -> Iterator[bytes]:
    """The lines, without their ends. `at` (nanoseconds) dates the export."""
    head = ledger.head()
    yield _line("export.begun", at, body={"format": FORMAT, "log": ledger.id})
    for row in ledger.rows(upto=head.sequence):
        entry = entry_of(row)
        if entry.kind in ALWAYS or wanted(entry):
            yield _whole(row)
        else:
            yield _line("omitted", 0, sequence=row.sequence, digest=row.digest, content=content_of(row.data).hex(), body={})
    yield _line("export.ended", at, body={"sequence": head.sequence, "digest": head.digest})


def _line(kind: str, at: int, **parts: Any) -> bytes:
    return written({"kind": kind, "at": at, "run": "", "call": None, **parts})


def _whole(row: Row) -> bytes:
    beside = b"" if row.payload is None else b',"beside":%b' % row.payload
    return b'%b,"sequence":%d,"digest":%b%b}' % (row.data[:-1], row.sequence, written(row.digest), beside)


def verified(
    lines: Iterable[bytes], *, public: Verifier | None = None, witness: Iterable[Mapping[str, Any]] = ()
) -> tuple[Report, dict[int, str]]:
    """The report on an export, and the digest of each record in it. Raises `NotAnExport` for a file that is none."""
    numbered = enumerate(lines, 1)
    begun = _read(next(numbered, (1, b"")))
    if begun is None or begun.get("kind") != "export.begun" or begun.get("body", {}).get("format") != FORMAT:
        raise NotAnExport("line 1 is not the beginning of an export of an audit log")
    walk = Verification(str(begun["body"].get("log")), public=public, witness=tuple(witness))
    digests: dict[int, str] = {}
    ended: Mapping[str, Any] | None = None
    for place in numbered:
        data = _read(place)
        if ended is not None:
            walk.report.faults.append(Fault(walk.report.records, "", f"is followed by line {place[0]}, after the end"))
        elif data is not None and data.get("kind") == "export.ended":
            ended = data.get("body", {})
        else:
            exact = data is not None and written(data) == place[1].rstrip(b"\r\n")
            one = _link(data) if exact else None  # two readers of a line must read the same
            if one is None:
                walk.report.faults.append(Fault(walk.report.records + 1, "", f"cannot be read: line {place[0]}"))
                continue
            walk.look(one)
            digests[one.sequence] = one.digest
    if ended is None:
        walk.report.faults.append(Fault(walk.report.records, "", "is the last one here, but the export was cut off after it"))
        return walk.end(walk.report.records, walk.report.digest), digests
    sequence, digest = ended.get("sequence"), ended.get("digest")
    if type(sequence) is not int or not isinstance(digest, str):
        raise NotAnExport("the last line does not tell where the log ends")
    return walk.end(sequence, digest), digests


def _read(place: tuple[int, bytes]) -> dict[str, Any] | None:
    try:
        data = orjson.loads(place[1])
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _link(data: dict[str, Any] | None) -> Link | None:
    """A record of a line; keys that no record has make it none, so that nothing is smuggled in beside what is verified."""
    try:
        if data is None:
            return None
        sequence, digest = data.pop("sequence"), data.pop("digest")
        if type(sequence) is not int or type(digest) is not str:
            return None
        if data["kind"] == "omitted":
            plain = data.keys() == {"kind", "at", "run", "call", "body", "content"}
            bare = (data["at"], data["run"], data["call"], data["body"]) == (0, "", None, {})
            content = bytes.fromhex(data["content"])
            exact = plain and bare and content.hex() == data["content"]
            return Link(sequence, digest, None, None, content) if exact else None
        beside = data.pop("beside", None)
        if set(data) != set(_PARTS):
            return None
        return Link(sequence, digest, canonical(data), None if beside is None else written(beside))
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def verified_ledger(
    ledger: Ledger, *, public: Verifier | None = None, witness: Iterable[Mapping[str, Any]] = (),
    also: Mapping[int, str] | None = None,
) -> Report:  # fmt: skip
    """The report on a ledger as it is now. `also` are digests of records as an export has them.

    Others may go on writing meanwhile.
    """
    walk = Verification(ledger.id, policies=ledger, public=public, witness=tuple(witness))
    told, last = _head(ledger), Head(0, "")
    try:
        for row in ledger.rows(after=-(1 << 62)):
            if also is not None and also.get(row.sequence, row.digest) != row.digest:
                walk.report.faults.append(Fault(row.sequence, "", "is another one than in the export"))
            walk.look(Link(row.sequence, row.digest, row.data, row.payload, run=row.run, at=row.at))
            last = Head(row.sequence, row.digest)
    except UnreadableRows as fault:
        walk.report.faults.append(Fault(fault.sequence, "", fault.problem))
    end = _end(ledger, told, last)
    report = walk.end(end.sequence, end.digest)
    latest = max(also or (), default=0)
    if latest > end.sequence:
        report.faults.append(Fault(end.sequence + 1, "", f"and those up to {latest} are in the export and not in the log"))
    return report


def _end(ledger: Ledger, told: Head | None, last: Head) -> Head:
    """Where a log ends that had told an end and then went on to a last record: there, if it has told of that meanwhile."""
    if told is not None and told.sequence >= last.sequence:
        return told
    now = _head(ledger)
    return last if told is None or now is None or now.sequence > last.sequence else now


def _head(ledger: Ledger) -> Head | None:
    """Where the log ends; None where nothing tells that any more."""
    try:
        return ledger.head()
    except UnreadableRows:
        return None
